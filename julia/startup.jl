# Precompiles one package of the startup package into a depot of its own (Julia 1.9 and later).
#
#     julia --project=PROJECT julia/startup.jl SOURCE UUID DEPOT WHERE
#
# The package's name is that of the file SOURCE; WHERE gets the path of its cache within DEPOT, and in the next line the name of what a session
# calls in place of `stale_cachefile`. What the package itself is told is in its surroundings (JlsysGroup.jl). What it loads is looked for where a
# session looks. This process loads nothing, so that Julia finds every cache by what is on disk, as a session will.

# A method with keywords calls another function with their values before the arguments. Of the two, Julia's own image of 1.10 has that one compiled alone,
# since the first is inlined everywhere; that of 1.12 has both. Empty: the first is to be called. So it is where there are other keywords.
function judging()
    v"1.10-" <= VERSION < v"1.11-" || return ""
    method = which(Base.stale_cachefile, Tuple{Base.PkgId,UInt128,String,String})
    Base.kwarg_decl(method) == [:ignore_loaded] || return ""
    judge = Base.bodyfunction(method)
    judge isa Function && hasmethod(judge, Tuple{Bool,typeof(Base.stale_cachefile),Base.PkgId,UInt128,String,String}) || return ""
    return string(nameof(judge))
end

function precompile_package(source, uuid, depot, where)
    package = Base.PkgId(Base.UUID(uuid), first(splitext(basename(source))))
    # Since 1.13 a source is more than a path.
    specification = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(source, VERSION) : source
    # Julia writes to the first depot.
    pushfirst!(DEPOT_PATH, depot)
    result = Base.compilecache(package, specification)
    result isa Exception && throw(result)
    write(where, string(relpath(first(result), depot), '\n', judging(), '\n'))
    return nothing
end

precompile_package(ARGS[1], ARGS[2], ARGS[3], ARGS[4])
