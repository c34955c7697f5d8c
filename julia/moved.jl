# Says when Pkg changed the session's project; part of the session guard (guard.jl).
#
# Plain Julia goes on with what it has loaded, and starts with the new versions. So does a session with an image, but its next start has no
# image. Pkg tells nobody what it did, and to put methods of ours before Pkg's would have all of Pkg compiled anew. It does keep the
# states of each project for `Pkg.undo` (1.5 to 1.13). These are looked at when a cell of a notebook has run, when a line is entered at a
# terminal, and when the session ends.

const PKG = PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg")
const IJULIA = PkgId(Base.UUID("7073ff75-c697-5162-941a-fcdaad2a7d2a"), "IJulia")

# The last state of a project that was looked at.
const looked_at = Ref{Any}(nothing)

"Says what the project wants otherwise, if Pkg changed it."
function look_at_project()
    try
        state = changed_state(Base.active_project())
        (state === nothing || state === looked_at[]) && return
        looked_at[] = state
        look = Look()
        foreach(key -> is_in_place(key, known[key], look), collect(keys(known)))
        isempty(look.others) || say_others(look)
    catch
        # Pkg's own may look different one day.
    end
    return
end

"The state in which Pkg left the project, if it changed it in this session."
function changed_state(project)
    pkg = get(Base.loaded_modules, PKG, nothing)
    (pkg === nothing || project === nothing) && return nothing
    states = newest(newest(pkg, :API), :undo_entries)
    # Not by `isempty` nor `states.count`, which every session would compile for this type as it ends.
    getfield(states, :count) === 0 && return nothing
    for name in (project, ispath(project) ? realpath(project) : project)
        # Nor by `get` where there is none: in 1.12 Pkg has states from where it was compiled.
        is_among(getfield(states, :keys), name) || continue
        state = get(states, name, nothing)
        # The first one is what Pkg found.
        state === nothing || length(state.entries) < 2 || return state.entries[state.idx]
    end
    return nothing
end

is_among(names, name::String) = any(at -> isassigned(names, at) && names[at] == name, 1:length(names))

# From 1.12 on who asks sees what is as old as itself, and a module may be newer.
@static if isdefined(Core, :BindingPartition)
    newest(mod, name) = Base.invokelatest(getfield, mod, name)
else
    newest(mod, name) = getfield(mod, name)
end

# Workers and processes that precompile have no project of their own.
is_on_its_own() = Base.JLOptions().worker == 0 && ccall(:jl_generating_output, Cint, ()) == 0

look_at_end() = is_on_its_own() ? look_at_project() : nothing

# What is entered goes through this before it is evaluated.
function look_at_input(@nospecialize(code))
    look_at_project()
    return code
end

# As the REPL starts, before it copies its list.
function watch_terminal(repl)
    owner = parentmodule(typeof(repl))
    isdefined(owner, :repl_ast_transforms) || return
    transforms = newest(owner, :repl_ast_transforms)
    look_at_input in transforms || push!(transforms, look_at_input)
    return
end

# Hears of every package that is loaded.
function watch_package(key::PkgId)
    key == PKG && has_sysimage_modules && free_versions()
    key == IJULIA && watch_notebook()
    return
end

function watch_notebook()
    mod = Base.loaded_modules[IJULIA]
    isdefined(mod, :push_postexecute_hook) &&
        Base.invokelatest(newest(mod, :push_postexecute_hook), look_at_project)
    return
end

# From 1.9 on Pkg keeps to the versions that an image has. Here they bind nobody: what the manifest has otherwise is loaded from there.
function free_versions()
    mod = get(Base.loaded_modules, PKG, nothing)
    mod !== nothing && isdefined(mod, :RESPECT_SYSIMAGE_VERSIONS) && (getfield(mod, :RESPECT_SYSIMAGE_VERSIONS)[] = false)
    return
end

"Has sessions look. Called once, before the image is written."
function watch()
    free_versions()
    push!(Base.package_callbacks, watch_package)
    push!(Base.repl_hooks, watch_terminal)
    for signature in (
        Tuple{typeof(look_at_project)}, Tuple{typeof(changed_state),String}, Tuple{typeof(newest),Any,Symbol}, Tuple{typeof(look_at_end)},
        Tuple{typeof(look_at_input),Any}, Tuple{typeof(watch_terminal),Any},
        Tuple{typeof(is_among),typeof(getfield(Dict{String,Any}(), :keys)),String},
        Tuple{typeof(watch_package),PkgId}, Tuple{typeof(watch_notebook)}, Tuple{typeof(free_versions)}, Tuple{typeof(atexit),typeof(look_at_end)},
    )
        compile(signature)
    end
    return
end
