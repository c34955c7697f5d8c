# Finds out which packages of an image keep a place: a folder that is another for another user, machine or checkout.
#
#     julia -J IMAGE --project=PROJECT julia/places.jl PACKAGES PLACES RESULTS
#
# PACKAGES, as packages.jl says, are those of the image. Each line of PLACES is `name<TAB>path`: a folder as it was called when the
# image was written. The depots, the project and the home folder should be called something else in this process (by links), so that what `__init__` sets anew
# in each session is told from what the image keeps; what lies in a place called `-` is no harm. RESULTS gets a line
# `identity<TAB>name<TAB>where<TAB>text` for the first text in a package that has a place in it, and at the end `address-space<TAB>bytes`,
# where the system says, and `end`.
#
# A path is a String. What every package has of its place is none: file names of methods and of lines are Symbols. Strings
# that are no harm: the path of each docstring, and the file that a logging macro names.

# Before anything is loaded: what the start alone took.
const ADDRESS_SPACE = try
    line = filter(startswith("VmPeak:"), collect(eachline("/proc/self/status")))
    isempty(line) ? nothing : 1024 * parse(Int, split(line[1])[2])
catch
    nothing
end

# The modules of the image, which its guard holds until they are asked for (guard.jl).
const IN_IMAGE = isdefined(Base, :JlsysGuard) ? copy(Base.JlsysGuard.modules) : copy(Base.loaded_modules)

include(joinpath(@__DIR__, "packages.jl"))

struct Needle
    name::String
    path::String
end

"Which places are named in a text: of two that begin alike, the longer."
function places_in(text, needles, roots)
    any(root -> occursin(root, text), roots) || return String[]
    names, covered = String[], UnitRange{Int}[]
    for needle in needles, found in findall(needle.path, text)
        after = last(found) < ncodeunits(text) ? codeunit(text, last(found) + 1) : UInt8('/')
        # `/depot` is not in `/depot-2`.
        is_name(after) && continue
        any(range -> first(found) in range, covered) && continue
        push!(covered, first(found):last(found))
        needle.name == "-" || push!(names, needle.name)
    end
    return names
end

is_name(byte) = byte >= 0x80 || Char(byte) in ('-', '_', '.') || isletter(Char(byte)) || isdigit(Char(byte))

mutable struct Search
    needles::Vector{Needle}
    roots::Vector{String}
    seen::IdDict{Any,Nothing}
    # What is still to be looked at, with where it was found.
    left::Vector{Tuple{Any,String}}
    found::Dict{String,Tuple{String,String}}
    looked_at::Int
end

"More than any package should have. What is beyond it is not known, so that the image is taken to keep its place."
const MOST = 20_000_000

function look_at(search, value, place)
    (value isa Number || value isa Symbol || value isa Type || value isa Ptr || value === nothing) && return
    if value isa String
        for name in places_in(value, search.needles, search.roots)
            haskey(search.found, name) || (search.found[name] = (place, value))
        end
        return
    end
    isbits(value) && return
    # Modules and what Julia knows of methods are looked through by themselves, for the package that they belong to.
    (value isa Module || value isa Method || value isa Core.MethodInstance || value isa Core.MethodTable || value isa Core.TypeName ||
     value isa Task || value isa WeakRef || value isa GlobalRef || value isa LineNumberNode) && return
    haskey(search.seen, value) && return
    search.seen[value] = nothing
    push!(search.left, (value, place))
    return
end

function look_through(search)
    while !isempty(search.left)
        value, place = pop!(search.left)
        search.looked_at += 1
        search.looked_at > MOST && error("there is too much in it")
        if value isa Core.CodeInfo
            look_at_code(search, value, place)
        elseif value isa Core.SimpleVector
            foreach(i -> isassigned(value, i) && look_at(search, value[i], place), 1:length(value))
        elseif value isa Array || (isdefined(Core, :GenericMemory) && value isa Core.GenericMemory)
            isbitstype(eltype(value)) && continue
            foreach(i -> isassigned(value, i) && look_at(search, value[i], place), 1:length(value))
        else
            foreach(i -> isdefined(value, i) && look_at(search, getfield(value, i), place), 1:nfields(value))
        end
    end
end

# The macros of logging put the file's name into a variable of this name, beside others (`logmsg_code` in base/logging.jl).
is_log(slots) = :file in slots && :logger in slots && :_module in slots

function look_at_code(search, code, place)
    slots = code.slotnames
    logs = is_log(slots)
    for statement in code.code
        if logs && statement isa Expr && statement.head === :(=) && statement.args[1] isa Core.SlotNumber &&
           slots[statement.args[1].id] === :file && statement.args[2] isa String
            continue
        end
        look_at_expression(search, statement, place)
    end
end

# From 1.6 on these tell what was noted when the package was loaded; before, Julia looks where it is now.
const ASKS_FOR_PLACE = isdefined(Base, :pkgorigins) ? (:pathof, :pkgdir) : ()

function look_at_expression(search, it, place)
    if it isa Expr
        foreach(argument -> look_at_expression(search, argument, place), it.args)
    elseif it isa QuoteNode
        look_at_expression(search, it.value, place)
    elseif it isa GlobalRef
        if it.name in ASKS_FOR_PLACE && !haskey(search.found, "own")
            search.found["own"] = (place, string("a call of ", it.name))
        end
    elseif it isa String && basename(it) in ("Artifacts.toml", "JuliaArtifacts.toml") && isdefined(Base, :pkgorigins)
        # From 1.6 on what `artifact"…"` needs of this file is in the code beside its name, which is for messages.
    elseif nameof(typeof(it)) in (:ReturnNode, :GotoIfNot)
        foreach(i -> isdefined(it, i) && look_at_expression(search, getfield(it, i), place), 1:nfields(it))
    else
        look_at(search, it, place)
    end
end

"What a package's module has beside its methods, with its submodules."
function look_at_module(search, mod, seen = Set{Module}())
    mod in seen && return
    push!(seen, mod)
    is_jll = endswith(string(nameof(Base.moduleroot(mod))), "_jll")
    for name in names(mod; all = true)
        # Docstrings know their file.
        name === Base.Docs.META && continue
        # What JLL packages gather and set in each session, and the file that they were made from (JLLWrappers).
        is_jll && (name in (:PATH, :LIBPATH, :PATH_list, :LIBPATH_list) || !isconst(mod, name)) && continue
        (Base.isdeprecated(mod, name) || !isdefined(mod, name)) && continue
        value = getfield(mod, name)
        if value isa Module
            parentmodule(value) === mod && value !== mod && look_at_module(search, value, seen)
        else
            look_at(search, value, string(mod, '.', name))
        end
    end
end

"Every method that there is, of whatever function."
function all_methods()
    found = IdDict{Method,Nothing}()
    add(method) = method isa Method && (found[method] = nothing)
    tables = IdDict{Any,Nothing}()
    function add_table(table)
        haskey(tables, table) && return
        tables[table] = nothing
        Base.visit(add, table)
        # Before 1.9 methods with keywords are in a table of their own.
        hasfield(typeof(table), :kwsorter) && isdefined(table, :kwsorter) && add_table(typeof(table.kwsorter).name.mt)
    end
    function add_type(type)
        type = Base.unwrap_unionall(type)
        type isa DataType || return
        hasfield(Core.TypeName, :mt) && isdefined(type.name, :mt) && add_table(type.name.mt)
    end
    # Since 1.12 there is one table for all.
    if !hasfield(Core.TypeName, :mt)
        add_table(isdefined(Core, :methodtable) ? Core.methodtable : Core.GlobalMethods)
        return keys(found)
    end
    seen = Set{Module}()
    function add_module(mod)
        mod in seen && return
        push!(seen, mod)
        for name in names(mod; all = true, imported = true)
            (Base.isdeprecated(mod, name) || !isdefined(mod, name)) && continue
            value = getfield(mod, name)
            value isa Module ? add_module(value) : value isa Type ? add_type(value) : add_type(typeof(value))
        end
    end
    foreach(add_module, values(Base.loaded_modules))
    foreach(add_module, values(IN_IMAGE))
    add_module(Core)
    add_module(Base)
    add_type(Type)
    return keys(found)
end

function code_of(method)
    isdefined(method, :source) && method.source !== nothing || return nothing
    return isdefined(Base, :uncompressed_ir) ? Base.uncompressed_ir(method) : Base.uncompressed_ast(method)
end

function look_at_method(search, method)
    place = string(method.module, '.', method.name)
    code = code_of(method)
    code === nothing || look_at_code(search, code, place)
    isdefined(method, :generator) && look_at(search, method.generator, place)
    # What is said once for all methods of a function, such as by `Base.@propagate_inbounds`, has no code.
    return
end

function find_places(packages_file, places_file, results_file)
    needles = [Needle(split(line, '\t')...) for line in eachline(places_file)]
    sort!(needles; by = needle -> -ncodeunits(needle.path))
    within(path, other) = path != other && startswith(path, other * "/")
    roots = unique(needle.path for needle in needles if !any(other -> within(needle.path, other.path), needles))
    packages = packages_in(packages_file)
    modules = Dict(IN_IMAGE[package] => identity for (identity, package) in packages if haskey(IN_IMAGE, package))
    for (_, package) in packages
        # What it has to initialise is then as in a session. That it works was seen before.
        try
            Base.require(package)
        catch error
            println(stderr, package, ": ", sprint(showerror, error))
        end
    end
    methods = Dict{Module,Vector{Method}}()
    for method in Base.invokelatest(all_methods)
        root = Base.moduleroot(method.module)
        haskey(modules, root) && push!(get!(Vector{Method}, methods, root), method)
    end
    open(results_file, "w") do results
        for (identity, package) in packages
            mod = get(IN_IMAGE, package, nothing)
            mod === nothing && continue
            search = Search(needles, roots, IdDict{Any,Nothing}(), [], Dict(), 0)
            try
                look_at_module(search, mod)
                foreach(method -> look_at_method(search, method), get(methods, mod, Method[]))
                look_through(search)
            catch error
                search.found["own"] = (string(mod), "not known: " * sprint(showerror, error))
            end
            for (name, (place, text)) in search.found
                println(results, join((identity, name, one_line(place), one_line(text)), '\t'))
            end
        end
        ADDRESS_SPACE === nothing || println(results, "address-space\t", ADDRESS_SPACE)
        println(results, "end")
    end
end

one_line(text) = first(replace(text, r"[\t\r\n]" => ' '), 300)

find_places(ARGS[1], ARGS[2], ARGS[3])
