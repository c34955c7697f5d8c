# Loads JlsysStartup, which takes the place of `arrived`; waiting.jl includes it into its module when the first package has come that is waited for.
#
# The folder has `loader`, two lines that say what JlsysStartup is: its UUID, and its source; `depot`, with its cache; and what JlsysStartup.jl says.
#
# This is interpreted, as what is in waiting.jl. What it calls is, as far as there is a choice, what Julia's own image has compiled for these types in 1.10 and
# 1.12 (`--trace-compile=stderr` shows what is not): some 8 ms each.

# That package, loaded; `nothing` where Julia does not take it for this session.
function load_first()
    text = read(string(FOLDER, "loader"), String)
    package, source = Base.PkgId(Base.UUID(text[1:36]), "JlsysStartup"), text[38:end]
    # Since 1.13 a source is more than a path.
    specification = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(source, VERSION) : source
    any_build = UInt128(0)
    arguments = (package, specification, any_build)
    # Julia judges whether the cache fits this session, and loads it if it does. (`require`, which does the same, would precompile
    # what does not.) Since 1.11 there is one more argument: whether it may be stale is to be looked at.
    load = Base._require_search_from_serialized
    applicable(load, arguments...) || (arguments = (arguments..., true))
    depots = copy(DEPOT_PATH)
    try
        push!(DEPOT_PATH, string(FOLDER, "depot"))
        return load(arguments...)
    finally
        empty!(DEPOT_PATH)
        append!(DEPOT_PATH, depots)
    end
end

let problem = "", first = nothing
    lock(Base.require_lock)
    # Another task may have been sooner.
    if HAS_BEGUN
        unlock(Base.require_lock)
    else
        global HAS_BEGUN = true
        try
            first = load_first()
            first isa Module || (problem = Base.include(Module(), string(FOLDER, "why.jl")))
        catch error
            problem = string("the startup package does not load: ", Base.first(split(sprint(showerror, error), '\n')))
        end
        if first isa Module
            # It gives the lock back: there that is compiled.
            Base.invokelatest(getproperty(first, :start), FOLDER[1:end-1], SAYS, arrived)
        else
            unlock(Base.require_lock)
        end
        problem == "" || SAYS && println(stderr, "jlsys: plain Julia: ", problem)
    end
end
