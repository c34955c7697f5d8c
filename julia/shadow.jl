# Has Pkg write into a copy what a workload changes about a project.
#
#     julia --trace-compile=TRACE -L julia/shadow.jl …
#
# A notebook that begins with `Pkg.add` or `Pkg.update`, or a script that activates a project and instantiates it, runs here
# to be looked at: the user's project files must stay as they are. Pkg writes them with two methods, from 1.5 to 1.13
# `write_project(::Dict, ::AbstractString)` (src/project.jl) and `write_manifest(::Dict, ::AbstractString)` (src/manifest.jl);
# a method of each for `Dict{String}` and `String` is put before them. The first thing that would change a project makes a copy of its
# environment in the workload's own temporary folder, `TMPDIR`; that is written to, and is the active project from then on, also
# when the workload activates the project once more. What lies beside the project file is there in the copy too, by links.
# Until then, and in a workload that changes nothing, the project is the user's own. What is in `TMPDIR` anyhow, such as the
# sandbox of `Pkg.test`, is left to Pkg. Preferences.jl, which writes project files itself, is led to the copy as well.
#
# Noted are the projects that become active (`activated`) and those that were to be changed (`changed`).
#
# Like in `compiling.jl`, nothing is bound in Main. A Julia that the workload starts is not watched.

Core.eval(Base.__toplevel__, :(module JlsysShadow

include(joinpath(@__DIR__, "notes.jl"))

const PKG = Base.PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg")
const PREFERENCES = Base.PkgId(Base.UUID("21216c6a-2e73-6563-6e65-726566657250"), "Preferences")

# The file as it is without links; it need not exist. Pkg, too, goes by that (`safe_realpath`).
function settled(path)
    path = abspath(path)
    ispath(path) && return realpath(path)
    folder = dirname(path)
    return folder == path ? path : joinpath(settled(folder), basename(path))
end

const TEMPORARY = joinpath(settled(tempdir()), "")

is_temporary(file) = startswith(file, TEMPORARY)

# Files of users' projects, and what is written and read in their place.
const COPIES = Dict{String,String}()

const NOTED = Set{Tuple{String,String}}()

function note_once(word, file)
    (word, file) in NOTED && return
    push!(NOTED, (word, file))
    note(word, file)
end

pkg() = Base.loaded_modules[PKG]

parse_file(file) = pkg().TOML.parsefile(file)

const ENVIRONMENT_FILE = r"^(Julia)?(Project|Manifest(-v[0-9.]+)?|LocalPreferences)\.toml$"

# What is relative to a project file, or to the folder of a manifest, still leads there from the copy. Whether there was any.
function make_absolute!(raw::Dict, folder, is_project)
    found = false
    if is_project
        for source in values(get(raw, "sources", Dict()))
            found |= make_absolute!(source, folder)
        end
        # The project's own code (`project_file_path` in base/loading.jl): a package at another path would precompile anew.
        code = joinpath(folder, "src", string(get(raw, "name", ""), ".jl"))
        if haskey(raw, "path")
            found |= make_absolute!(raw, folder)
        elseif haskey(raw, "uuid") && !haskey(raw, "entryfile") && isfile(code)
            raw["path"] = code
            found = true
        end
        # The manifest's copy is beside the project's.
        found |= pop!(raw, "manifest", nothing) !== nothing
    else
        for entries in values(get(raw, "deps", raw)), entry in (entries isa Vector ? entries : [])
            found |= make_absolute!(entry, folder)
        end
    end
    return found
end

function make_absolute!(entry, folder)
    path = entry isa Dict ? get(entry, "path", nothing) : nothing
    (path isa AbstractString && !isabspath(path)) || return false
    entry["path"] = normpath(joinpath(folder, path))
    return true
end

# The methods that are Pkg's own.
write_project(raw, file) = invoke(pkg().Types.write_project, Tuple{Dict,AbstractString}, raw, file)
write_manifest(raw, file) = invoke(pkg().Types.write_manifest, Tuple{Dict,AbstractString}, raw, file)

function copy_file(file, copy, is_project)
    COPIES[file] = copy
    isfile(file) || return
    raw = try
        parse_file(file)
    catch
        # Whoever reads it says what is wrong with it.
        nothing
    end
    if raw isa Dict && make_absolute!(raw, dirname(file), is_project)
        (is_project ? write_project : write_manifest)(raw, copy)
    else
        cp(file, copy; force = true)
    end
end

# A folder in which the projects' files are copies, and all else is a link.
function mirror(folder, copy, projects)
    mkpath(copy)
    for name in (isdir(folder) ? readdir(folder) : String[])
        file, target = joinpath(folder, name), joinpath(copy, name)
        if file in projects || (occursin(ENVIRONMENT_FILE, name) && isfile(file))
            copy_file(file, target, file in projects || occursin("Project", name))
        elseif isdir(file) && any(project -> startswith(project, joinpath(file, "")), projects)
            mirror(file, target, projects)
        else
            symlink(file, target)
        end
    end
end

# Copies the environment of a project, with the workspace that it is in (1.12).
function copy_environment(project)
    environment = pkg().Types.EnvCache(project)
    manifest = settled(environment.manifest_file)
    projects, folder = [project], dirname(project)
    if isdefined(environment, :workspace) && !isempty(environment.workspace)
        append!(projects, settled.(keys(environment.workspace)))
        folder = dirname(manifest)
    end
    copy = mktempdir(TEMPORARY)
    mirror(folder, copy, projects)
    # Also where there is none yet.
    COPIES[project] = joinpath(copy, relpath(project, folder))
    if !haskey(COPIES, manifest) || dirname(manifest) != folder
        copy_file(manifest, joinpath(copy, "Manifest.toml"), false)
    end
end

# Folders that were not there when they became the active project's.
const NEW_FOLDERS = Set{String}()

# What is written in place of a file of a user's project.
function copy_of(file, is_project)
    get!(COPIES, file) do
        project = is_project ? file : project_with(file)
        haskey(COPIES, project) || copy_environment(project)
        note_once("changed", project)
        get(COPIES, file, joinpath(dirname(COPIES[project]), basename(file)))
    end
end

function project_with(manifest)
    active = Base.active_project()
    if active !== nothing && settled(pkg().Types.EnvCache(active).manifest_file) == manifest
        return settled(active)
    end
    candidates = joinpath.(dirname(manifest), Base.project_names)
    return candidates[something(findfirst(isfile, candidates), length(candidates))]
end

# In place of Pkg's own methods.
function write_aside(write, raw, file, is_project)
    file = settled(file)
    is_temporary(file) && return write(raw, file)
    if !haskey(COPIES, file)
        is_in(raw, file, write) && return
    end
    copy = copy_of(file, is_project)
    raw = deepcopy(raw)
    make_absolute!(raw, dirname(file), is_project)
    write(raw, copy)
    # Pkg makes the folder of a new project before it writes.
    folder = dirname(file)
    folder in NEW_FOLDERS && isdir(folder) && isempty(readdir(folder)) && rm(folder)
    follow()
    return
end

# Whether a file already says so. Before 1.7 Pkg writes what did not change, too.
function is_in(raw, file, write)
    isfile(file) || return false
    draft = tempname()
    write(raw, draft)
    try
        return parse_file(draft) == parse_file(file)
    catch
        return false
    finally
        rm(draft)
    end
end

# Goes from the active project to its copy, if there is one.
function follow()
    active = Base.active_project()
    copy = active === nothing ? nothing : get(COPIES, settled(active), nothing)
    copy === nothing || (Base.ACTIVE_PROJECT[] = copy)
    return
end

# A project became the active one.
function activated()
    active = Base.active_project()
    active === nothing && return
    file = settled(active)
    is_temporary(file) || note_once("activated", file)
    isdir(dirname(file)) || push!(NEW_FOLDERS, dirname(file))
    follow()
end

# Before something else than Pkg writes the files of the active project.
function set_active_aside()
    haskey(Base.loaded_modules, PKG) || Base.require(PKG)
    active = Base.active_project()
    active === nothing && return
    file = settled(active)
    is_temporary(file) && return
    copy_of(file, true)
    follow()
end

function watch_pkg(Pkg)
    Core.eval(@__MODULE__, :(const Pkg = $Pkg))
    include(joinpath(@__DIR__, "offline.jl"))
    for (name, own, is_project) in ((:write_project, write_project, true), (:write_manifest, write_manifest, false))
        hasmethod(getfield(Pkg.Types, name), Tuple{Dict,AbstractString}) || continue
        Core.eval(Pkg.Types, :($name(raw::Dict{String}, file::String) = $write_aside($own, raw, file, $is_project)))
    end
    # The last thing that every `activate` does, from 1.4 to 1.13; called without arguments nowhere else.
    if isdefined(Pkg.API, :add_snapshot_to_undo) && hasmethod(Pkg.API.add_snapshot_to_undo, Tuple{Nothing})
        Core.eval(Pkg.API, :(add_snapshot_to_undo() = ($activated(); add_snapshot_to_undo(nothing))))
    end
end

function watch_preferences(Preferences)
    for subject in (Base.UUID, Tuple{Base.UUID,String})
        signature = Tuple{subject,Vararg{Pair{String,<:Any}}}
        hasmethod(Preferences.set_preferences!, signature) || continue
        Core.eval(Preferences, quote
            function set_preferences!(subject::$subject, first::Pair{String,<:Any}, rest::Pair{String,<:Any}...; options...)
                $set_active_aside()
                invoke(set_preferences!, $signature, subject, first, rest...; options...)
            end
        end)
    end
end

# What cannot be watched is no reason to end a workload.
function watch(package)
    package == PKG || package == PREFERENCES || return
    try
        loaded = Base.loaded_modules[package]
        package == PKG ? Base.invokelatest(watch_pkg, loaded) : Base.invokelatest(watch_preferences, loaded)
    catch error
        note("unwatched", string(package.name, ": ", sprint(showerror, error)))
    end
    return
end

# Up to 1.10 Pkg is in the stock image.
haskey(Base.loaded_modules, PKG) && watch(PKG)
push!(Base.package_callbacks, watch)
# `Base.set_active_project` (1.8).
isdefined(Base, :active_project_callbacks) && push!(Base.active_project_callbacks, activated)
# Whoever sets `Base.ACTIVE_PROJECT` is heard of at the end.
atexit(activated)

end))
