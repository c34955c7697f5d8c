# Precompiles a project's packages and their extensions, several at once, as Pkg does from Julia 1.6 on.
#
#     julia [-J IMAGE] --project=PROJECT [--pkgimages=no] julia/precompile.jl [--repl] [NAME...]
#
# Of the packages that are named (1.8 and later) and what they depend on, else of all. With `--repl` also what Julia loads
# when somebody sits at the terminal, which from 1.11 on is not in the stock image.
# Exits with status 1 when a package that the project names does not precompile; the others then have been all the same.

using Pkg

include(joinpath(@__DIR__, "offline.jl"))

const NAMES = filter(argument -> argument != "--repl", ARGS)

if "--repl" in ARGS && isdefined(Base, :require_stdlib)
    # As `load_REPL` in base/client.jl does.
    Base.require_stdlib(Base.PkgId(Base.UUID("3fa0cd96-eef1-5676-8a61-b3b8758bbffb"), "REPL"))
end

isempty(NAMES) ? Pkg.precompile() : Pkg.precompile(NAMES)
