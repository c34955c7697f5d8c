# Loads the groups of the startup package, each when all the packages that it is about were loaded by the session (Julia 1.9 and
# later). waiting.jl loads this module when the first of these packages has come, and calls `start`.
#
# Julia tells of every package that it has loaded (`run_package_callbacks` in base/loading.jl), also of those that come along as
# dependencies, of extensions, and of what loads on a worker: after the package's `__init__` and its extensions, without the
# lock. What is done here does not go through `require`: nothing is looked for on the paths, nothing is ever precompiled, and nobody
# else is told. Julia judges each group as any cache of a package, by all that it depends on.
#
# Every session that loads such a package pays for this one, and on 1.10 not by its code, which is 10 KB: with a call that inference can see, Julia
# writes down what that calls in turn, to its end, and looks at each of these when the package image is loaded (`jl_record_edges` in
# src/staticdata_utils.c). `unlock` alone came to 320 KB, all of it to 864 KB and 10 ms. So inference sees as little as possible (`hidden`), of what
# is called Julia's own image has most compiled for these types in 1.10 and 1.12 (`--trace-compile=stderr` shows what it has not), and
# nothing has a docstring.

module JlsysStartup

# This package.
const PACKAGE = Base.PkgId(@__MODULE__)

# A group: its identity, its cache, the packages that are still to come, the names of all, and whether it is about packages that somebody works on.
mutable struct Group
    const package::Base.PkgId
    const cache::String
    const awaited::Vector{Any}
    const names::String
    const is_own::Bool
end

# The groups that wait for packages.
const WAITING = Any[]

# The groups that are there: the names of their packages, how long each took to load, in microseconds of processor time, and, where that is measured, how much memory, in bytes.
const LOADED = Any[]

# Their packages and modules, one after the other.
const MODULES = Any[]

# The groups for which all packages have come, in the order in which they are to be loaded: what one rests on comes before it.
const READY = Any[]

# Whether memory is measured.
const MEASURES = Ref(false)

# Whether what goes wrong is to be said; and that once.
const SAYS = Ref(false)

# What `stale_cachefile` calls, with its one keyword before the arguments, where that is to be called; else `nothing`.
const JUDGE = Ref{Any}(nothing)

# The project that the groups are for.
const PROJECT = Ref("")

# The folder of the startup package.
const FOLDER = Ref("")

# Julia's workers, and the numbers of those that wait for packages as this session does.
const DISTRIBUTED = Base.PkgId(Base.UUID("8ba89e20-285c-5b6f-9357-94700520ee1b"), "Distributed")
const WAITING_WORKERS = Any[]

# The source of every group; since 1.13 a source is more than a path.
const SOURCE = let path = joinpath(@__DIR__, "JlsysGroup.jl")
    isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(path, VERSION) : path
end

# The same function, and inference does not see which.
@inline hidden(@nospecialize(f)) = Base.inferencebarrier(f)

# What `unlock` calls, where Julia's own image has that compiled, and not `unlock` (1.10); else `nothing`.
const UNLOCK = let names = v"1.10-" <= VERSION < v"1.11-" ? filter(name -> startswith(string(name), "#_unlock#"), names(Base; all = true)) : Symbol[]
    closure = length(names) == 1 && isdefined(Base, :_trylock) ? getfield(Base, names[1]) : nothing
    closure isa DataType && isdefined(closure, :instance) ? closure.instance : nothing
end

# `lock(Base.require_lock)`
function take_lock()
    taking, task = Base.require_lock, current_task()
    UNLOCK !== nothing && taking.locked_by !== task && hidden(Base._trylock)(taking, task)::Bool && return nothing
    hidden(lock)(taking)
    return nothing
end

# `unlock(Base.require_lock)`, when this task has it.
function give_lock()
    if UNLOCK === nothing
        hidden(unlock)(Base.require_lock)
    elseif hidden(UNLOCK)(Base.require_lock)::Bool
        Base.GC.enable_finalizers()
    end
    return nothing
end

# Begins to wait, and gives back the lock on loading, which is held. The file `groups` in `folder` is `(GROUP, …)`, and each group a tuple of strings:
# its UUID, its cache within the folder, the names of its packages in one, `own` or nothing, and the UUID and the name of each; one without packages is
# loaded at once. What the session has loaded already counts. `waiting` is the package callback that called this, and is not needed any more. `judge`: as first.jl
# has it.
function start(folder::String, says::Bool, @nospecialize(waiting), @nospecialize(judge))
    give_lock()
    hide(PACKAGE)
    Base.JLOptions().use_compiled_modules == 0 && return nothing
    SAYS[] = says
    JUDGE[] = judge
    PROJECT[] = active_project()
    FOLDER[] = folder
    for said in (hidden(Meta.parse)(read_file(joined(folder, "groups")))::Expr).args
        fields = (said::Expr).args
        awaited = Any[]
        i = 5
        while i < length(fields)
            package = package_of(fields[i], fields[i+1])
            hidden(Base.root_module_exists)(package)::Bool || hidden(push!)(awaited, package)
            i += 2
        end
        group = Group(package_of(fields[1], "JlsysGroup"), joined(folder, fields[2]), awaited, fields[3]::String, fields[4] === "own")
        hidden(push!)(isempty(awaited) ? READY : WAITING, group)
    end
    # In its place, since Julia is just going through them.
    callbacks = Base.package_callbacks::Vector{Any}
    is_replaced = false
    for i in 1:length(callbacks)
        callbacks[i] === waiting || continue
        callbacks[i] = arrived
        is_replaced = true
    end
    is_replaced || hidden(push!)(callbacks, arrived)
    load_all()
    has_workers() && hidden(begin_on_workers)()
    return nothing
end

joined(folder::String, @nospecialize(name)) = hidden(string)(hidden(string)(folder, "/")::String, name::String)::String

read_file(path::String) = hidden(read)(path, String)::String

package_of(@nospecialize(uuid), @nospecialize(name)) = Base.PkgId(hidden(Base.UUID)(uuid)::Base.UUID, name::String)

# What Julia calls when it has loaded a package.
function arrived(package::Base.PkgId)
    take_lock()
    try
        still = 0
        for i in 1:length(WAITING)
            group = WAITING[i]::Group
            is_ready = false
            for j in 1:length(group.awaited)
                group.awaited[j] === package || continue
                group.awaited[j] = nothing
                is_ready = is_complete(group)
            end
            is_ready ? hidden(push!)(READY, group) : (WAITING[still+=1] = group)
        end
        hidden(resize!)(WAITING, still)
    finally
        give_lock()
    end
    load_all()
    has_workers() && hidden(begin_on_workers)()
    return nothing
end

# Whether `addprocs` may have been called. It has Julia call Distributed, too, for every package that is loaded.
function has_workers()
    callbacks = Base.package_callbacks::Vector{Any}
    for i in 1:length(callbacks)
        kind = typeof(callbacks[i])
        kind isa DataType && kind.name.name === Symbol("#_require_callback") && return true
    end
    return false
end

# Workers load what their master loads, just after this. No option of Julia's tells them to wait before that.
function begin_on_workers()
    distributed = Base.loaded_modules[DISTRIBUTED]
    distributed.myid() == 1 || return
    new = filter(id -> !(id in WAITING_WORKERS), distributed.workers())
    append!(WAITING_WORKERS, new)
    # Without a word: the master says what there is to say. A worker may be on another machine, and with `-p` it waits already.
    file = joined(FOLDER[], "start-quietly.jl")
    code = :(isdefined(Base, :JlsysWaiting) || !isfile($file) || Base.include(Main, $file); nothing)
    try
        distributed.remotecall_eval(Main, new, code)
    catch
        # Such a worker loads its packages as in plain Julia.
    end
    return
end

# Whether all packages of a group have come; of those that have, `nothing` is left.
function is_complete(group::Group)
    for package in group.awaited
        package === nothing || return false
    end
    return true
end

# One after the other, also where several tasks load packages.
function load_all()
    isempty(READY) && return nothing
    take_lock()
    try
        while !isempty(READY)
            load(hidden(popfirst!)(READY)::Group)
        end
    finally
        give_lock()
    end
    return nothing
end

# As first.jl has it.
as_required(@nospecialize(f), @nospecialize(arguments...)) = isdefined(Base, :_require_world_age) ?
    hidden(Base.invoke_in_world)(Base._require_world_age[], f, arguments...) : hidden(f)(arguments...)

# What Julia has to say about a cache of a group. Meanwhile those that are there are packages like others, since it may rest on some.
function judged(package::Base.PkgId, cache::String)
    for i in 1:2:length(MODULES)
        hidden(setindex!)(Base.loaded_modules, MODULES[i+1], MODULES[i])
    end
    try
        return judged_by_julia(package, cache)
    finally
        for i in 1:2:length(MODULES)
            Base.unreference_module(MODULES[i]::Base.PkgId)
        end
    end
end

function judged_by_julia(package::Base.PkgId, cache::String)
    any_build = UInt128(0)
    judge = JUDGE[]
    judge === nothing && return as_required(Base.stale_cachefile, package, any_build, SOURCE, cache)
    return as_required(judge, false, Base.stale_cachefile, package, any_build, SOURCE, cache)
end

# Loads a group, if it fits what the session has loaded. Whatever goes wrong, the session goes on without.
function load(group::Group)
    started, memory = processor_time(), resident_memory()
    take_lock()
    try
        found = judged(group.package, group.cache)
        if found isa Tuple
            dependencies, object = getfield(found, 1)::Vector{Any}, getfield(found, 2)
            # A dependency that the session has not loaded is not loaded for this.
            for dependency in dependencies
                dependency isa Module || return nothing
            end
            loaded = as_required(Base._include_from_serialized, group.package, group.cache, object, dependencies)
            loaded isa Module || throw(loaded)
            hide(group.package)
            hidden(push!)(MODULES, group.package)
            hidden(push!)(MODULES, loaded)
            hidden(push!)(LOADED, (group.names, processor_time() - started, resident_memory() - memory))
        else
            # Another project may have others of these packages, and an edit is no fault.
            (group.is_own || active_project() != PROJECT[]) && return nothing
            say(group, "does not fit what this session has loaded; `jlsys build` builds it again")
        end
    catch error
        say(group, error)
    finally
        give_lock()
    end
    return nothing
end

# Of all threads. What else the machine does must not decide whether a group is worth having.
processor_time() = ccall(:clock, Clong, ())

resident_memory() = MEASURES[] ? hidden(measured_memory)()::Int : 0

function measured_memory()
    isfile("/proc/self/statm") || return 0
    pages = parse(Int, split(read("/proc/self/statm", String))[2])
    return pages * Int(ccall(:jl_getpagesize, Clong, ()))
end

# With the default it is compiled in Julia's own image as well, without in 1.12 alone.
function active_project()
    project = hidden(Base.active_project)(true)
    return project isa String ? project : ""
end

# Takes one of ours out of what the session has loaded: it is no package of the session's.
function hide(package::Base.PkgId)
    Base.unreference_module(package)
    delete!(Base.pkgorigins, package)
    return nothing
end

say(group::Group, @nospecialize(problem)) = (hidden(tell)(group.names, problem); nothing)

function tell(names, problem)
    SAYS[] || return
    SAYS[] = false
    text = problem isa Exception ? "does not load: " * first(split(sprint(showerror, problem), '\n')) : problem
    println(stderr, "jlsys: plain Julia: what was built for ", names, ' ', text)
end

# What was compiled so far ran once, here.
for inferred in (isdefined(Base, :newly_inferred) ? Base.newly_inferred : nothing, # since 1.12
                 isdefined(Core.Compiler, :newly_inferred) ? Core.Compiler.newly_inferred : nothing)
    inferred === nothing || empty!(inferred)
end

precompile(start, (String, Bool, Any, Any))
precompile(arrived, (Base.PkgId,))
precompile(load, (Group,))
precompile(as_required, (Any, Any, Vararg{Any}))

end
