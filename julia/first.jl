# Loads JlsysStartup, which takes the place of `arrived`; waiting.jl includes it into its module when the first package has come that is waited for.
#
# The folder has `loader`, which says what JlsysStartup is, `("UUID", "source", "cache within the folder", "JUDGE")`, and what JlsysStartup.jl says. JUDGE is
# the name of a function in Base, as startup.jl has found it, or empty.
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
    any_build, name = UInt128(0), Symbol(said[4])
    isdefined(Base, name) && global judge = getfield(Base, name)
    found = judge === nothing ? as_required(Base.stale_cachefile, package, any_build, specification, cache) :
        as_required(judge, false, Base.stale_cachefile, package, any_build, specification, cache)
    found isa Tuple || return nothing
    loaded = as_required(Base._include_from_serialized, package, cache, getfield(found, 2), getfield(found, 1))
    loaded isa Module || throw(loaded)
    return loaded
end

# What is called in place of `stale_cachefile`, if anything is.
judge = nothing

# Julia's own image of 1.10 has no code for `lock` itself, which is inlined everywhere, but for what it calls (base/lock.jl); that of 1.12 has both.
# `lock` itself is for what another task has, or this one has already. (`v"1.10"` would be a macro.)
function take_lock(taking, task)
    getfield(VERSION, :minor) === 0x0000000a && getfield(taking, :locked_by) !== task && Base._trylock(taking, task) || lock(taking)
    return nothing
end

does_not_load(error) = string("the startup package does not load: ", first(split(sprint(showerror, error), '\n')))

let problem = "", startup = nothing
    take_lock(Base.require_lock, current_task())
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
                Base.invokelatest(getproperty(startup, :start), FOLDER[1:end-1], SAYS, arrived, judge)
            catch error
                problem = does_not_load(error)
            end
        else
            unlock(Base.require_lock)
        end
        problem == "" || SAYS && println(stderr, "jlsys: plain Julia: ", problem)
    end
end
