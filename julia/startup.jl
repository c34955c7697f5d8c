# Precompiles the startup package into a depot of its own (Julia 1.9 and later).
#
#     julia --project=PROJECT julia/startup.jl FOLDER STATEMENTS REPLAYED [PROJECT...]
#
# FOLDER is as start.jl says, with an empty `depot`; STATEMENTS and REPLAYED are as in replay.jl. Packages are looked
# for where a session looks, then in the other projects. This process loads none of them, so that Julia finds every cache
# by what is on disk, as a session will.

include(joinpath(@__DIR__, "packages.jl"))

function precompile_startup(folder, statements, replayed, others)
    identity, name = split(readline(joinpath(folder, "identity")), '\t')
    package = package_of(identity, name)
    append!(LOAD_PATH, others)
    push!(LOAD_PATH, joinpath(folder, "env"))
    depot = joinpath(folder, "depot")
    # Julia writes to the first depot.
    pushfirst!(DEPOT_PATH, depot)
    ENV["JLSYS_STARTUP_STATEMENTS"] = statements
    ENV["JLSYS_STARTUP_REPLAYED"] = replayed
    result = Base.compilecache(package)
    result isa Exception && throw(result)
    return nothing
end

precompile_startup(ARGS[1], ARGS[2], ARGS[3], ARGS[4:end])
