# Has Pkg write a project and its manifest, offline, and notes in the file SAID what Pkg then says is in it.
#
#     julia write.jl SAID PROJECT SOURCES PATH...
#
# Each of the folders PATH in SOURCES is developed; SOURCES/Cloned is committed to a repository and added from it.

using LibGit2, Pkg
include(joinpath(@__DIR__, "..", "..", "julia", "offline.jl"))

said, folder, sources, paths = ARGS[1], ARGS[2], ARGS[3], ARGS[4:end]

repository = joinpath(sources, "Cloned")
repo = LibGit2.init(repository)
LibGit2.add!(repo, "Project.toml", "src")
someone = LibGit2.Signature("Someone", "someone@example.org", 0, 0)
LibGit2.commit(repo, "All of it"; author = someone, committer = someone)
close(repo)

Pkg.activate(folder)
Pkg.develop([Pkg.PackageSpec(path = joinpath(sources, path)) for path in paths])
Pkg.add(Pkg.PackageSpec(path = repository))
# Of the standard library: in the stock image of every version; in none from 1.10 on; one that has dependencies. (Statistics
# and DelimitedFiles have versions of their own from 1.11 on, which are looked up in a registry.)
Pkg.add([Pkg.PackageSpec(name = name) for name in ("Dates", "SparseArrays", "Test")])

open(said, "w") do io
    println(io, "manifest\t", Pkg.Types.EnvCache().manifest_file)
    for (uuid, info) in Pkg.dependencies()
        deps = join(sort(string.(values(info.dependencies))), ' ')
        println(io, "package\t", uuid, '\t', info.name, '\t', something(info.version, ""), '\t', info.source, '\t',
                info.is_direct_dep, '\t', deps)
    end
end
