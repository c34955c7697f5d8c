# Loads JlsysStartup, which takes the place of `arrived`; waiting.jl includes it into its module when the first package has come that is waited for.
#
# The folder has `loader`, two lines that say what JlsysStartup is: its UUID, and its source; `depot`, with its cache; and what JlsysStartup.jl says.

# That package; `nothing` where it does not fit this session, `missing` where this was done already.
function load_first()
    depot = string(FOLDER, "depot")
    lock(Base.require_lock)
    try
        # Another task may have been sooner.
        HAS_BEGUN && return missing
        global HAS_BEGUN = true
        text = read(string(FOLDER, "loader"), String)
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
        return load(arguments...)
    finally
        setdiff!(DEPOT_PATH, (depot,))
        unlock(Base.require_lock)
    end
end

let problem = ""
    try
        first = load_first()
        if first isa Module
            Base.invokelatest(getproperty(first, :start), FOLDER[1:end-1], SAYS, arrived)
        elseif first !== missing
            problem = Base.include(Module(), string(FOLDER, "why.jl"))
        end
    catch error
        problem = string("the startup package does not load: ", Base.first(split(sprint(showerror, error), '\n')))
    end
    if problem != "" && SAYS
        println(stderr, "jlsys: plain Julia: ", problem)
    end
end
