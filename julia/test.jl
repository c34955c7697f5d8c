# Runs a package's tests in the sandbox of `Pkg.test`, tracing what they compile.
#
#     julia --project=PROJECT -L julia/shadow.jl julia/test.jl NAME TRACE [JULIA-ARGUMENT...]
#
# Pkg makes the sandbox (the package, its dependencies and its test dependencies, at the project's versions) in a
# temporary folder and starts the tests in a Julia of their own there, to which `--trace-compile` is given. The project
# is not written to; `shadow.jl` sees to that where Pkg takes the project's own tests for part of a workspace (1.12), and needs no
# sandbox for them. Exits as `Pkg.test` does: with status 1 when the tests fail or the sandbox cannot be made.

using Pkg

include(joinpath(@__DIR__, "offline.jl"))

name, trace, arguments = ARGS[1], ARGS[2], ARGS[3:end]
julia_args = Cmd(String["--trace-compile=$trace"; arguments])
project_name = Pkg.Types.Context().env.project.name
if name == project_name
    Pkg.test(; julia_args = julia_args)
else
    Pkg.test(name; julia_args = julia_args)
end
