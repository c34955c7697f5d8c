# The session guard: what makes a session with an image do what plain Julia does.
#
# julia/object.jl includes this into Base, where no user's Main sees it, and calls `hold` before the image is written. What belongs to this
# module, too: sources.jl, about packages by path, and moved.jl, about Pkg.
#
# An image has its packages loaded when Julia starts, and runs all their `__init__`s before Julia can catch an error, knows its
# arguments or has its paths. Here they are held back instead: a session finds none of them loaded, and the first `using` of one
# brings it in with what it depends on, as plain Julia loads it: the manifest is asked first, then `__init__` runs, then packages
# that watch loading are told. A package that the manifest has elsewhere (another project, or Pkg changed it) stays held, and Julia
# loads the one that the manifest names.
#
# What of Julia's own code this rests on (1.5 to 1.13):
# - Loading asks whether a package is there already in one place: `root_module_exists` up to 1.10, `maybe_root_module` from 1.11 on
#   (base/loading.jl). That question is what brings a package in.
# - The `__init__`s that C code runs at start are those that the modules' bindings have when the image is written
#   (`jl_write_compiler_output` in src/precompile.c). A constant is never assigned, so the binding's word in memory is.
module JlsysGuard

using Base: PkgId

"A package that is in the image and that this session has not loaded."
struct Held
    mod::Module
    # Where it was loaded from when the image was made; `nothing` where that is not known.
    path::Union{Nothing,String}
    # Where in a depot that is, or in the standard library; `nothing`: it is a package by path.
    place::Union{Nothing,String}
    version::String
    # The packages of the image that it needs, directly.
    needs::Vector{PkgId}
    # Modules with their `__init__`s, in order. What has run is taken off.
    initializers::Vector{Pair{Module,Any}}
end

const held = Dict{PkgId,Held}()

# The same, also when they are loaded.
const known = Dict{PkgId,Held}()

# What was there before any package: the stock image's. Those stay as they are.
const stock = Set{PkgId}(keys(Base.loaded_modules))

# Projects of which it was said that they want other versions.
const told = Set{Any}()

# From 1.11 on Julia has a longer list of modules, of which those that are loaded are a part.
const has_precompiles = isdefined(Base, :loaded_precompiles)
const has_order = isdefined(Base, :loaded_modules_order)
const has_lock = isdefined(Base, :require_lock)
const has_origins = isdefined(Base, :pkgorigins)
const has_extensions = isdefined(Base, :insert_extension_triggers)
const has_callbacks = isdefined(Base, :run_package_callbacks)
const has_sysimage_modules = isdefined(Base, :_sysimage_modules)

# In place of an `__init__` while its package is held.
struct Later end
(::Later)() = nothing

# As the session starts, C code runs this among Julia's own `__init__`s. What it throws would end Julia.
function __init__()
    for key in keys(held)
        delete!(Base.loaded_modules, key)
        has_precompiles && delete!(Base.loaded_precompiles, key)
    end
    if has_order
        ours = Base.IdSet{Module}()
        for it in values(held)
            push!(ours, it.mod)
        end
        filter!(mod -> !(mod in ours), Base.loaded_modules_order)
    end
    atexit(look_at_end)
    return nothing
end

"Loads a package that is held, if it is the one that this session would load. Returns whether it is loaded now."
function bring(key::PkgId)
    haskey(held, key) || return false
    has_lock || return bring_alone(key)
    mine = Base.require_lock.locked_by === current_task()
    # `maybe_root_module` is also asked by who does not want to load anything. Loading holds the lock.
    mine || (has_precompiles && return false)
    mine || lock(Base.require_lock)
    try
        return bring_alone(key)
    finally
        mine || unlock(Base.require_lock)
    end
end

function bring_alone(key::PkgId)
    haskey(Base.loaded_modules, key) && return true
    look = Look()
    wanted = is_wanted(key, look)
    isempty(look.others) || say_others(look)
    wanted && load(key, look)
    return wanted
end

"What was found out for one `using`."
struct Look
    # Where the session has packages.
    places::Dict{PkgId,Union{Nothing,String}}
    # Whether they, and all that they need, are where the image has them from.
    judged::Dict{PkgId,Bool}
    # Those that are not.
    others::Vector{PkgId}
end
Look() = Look(Dict(), Dict(), [])

# Whether the package and all that it needs are those that the session would load.
function is_wanted(key::PkgId, look::Look)
    haskey(look.judged, key) && return look.judged[key]
    it = held[key]
    wanted = look.judged[key] = is_in_place(key, it, look)
    for need in it.needs
        # One that is loaded must be the image's.
        wanted &= haskey(held, need) ? is_wanted(need, look) : get(Base.loaded_modules, need, nothing) === modules[need]
    end
    return look.judged[key] = wanted
end

# All packages of the image.
const modules = Dict{PkgId,Module}()

# Whether the session finds the package where the image has it from.
function is_in_place(key::PkgId, it::Held, look::Look)
    # A process that precompiles is told which copies its parent has.
    for (other, build) in Base._concrete_dependencies
        other == key && build != Base.module_build_id(it.mod) && return false
    end
    today = look.places[key] = located(key)
    # It is not in this environment: Julia says what it says.
    today === nothing && return false
    it.path === nothing && return true
    is_same_place(key, it, today) && return true
    push!(look.others, key)
    return false
end

function located(key::PkgId)
    try
        return Base.locate_package(key)
    catch
        # A manifest that cannot be read is an error of the caller's, who reads it next.
        return nothing
    end
end

function is_same_place(key::PkgId, it::Held, today::String)
    it.place === nothing && return is_as_compiled(key, it.path, today)
    # The folder of a registered package, NAME/SLUG, is named after its content, in whatever depot; the standard library is Julia's.
    return it.path == today || it.place == shared_place(today) || is_same_file(it.path, today)
end

function load(key::PkgId, look::Look)
    it = held[key]
    # As in `_require`: only the package that was asked for is asked for on other workers.
    last = Base.toplevel_load[]
    Base.toplevel_load[] = false
    try
        for need in it.needs
            haskey(held, need) && !haskey(Base.loaded_modules, need) && load(need, look)
        end
        has_origins && set_origin(key, it, look.places[key])
        Base.register_root_module(it.mod)
        try
            unlocked() do
                initialize(it)
            end
        catch
            # The next `using` tries again.
            delete!(Base.loaded_modules, key)
            has_order && filter!(mod -> mod !== it.mod, Base.loaded_modules_order)
            rethrow()
        end
        delete!(held, key)
    finally
        Base.toplevel_load[] = last
    end
    has_extensions && Base.insert_extension_triggers(key)
    if has_callbacks
        Base.run_package_callbacks(key)
    else
        for callback in Base.package_callbacks
            Base.invokelatest(callback, key)
        end
    end
    return nothing
end

function set_origin(key::PkgId, it::Held, today)
    origin = get!(Base.PkgOrigin, Base.pkgorigins, key)
    origin.path = today
    # Revise has the files' names and texts from there. In another place it would watch the builder's.
    cache = origin.cachepath
    cache === nothing || (it.path == today && isfile(cache)) || (origin.cachepath = nothing)
    return
end

function unlocked(work)
    has_lock || return work()
    unlock(Base.require_lock)
    try
        return work()
    finally
        lock(Base.require_lock)
    end
end

function initialize(it::Held)
    for (mod, initializer) in it.initializers
        put_initializer(mod, Later(), initializer)
    end
    while !isempty(it.initializers)
        mod, initializer = first(it.initializers)
        try
            Base.invokelatest(initializer)
        catch error
            # As `jl_module_run_initializer` does.
            rethrow(InitError(nameof(mod), error))
        end
        popfirst!(it.initializers)
    end
end

# One line for each project, with what it wants otherwise.
function say_others(look::Look)
    ccall(:jl_generating_output, Cint, ()) == 0 || return
    project = Base.active_project()
    project in told && return
    push!(told, project)
    # All of them, also those that were not asked for yet.
    foreach(key -> is_wanted(key, look), collect(keys(held)))
    others = sort!(unique!(look.others); by = key -> key.name)
    # Pkg precompiles what it does not take for a part of the image.
    has_sysimage_modules && filter!(key -> !(key in others), Base._sysimage_modules)
    # `jlsys run -q`, or who started this process. Looked up in the session, not when the image is written.
    get(ENV, "JLSYS_QUIET", "") == "1" && return
    changes = String[]
    for key in others[1:min(end, 5)]
        ours, theirs = known[key].version, version_in(look.places[key])
        push!(changes, ours == theirs ? "another $(key.name) $theirs" : "$(key.name) $theirs (the image has $ours)")
    end
    length(others) > 5 && push!(changes, "$(length(others) - 5) more")
    folder = project === nothing ? "this project" : dirname(project)
    println(
        stderr,
        "jlsys: $folder wants $(join(changes, ", ")): ",
        changed_by_pkg(project) ?
        "this session goes on with what it has loaded, and loads the rest without the image; the next start there is plain Julia, until `jlsys build`" :
        "loaded without the image, with what depends on it; `jlsys build` there makes an image for it, `jlsys run --project` starts it, JLSYS_DISABLE=1 starts plain Julia",
    )
    return
end

function changed_by_pkg(project)
    try
        return changed_state(project) !== nothing
    catch
        return false
    end
end

# The version that the project file beside a package's source has.
function version_in(source::String)
    for name in ("JuliaProject.toml", "Project.toml")
        file = joinpath(dirname(dirname(source)), name)
        isfile(file) || continue
        for line in eachline(file)
            found = match(r"^\s*version\s*=\s*\"(.*?)\"", line)
            found === nothing || return String(found.captures[1])
        end
    end
    return "of another version"
end

# What follows runs in the process that writes the image.

"Makes the image hold back what this process has loaded. Called once, before it is written."
function hold()
    for (key, mod) in Base.loaded_modules
        key in stock || (modules[key] = mod)
    end
    for (key, mod) in modules
        path = origin_of(key)
        version = path === nothing ? "another version" : version_in(path)
        place = path === nothing ? nothing : shared_place(path)
        held[key] = known[key] = Held(mod, path, place, version, needs_of(key, mod), initializers_of(mod))
    end
    for it in values(held), (mod, initializer) in it.initializers
        compile(Tuple{Core.Typeof(initializer)})
        put_initializer(mod, initializer, Later())
    end
    if has_extensions
        # What waits for packages that are loaded waits again.
        empty!(Base.EXT_PRIMED)
        empty!(Base.EXT_DORMITORY)
        empty!(Base.EXT_DORMITORY_FAILED)
    end
    isdefined(Base, :explicit_loaded_modules) && foreach(key -> delete!(Base.explicit_loaded_modules, key), keys(modules))
    watch()
    hook()
    for signature in (
        Tuple{typeof(__init__)}, Tuple{typeof(bring),PkgId}, Tuple{typeof(bring_alone),PkgId}, Tuple{typeof(is_wanted),PkgId,Look},
        Tuple{typeof(is_in_place),PkgId,Held,Look}, Tuple{typeof(is_same_place),PkgId,Held,String}, Tuple{typeof(located),PkgId},
        Tuple{typeof(is_as_compiled),PkgId,String,String}, Tuple{typeof(is_unchanged),Source,String}, Tuple{typeof(shared_place),String},
        Tuple{typeof(load),PkgId,Look}, Tuple{typeof(initialize),Held}, Tuple{typeof(put_initializer),Module,Any,Any},
        Tuple{typeof(say_others),Look}, Tuple{typeof(changed_by_pkg),String},
        Tuple{typeof(Base.require),Module,Symbol}, Tuple{typeof(Base.require),PkgId},
    )
        compile(signature)
    end
    return nothing
end

# Makes loading ask `bring`. Julia's own code that had the answer compiled in is compiled again, so that no session has to.
function hook()
    question = has_precompiles ? Base.maybe_root_module : Base.root_module_exists
    method = which(question, (PkgId,))
    asking = callers_of(
        ccall(:jl_specializations_get_linfo, Any, (Any, Any, Any), method, method.sig, Core.svec())::Core.MethodInstance,
    )
    # 1.10 lets no method be overwritten where Julia writes output (`method_overwrite` in src/gf.c).
    Base.delete_method(method)
    if has_precompiles
        @eval Base function maybe_root_module(key::PkgId)
            mod = @lock require_lock get(loaded_modules, key, nothing)
            mod === nothing && JlsysGuard.bring(key) || return mod
            return @lock require_lock get(loaded_modules, key, nothing)
        end
    elseif has_lock
        @eval Base root_module_exists(key::PkgId) =
            (@lock require_lock haskey(loaded_modules, key)) || JlsysGuard.bring(key)
    else
        @eval Base root_module_exists(key::PkgId) = haskey(loaded_modules, key) || JlsysGuard.bring(key)
    end
    foreach(instance -> compile(instance.specTypes), asking)
end

# The method instances that another one is compiled into, or that call it, with theirs.
function callers_of(instance::Core.MethodInstance, found = Core.MethodInstance[])
    isdefined(instance, :backedges) || return found
    for caller in instance.backedges
        # From 1.12 on what was compiled of a method instance is named, or a signature before it.
        caller isa Core.CodeInstance && (caller = caller.def)
        caller isa Core.MethodInstance && caller.def isa Method && !(caller in found) || continue
        push!(found, caller)
        callers_of(caller, found)
    end
    return found
end

compile(signature) = ccall(:jl_compile_hint, Int32, (Any,), signature)

# The file that a package was loaded from: where the environment still has it. From 1.6 on Julia keeps it, too.
function origin_of(key::PkgId)
    path = located(key)
    (path === nothing && has_origins) || return path
    origin = get(Base.pkgorigins, key, nothing)
    return origin === nothing ? nothing : origin.path
end

# A module and all that are defined in it, parents last and otherwise in the order of their definition: the order in which Julia
# runs `__init__`s.
function modules_in(mod::Module, found = Module[])
    children = Module[]
    for name in unsorted_names(mod)
        isdefined(mod, name) && !Base.isdeprecated(mod, name) || continue
        child = getfield(mod, name)
        child isa Module && child !== mod && parentmodule(child) === mod && !(child in children) && push!(children, child)
    end
    # Up to 1.10 modules are numbered in the order of their making; later, names are kept in that of their first use.
    has_precompiles || sort!(children; by = number_of)
    foreach(child -> modules_in(child, found), children)
    return push!(found, mod)
end

unsorted_names(mod) = has_precompiles ? Base.unsorted_names(mod; all = true) : names(mod; all = true)

number_of(mod) = Base.module_build_id(mod) % UInt64

initializers_of(mod::Module) =
    Pair{Module,Any}[part => getfield(part, :__init__) for part in modules_in(mod) if isdefined(part, :__init__)]

# The packages of the image whose modules, or names of them, a package's modules have.
function needs_of(key::PkgId, mod::Module)
    needs = Set{PkgId}()
    note(other) = (root = PkgId(Base.moduleroot(other)); root != key && haskey(modules, root) && push!(needs, root))
    for part in modules_in(mod)
        foreach(note, ccall(:jl_module_usings, Any, (Any,), part))
        for name in names(part; all = true, imported = true)
            isdefined(part, name) && !Base.isdeprecated(part, name) || continue
            note(Base.binding_module(part, name))
            value = getfield(part, name)
            value isa Module && note(value)
        end
    end
    return sort!(collect(needs); by = string)
end

# Puts another value into the binding of a module's `__init__`. Whoever calls this keeps both values from being collected.
function put_initializer(mod::Module, from, to)
    # An imported one is its owner's.
    Base.binding_module(mod, :__init__) === mod || return
    word = binding_word(mod, ccall(:jl_value_ptr, Ptr{Cvoid}, (Any,), from))
    word == C_NULL || unsafe_store!(word, ccall(:jl_value_ptr, Ptr{Cvoid}, (Any,), to))
    return
end

# Where in memory the binding of a module's `__init__` has its value.
function binding_word(mod::Module, value::Ptr{Cvoid})
    binding = ccall(:jl_get_module_binding, Ptr{Ptr{Cvoid}}, (Any, Any, Cint), mod, :__init__, 0)
    binding == C_NULL && return binding
    @static if isdefined(Core, :BindingPartition)
        # From 1.12 on a binding has a value for each range of worlds.
        object = unsafe_pointer_to_objref(Ptr{Cvoid}(binding))::Core.Binding
        binding = Ptr{Ptr{Cvoid}}(pointer_from_objref(getfield(object, :partitions, :acquire)))
        return unsafe_load(binding) == value ? binding : Ptr{Ptr{Cvoid}}(C_NULL)
    end
    # Up to 1.8 its name comes first.
    for place in (binding, binding + sizeof(Ptr{Cvoid}))
        unsafe_load(place) == value && return place
    end
    return Ptr{Ptr{Cvoid}}(C_NULL)
end

end
