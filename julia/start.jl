# Lets the startup package wait for the packages that it is about, before a session's own code: `julia -L FOLDER/start.jl …`.
#
# The session must not notice. LOAD_PATH and DEPOT_PATH are as before when this is done, no name is bound in Main, no package of the session's is loaded, nothing
# is ever precompiled, and whatever goes wrong the session goes on without, after one line. The same text lies here as
# `start-quietly.jl`, which leaves out the line.
#
# FOLDER has `loader`, two lines that say what JlsysStartup.jl is: its UUID, and its source; `depot`, with its cache; and what
# JlsysStartup.jl says.

# No function is defined in here, not even an anonymous one: those are bound in Main as well. Nor is there a loop or a `ccall`: with
# one, Julia compiles the whole block before it runs it (`jl_toplevel_eval_flex` in src/toplevel.c), without, it interprets it. A call then
# costs nothing if Julia's own image has it compiled for these types, and some 8 ms if not: that is why things are said
# here in this way and no other (`julia --trace-compile=stderr start.jl` shows what is compiled).
let folder = @__DIR__
    problem = ""
    says = basename(@__FILE__) == "start.jl"
    depot = joinpath(folder, "depot")
    # 1.9 is where package images begin.
    if isdefined(Base, :isprecompiled)
        first = nothing
        lock(Base.require_lock)
        try
            text = read(joinpath(folder, "loader"), String)
            package, source = Base.PkgId(Base.UUID(text[1:36]), "JlsysStartup"), text[38:end]
            push!(DEPOT_PATH, depot)
            # Since 1.13 a source is more than a path.
            specification = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(source, VERSION) : source
            any_build = UInt128(0)
            arguments = (package, specification, any_build)
            # Julia judges whether the cache fits this session, and loads it if it does. (`require`, which does the same, would precompile
            # what does not.) Since 1.11 there is one more argument: whether it may be stale is to be looked at.
            load = Base._require_search_from_serialized
            applicable(load, arguments...) || (arguments = (arguments..., true))
            first = load(arguments...)
        catch error
            problem = string("the startup package does not load: ", Base.first(split(sprint(showerror, error), '\n')))
        end
        if first isa Module
            try
                # What is done here first of all is to leave the lock and the path as they were: there it is compiled.
                Base.invokelatest(getproperty(first, :start), folder, says)
            catch error
                problem = string("the startup package does not load: ", Base.first(split(sprint(showerror, error), '\n')))
            end
        else
            setdiff!(DEPOT_PATH, (depot,))
            unlock(Base.require_lock)
            if problem == ""
                problem = Base.include(Module(), joinpath(folder, "why.jl"))
            end
        end
    end
    if problem != "" && says
        println(stderr, "jlsys: plain Julia: ", problem)
    end
end
