# Installs the stand-ins for IJulia and its ZMQ into the first depot, as `Pkg.add("IJulia")` would leave these, and the kernelspec as
# `IJulia.installkernel` writes it.
#
#     JULIA_DEPOT_PATH=DEPOT julia install.jl KERNELS LIBZMQ
#
# KERNELS is the folder that takes the kernelspec; LIBZMQ is the path of the library.

using SHA

const STAND_INS = [
    "IJulia" => Base.UUID("7073ff75-c697-5162-941a-fcdaad2a7d2a"),
    "ZMQ" => Base.UUID("c2297ded-f4af-51ae-bb23-16f91089e4e1"),
]
const STDLIB = Base.Sys.STDLIB

# Tests run side by side in one depot: nobody may see half of a file, nor one change that is the same as before.
function place(file, text)
    isfile(file) && read(file, String) == text && return
    mkpath(dirname(file))
    temporary = tempname(dirname(file))
    write(temporary, text)
    mv(temporary, file; force = true)
end

kernels, libzmq = ARGS
# Julia looks an installed package up by the hash of its Git tree, and does not compute it again.
function install(name, uuid)
    source = joinpath(@__DIR__, name)
    files = ["Project.toml"; [joinpath("src", file) for file in sort(readdir(joinpath(source, "src")))]]
    tree = bytes2hex(sha1(join(read(joinpath(source, file), String) for file in files)))
    folder = joinpath(first(DEPOT_PATH), "packages", name, Base.version_slug(uuid, Base.SHA1(tree)))
    for file in files
        place(joinpath(folder, file), read(joinpath(source, file), String))
    end
    return tree
end

# The manifest: the stand-ins, and what they need of the standard library, as that library's own project files have it.
readdeps(file) = begin
    section = match(r"\[deps\]\n(.*?)(\n\[|\z)"s, read(file, String))
    section === nothing ? Pair{String,String}[] :
    [String(m[1]) => String(m[2]) for m in eachmatch(r"^(\w+)\s*=\s*\"([0-9a-f-]+)\""m, section[1])]
end
needed = Dict{String,String}()
function need(deps)
    for (name, uuid) in deps
        (haskey(needed, name) || haskey(Dict(STAND_INS), name)) && continue
        needed[name] = uuid
        need(readdeps(joinpath(STDLIB, name, "Project.toml")))
    end
end
direct = Dict(name => readdeps(joinpath(@__DIR__, name, "Project.toml")) for (name, _) in STAND_INS)
foreach(need, values(direct))
environment = joinpath(first(DEPOT_PATH), "environments", "v$(VERSION.major).$(VERSION.minor)")
place(joinpath(environment, "Project.toml"), "[deps]\nIJulia = \"$(last(STAND_INS[1]))\"\n")
prefix = VERSION >= v"1.7" ? "deps." : ""
place(joinpath(environment, "Manifest.toml"), sprint() do io
    VERSION >= v"1.7" && println(io, "julia_version = \"$VERSION\"\nmanifest_format = \"2.0\"\n")
    entry(name, deps) = println(io, "[[", prefix, name, "]]", isempty(deps) ? "" : "\ndeps = $(repr([first(d) for d in deps]))")
    for (name, uuid) in STAND_INS
        entry(name, direct[name])
        println(io, "uuid = \"$uuid\"\nversion = \"0.0.1\"\ngit-tree-sha1 = \"$(install(name, uuid))\"\n")
    end
    for name in sort(collect(keys(needed)))
        entry(name, readdeps(joinpath(STDLIB, name, "Project.toml")))
        println(io, "uuid = \"$(needed[name])\"\n")
    end
end)

spec = joinpath(kernels, "julia-$(VERSION.major).$(VERSION.minor)")
julia = joinpath(Sys.BINDIR, Base.julia_exename())
place(joinpath(spec, "kernel.json"), """
    {
      "argv": [$(repr(julia)), "-i", "--color=yes", "--project=@.", "-e", "import IJulia; IJulia.run_kernel()", "{connection_file}"],
      "display_name": "Julia $VERSION",
      "language": "julia",
      "env": {"IJULIA_LIBZMQ": $(repr(libzmq)), "LD_LIBRARY_PATH": $(repr(dirname(libzmq)))},
      "interrupt_mode": "signal"
    }
    """)
