# Runs a package's tests in the sandbox of `Pkg.test`, tracing what they compile.
#
#     julia --project=PROJECT julia/test.jl NAME TRACE [JULIA-ARGUMENT...]
#
# Pkg makes the sandbox (the package, its dependencies and its test dependencies, at the project's versions) in a
# temporary folder and starts the tests in a Julia of their own there, to which `--trace-compile` is given. The project
# is not written to. Exits as `Pkg.test` does: with status 1 when the tests fail or the sandbox cannot be made.

using Pkg

# A registry update would make the build depend on the day and, without a network, wait for it. The name is internal;
# Pkg keeps it from 1.1 to 1.12 (`UPDATED_REGISTRY_THIS_SESSION` in Pkg.jl's src/Pkg.jl).
if isdefined(Pkg, :UPDATED_REGISTRY_THIS_SESSION)
    Pkg.UPDATED_REGISTRY_THIS_SESSION[] = true
end

# Pkg clones the General registry, hundreds of megabytes, into the user's depot when it finds no registry at all, even where
# the sandbox needs nothing that is not installed. An empty registry in a depot behind the others keeps it from that.
if !any(depot -> isdir(joinpath(depot, "registries")) && !isempty(readdir(joinpath(depot, "registries"))), DEPOT_PATH)
    let depot = mktempdir()
        mkpath(joinpath(depot, "registries", "Empty"))
        write(joinpath(depot, "registries", "Empty", "Registry.toml"), """
            name = "Empty"
            uuid = "6a6c7379-7300-4000-8000-656d70747921"
            repo = ""

            [packages]
            """)
        push!(DEPOT_PATH, depot)
    end
end

name, trace, arguments = ARGS[1], ARGS[2], ARGS[3:end]
julia_args = Cmd(String["--trace-compile=$trace"; arguments])
project_name = Pkg.Types.Context().env.project.name
if name == project_name
    Pkg.test(; julia_args = julia_args)
else
    Pkg.test(name; julia_args = julia_args)
end
