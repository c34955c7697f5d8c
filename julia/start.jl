# Loads the startup package before a session's own code: `julia -L FOLDER/start.jl …`.
#
# The session must not notice. LOAD_PATH and DEPOT_PATH are as before when this is done, no name is bound in Main, nothing
# is ever precompiled, and whatever goes wrong the session goes on without the package, after one line. The same text
# lies here as `start-quietly.jl`, which leaves out the line.
#
# FOLDER has `identity` (the package as packages.jl says), `env`, a folder of packages in which Julia finds it (an implicit
# environment), and `depot`, with its package image.

# No function is defined in here, not even an anonymous one: those are bound in Main as well. Nor is there a loop or a `ccall`: with
# one, Julia compiles the whole block before it runs it (`jl_toplevel_eval_flex` in src/toplevel.c), without, it interprets it. A call then
# costs nothing if Julia's own image has it compiled for these types, and some 8 ms if not: that is why things are said
# here in this way and no other (`julia --trace-compile=stderr start.jl` shows what is compiled).
let folder = @__DIR__, options = Base.JLOptions()
    # Whoever turns caches or package images off knows why it is slow. 1.9 is where package images begin.
    if isdefined(Base, :isprecompiled) &&
       Int(getfield(options, :use_compiled_modules)) !== 0 && Int(getfield(options, :use_pkgimages)) !== 0
        problem = ""
        env, depot = joinpath(folder, "env"), joinpath(folder, "depot")
        # What is loaded stays: a collection now would look through all of it and find nothing.
        collects = GC.enable(false)
        # Where each package lies is looked up once, as `using` does it (`require`, base/loading.jl), not by all that need it.
        looks_up_once = isdefined(Base, :LOADING_CACHE) && isdefined(Base, :LoadingCache)
        lock(Base.require_lock)
        try
            package = Base.PkgId(Base.UUID(read(joinpath(folder, "identity"), String)[1:36]), "JlsysStartup")
            push!(LOAD_PATH, env)
            push!(DEPOT_PATH, depot)
            looks_up_once && setfield!(Base.LOADING_CACHE, :x, Base.LoadingCache())
            # Since 1.13 what is located is more than a path.
            located = isdefined(Base, :locate_package_load_spec) ? Base.locate_package_load_spec(package) : Base.locate_package(package)
            stale = "what the startup package was built from was precompiled anew since; `jlsys build --force` builds it again"
            # Julia judges whether it is stale, by all that it depends on. What `require` does for a package that is precompiled
            # (`_require`, since 1.11 `__require_prelocked`, in base/loading.jl) is done here without it, since it would precompile
            # what is stale; to ask that before, as is done where a Julia has another way, checks every cache twice.
            load = isdefined(Base, :_require_search_from_serialized) ? Base._require_search_from_serialized : nothing
            any_build = UInt128(0)
            arguments = (package, located, any_build)
            applicable(load, arguments...) || (arguments = (arguments..., true)) # since 1.11: whether it may be stale is to be looked at
            if located === nothing
                problem = "the startup package is not in $folder"
            elseif applicable(load, arguments...)
                load(arguments...) === nothing && (problem = stale)
            elseif Base.isprecompiled(package)
                Base.require(package)
            else
                problem = stale
            end
        catch error
            problem = string("the startup package does not load: ", first(split(sprint(showerror, error), '\n')))
        finally
            looks_up_once && setfield!(Base.LOADING_CACHE, :x, nothing)
            unlock(Base.require_lock)
            GC.enable(collects)
            # What packages did to the paths when they were loaded stays.
            n = length(LOAD_PATH)
            n > 0 && LOAD_PATH[n] == env ? resize!(LOAD_PATH, n - 1) : setdiff!(LOAD_PATH, (env,))
            n = length(DEPOT_PATH)
            n > 0 && DEPOT_PATH[n] == depot ? resize!(DEPOT_PATH, n - 1) : setdiff!(DEPOT_PATH, (depot,))
        end
        if problem != "" && basename(@__FILE__) == "start.jl"
            println(stderr, "jlsys: plain Julia: ", problem)
        end
    end
end
