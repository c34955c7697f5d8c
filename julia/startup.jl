# Precompiles one package of the startup package into a depot of its own (Julia 1.9 and later).
#
#     julia --project=PROJECT julia/startup.jl SOURCE UUID DEPOT WHERE
#
# The package's name is that of the file SOURCE; WHERE gets the path of its cache within DEPOT. What the package itself is
# told is in its surroundings (JlsysGroup.jl). What it loads is looked for where a session looks. This process loads nothing,
# so that Julia finds every cache by what is on disk, as a session will.

function precompile_package(source, uuid, depot, where)
    package = Base.PkgId(Base.UUID(uuid), first(splitext(basename(source))))
    # Since 1.13 a source is more than a path.
    specification = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(source, VERSION) : source
    # Julia writes to the first depot.
    pushfirst!(DEPOT_PATH, depot)
    result = Base.compilecache(package, specification)
    result isa Exception && throw(result)
    write(where, relpath(first(result), depot))
    return nothing
end

precompile_package(ARGS[1], ARGS[2], ARGS[3], ARGS[4])
