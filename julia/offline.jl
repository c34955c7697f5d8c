# Keeps Pkg from the network where what it does needs no registry; included by the drivers that have `Pkg` loaded.

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
