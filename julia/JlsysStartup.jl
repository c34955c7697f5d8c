# Loads the groups of the startup package, each when all the packages that it is about were loaded by the session (Julia 1.9 and
# later). waiting.jl loads this module when the first of these packages has come, and calls `start`.
#
# Julia tells of every package that it has loaded (`run_package_callbacks` in base/loading.jl), also of those that come along as
# dependencies, of extensions, and of what loads on a worker: after the package's `__init__` and its extensions, without the
# lock. What is done here does not go through `require`: nothing is looked for on the paths, nothing is ever precompiled, and nobody
# else is told. Julia judges each group as any cache of a package, by all that it depends on.

module JlsysStartup

"A group: its identity, its cache, how many of its packages are still to come, and their names."
mutable struct Group
    const package::Base.PkgId
    const cache::String
    awaited::Int
    const names::String
end

"The groups that wait for a package."
const WAITING = Dict{Base.PkgId,Vector{Group}}()

"The groups that are there: the names of their packages, how long each took to load, in nanoseconds, and, where that is measured, how much memory, in bytes."
const LOADED = Tuple{String,UInt64,Int}[]

"Whether memory is measured."
const MEASURES = Ref(false)

"Whether what goes wrong is to be said; and that once."
const SAYS = Ref(false)

"The project that the groups are for."
const PROJECT = Ref("")

"The source of every group."
const SOURCE = joinpath(@__DIR__, "JlsysGroup.jl")

"""
    start(folder, says, waiting)

Begin to wait, and give back the lock on loading, which is held. The file `groups` in `folder` has a line for each group: its UUID, its cache within the folder, and the UUID and the name of
each of its packages, with tabs between; one without packages is loaded at once. What the session has loaded already counts.
`waiting` is the package callback that called this, and is not needed any more.
"""
function start(folder::String, says::Bool, @nospecialize(waiting))
    unlock(Base.require_lock)
    hide(Base.PkgId(@__MODULE__))
    Base.JLOptions().use_compiled_modules == 0 && return nothing
    SAYS[] = says
    PROJECT[] = active_project()
    ready = Group[]
    for line in eachline(joinpath(folder, "groups"))
        fields = split(line, '\t')
        length(fields) >= 2 || continue
        packages = [Base.PkgId(Base.UUID(fields[i]), String(fields[i+1])) for i in 3:2:length(fields)-1]
        names = join([package.name for package in packages], ", ")
        group = Group(Base.PkgId(Base.UUID(fields[1]), "JlsysGroup"), joinpath(folder, String(fields[2])), 0, names)
        for package in packages
            haskey(Base.loaded_modules, package) && continue
            push!(get!(Vector{Group}, WAITING, package), group)
            group.awaited += 1
        end
        group.awaited == 0 && push!(ready, group)
    end
    # In its place, since Julia is just going through them.
    callbacks = Base.package_callbacks
    place = findfirst(callback -> callback === waiting, callbacks)
    place === nothing ? push!(callbacks, arrived) : (callbacks[place] = arrived)
    foreach(load, ready)
    return nothing
end

"What Julia calls when it has loaded a package."
function arrived(package::Base.PkgId)
    haskey(WAITING, package) || return nothing
    ready = Group[]
    lock(Base.require_lock)
    try
        for group in pop!(WAITING, package, Group[])
            group.awaited -= 1
            group.awaited == 0 && push!(ready, group)
        end
    finally
        unlock(Base.require_lock)
    end
    foreach(load, ready)
    return nothing
end

# As first.jl has it.
as_required(f, arguments...) =
    isdefined(Base, :_require_world_age) ? Base.invoke_in_world(Base._require_world_age[], f, arguments...) : f(arguments...)

# Since 1.13 a source is more than a path.
specification(path) = isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(path, VERSION) : path

"Loads a group, if it fits what the session has loaded. Whatever goes wrong, the session goes on without."
function load(group::Group)
    started, memory = time_ns(), resident_memory()
    lock(Base.require_lock)
    try
        any_build = UInt128(0)
        found = as_required(Base.stale_cachefile, group.package, any_build, specification(SOURCE), group.cache)
        if found isa Tuple
            dependencies, object = found[1]::Vector{Any}, found[2]
            # A dependency that the session has not loaded is not loaded for this.
            all(dependency -> dependency isa Module, dependencies) || return nothing
            loaded = as_required(Base._include_from_serialized, group.package, group.cache, object, dependencies)
            loaded isa Module || throw(loaded)
            hide(group.package)
            push!(LOADED, (group.names, time_ns() - started, resident_memory() - memory))
        else
            # Another project may have others of these packages.
            active_project() == PROJECT[] || return nothing
            say(group, "does not fit what this session has loaded; `jlsys build` builds it again")
        end
    catch error
        say(group, error)
    finally
        unlock(Base.require_lock)
    end
    return nothing
end

function resident_memory()
    MEASURES[] && isfile("/proc/self/statm") || return 0
    pages = parse(Int, split(read("/proc/self/statm", String))[2])
    return pages * Int(ccall(:jl_getpagesize, Clong, ()))
end

function active_project()
    project = Base.active_project()
    return project === nothing ? "" : project
end

"Takes one of ours out of what the session has loaded: it is no package of the session's."
function hide(package::Base.PkgId)
    Base.unreference_module(package)
    delete!(Base.pkgorigins, package)
    return nothing
end

# What it calls would be compiled into this package image, 1 MB of it, if this were compiled with the rest.
say(group::Group, @nospecialize(problem)) = (Base.invokelatest(tell, group.names, problem); nothing)

function tell(names, problem)
    SAYS[] || return
    SAYS[] = false
    text = problem isa Exception ? "does not load: " * first(split(sprint(showerror, problem), '\n')) : problem
    println(stderr, "jlsys: plain Julia: what was built for ", names, ' ', text)
end

precompile(start, (String, Bool, Any))
precompile(arrived, (Base.PkgId,))
precompile(load, (Group,))

end
