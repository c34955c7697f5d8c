# Precompiles a project's packages and their extensions, several at once, as Pkg does from Julia 1.6 on.
#
#     julia --project=PROJECT [--pkgimages=no] julia/precompile.jl
#
# Exits with status 1 when a package that the project names does not precompile; the others then have been all the same.

using Pkg

include(joinpath(@__DIR__, "offline.jl"))

Pkg.precompile()
