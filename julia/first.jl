# Loads JlsysStartup, which takes the place of `arrived`; waiting.jl includes it into its module when the first package has come that is waited for.
#
# The folder has `loader`, which says what JlsysStartup is, `("UUID", "source", "cache within the folder")`, and what JlsysStartup.jl says.
#
# This is interpreted, as what is in waiting.jl. What it calls is, as far as there is a choice, what Julia's own image has compiled for these types in 1.10 and
# 1.12 (`--trace-compile=stderr` shows what is not): some 8 ms each.

# As `require` does it, in the world in which Julia began: there what Julia's own image has compiled for loading is valid. Packages make it invalid, and
# to compile it anew takes half a second and more (1.10.2 with IJulia, 1.12.5 with JSON). `getfield` needs no compiling, as `[]` would.
as_required(f, arguments...) =
    isdefined(Base, :_require_world_age) ? Base.invoke_in_world(getfield(Base._require_world_age, :x), f, arguments...) : f(arguments...)

# That package, loaded; `nothing` where Julia does not take it for this session. Nothing is ever precompiled.
function load_first()
    said = Meta.parse(read(string(FOLDER, "loader"), String)).args
    package, source, cache = Base.PkgId(Base.UUID(said[1]), "JlsysStartup"), said[2], string(FOLDER, said[3])
    # Since 1.13 a source is more than a path.
    specification = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(source, VERSION) : source
    any_build = UInt128(0)
    found = as_required(Base.stale_cachefile, package, any_build, specification, cache)
    found isa Tuple || return nothing
    loaded = as_required(Base._include_from_serialized, package, cache, found[2], found[1])
    loaded isa Module || throw(loaded)
    return loaded
end

does_not_load(error) = string("the startup package does not load: ", first(split(sprint(showerror, error), '\n')))

let problem = "", startup = nothing
    lock(Base.require_lock)
    # Another task may have been sooner.
    if HAS_BEGUN
        unlock(Base.require_lock)
    else
        global HAS_BEGUN = true
        try
            startup = load_first()
            startup isa Module || (problem = Base.include(Module(), string(FOLDER, "why.jl")))
        catch error
            problem = does_not_load(error)
        end
        if startup isa Module
            try
                # It gives the lock back: there that is compiled.
                Base.invokelatest(getproperty(startup, :start), FOLDER[1:end-1], SAYS, arrived)
            catch error
                problem = does_not_load(error)
            end
        else
            unlock(Base.require_lock)
        end
        problem == "" || SAYS && println(stderr, "jlsys: plain Julia: ", problem)
    end
end
