# What the image's packages by path were compiled from; part of the session guard (guard.jl).
#
# The folder of a registered package is named after its content. That of a package by path says nothing: another clone or worktree of
# the same project has other code at the same place of the project. So the files that Julia read are noted, and a session compares.

"A file that a package by path was compiled from."
struct Source
    # As the image was built, and from the folder of the package's entry file.
    built::String
    path::String
    # In the package's own folder. What is not may have stayed where it was.
    is_inside::Bool
    size::Int64
    changed::Float64
    digest::UInt32
end

# Of the packages by path.
const sources = Dict{PkgId,Vector{Source}}()

"Whether the package at `today` has the code that the image has. Where the files are the ones of then, no content is read."
function is_as_compiled(key::PkgId, built::String, today::String)
    files = get(sources, key, nothing)
    files === nothing && return is_same_file(built, today)
    folder = dirname(today)
    return all(file -> is_unchanged(file, folder), files)
end

function is_unchanged(file::Source, folder::String)
    path = normpath(joinpath(folder, file.path))
    file.is_inside || ispath(path) || (path = file.built)
    now = stat(path)
    ispath(now) || return false
    isdir(now) || filesize(now) == file.size || return false
    path == file.built && filesize(now) == file.size && mtime(now) == file.changed && return true
    return try
        digest_of(path) == file.digest
    catch
        false
    end
end

# Of a folder the names in it count.
digest_of(path) = Base._crc32c(isdir(path) ? join(sort!(readdir(path)), '\0') : read(path))

is_same_file(one, other) = one == other || (ispath(one) && ispath(other) && realpath(one) == realpath(other))

"""
Where a package is in a depot, or in the standard library, as any other depot or Julia has it, too; `nothing`: it is by path.
"""
function shared_place(path::String)
    path = normpath(path)
    for depot in DEPOT_PATH
        place = below(joinpath(abspath(depot), "packages"), path)
        place === nothing || return joinpath("packages", place)
    end
    place = below(normpath(Sys.STDLIB), path)
    return place === nothing ? nothing : joinpath("stdlib", place)
end

# The part of a path that is below a folder.
function below(folder::String, path::String)
    start = joinpath(folder, "")
    return startswith(path, start) ? path[nextind(path, lastindex(start)):end] : nothing
end

# What follows runs in the process that writes the image.

"Notes what a package that was just loaded was compiled from, if it is one by path."
function note_sources(key::PkgId, read::Union{Nothing,Vector{String}})
    path = located(key)
    # Where it is not known what was read, none but the same folder will do.
    (path === nothing || read === nothing || shared_place(path) !== nothing) && return
    root = dirname(dirname(path))
    # Its version and what it depends on are in none of the files that Julia lists.
    projects = filter(isfile, [joinpath(root, name) for name in ("JuliaProject.toml", "Project.toml")])
    noted = Source[source(file, dirname(path), root) for file in unique!([path; projects; filter(ispath, read)])]
    sources[key] = noted
    return
end

function source(file::String, folder::String, root::String)
    is_inside = below(root, file) !== nothing
    # A cache may have been made when the package was found by another name.
    if !is_inside && below(realpath(root), realpath(file)) !== nothing
        is_inside = true
        file, folder = realpath(file), realpath(folder)
    end
    now = stat(file)
    return Source(file, relpath(file, folder), is_inside, filesize(now), mtime(now), digest_of(file))
end
