# Replays precompile statements: each line `precompile(Tuple{…})` of a file is read and compiled.
#
# By hand:            julia replay.jl STATEMENTS RESULTS PACKAGE...
# By another driver:  include("replay.jl") into a module of its own, in a process where every package is
#                     loaded, then `JlsysReplay.replay(statements, results)`.
#
# Written for Julia 1.5 to 1.12 and later; run so far on 1.5.3. One statement never stops the rest.
#
# Nothing in the file is evaluated as code. An argument is parsed, and the types it names are put together
# by `build` below, which knows only what `jl_static_show` (src/rtutils.c in Julia's sources) prints for a type:
# names, parameters, `where`, literals and a few constructors. No module is written to and no name is bound, so
# it also runs where `Core.eval` into another module is an error: in a package that is being precompiled.
#
# RESULTS is there from the start, one `key value…` a line:
#
#     line 0000000042      the statement being compiled, written before it is: after a crash, the one to blame
#     finished 1           the rest stands only when the end was reached
#     compiled 40          `precompile` returned true: inferred, and compiled where this process generates code.
#                          (That an image keeps the code is not known from this. A crash while Julia writes the image, after
#                          the replay, shows as `finished 1`.)
#     false 1              it returned false: no single method fits (an abstract signature, a method that went)
#     threw 1              the types could not be put together, or compiling threw
#     seconds 1.25
#     false-line 17        each line that returned false
#     thrown 1 23 UndefVarError: …   for each message: how often, the first line, the message

module JlsysReplay

include("widened.jl")

# This file's own code runs once, for a second: not worth optimizing.
if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
    # Nor is it worth being compiled into a package image, where it would stay.
    ccall(:jl_generating_output, Cint, ()) == 1 && Base.JLOptions().incremental != 0 &&
        @eval Base.Experimental.@compiler_options compile=min optimize=0 infer=no
end

"What a statement may not be, in words."
struct NotReplayable <: Exception
    why::String
end
Base.showerror(io::IO, e::NotReplayable) = print(io, e.why)

"How many different messages are kept; what else is thrown is only counted."
const MOST_MESSAGES = 100

"""
    loaded_by_name() -> Dict{Symbol,Module}

The loaded modules by name. Statements hold names alone, so of two packages of one name only one can be meant.
"""
function loaded_by_name()
    modules = Dict{Symbol,Module}()
    for (id, mod) in Base.loaded_modules
        id.name == "Main" || (modules[Symbol(id.name)] = mod)
    end
    return modules
end

"""
    GrowingLines(file, all_given)

The lines of `file`, to which somebody may add until there is a file `all_given` (`nothing`: nobody does). What does not end
in a newline yet is not there yet.
"""
struct GrowingLines
    file::IOStream
    all_given::Union{String,Nothing}
end

function Base.iterate(lines::GrowingLines, is_complete = lines.all_given === nothing)
    while true
        start = position(lines.file)
        line = readline(lines.file; keep = true)
        endswith(line, '\n') && return chomp(line), is_complete
        is_complete && return isempty(line) ? nothing : (line, is_complete)
        seek(lines.file, start)
        # The file is looked for first: all that was added before it is found by reading once more.
        is_complete = ispath(lines.all_given)
        is_complete || Libc.systemsleep(0.1)
    end
end

"""
    replay(statements, results; modules = loaded_by_name(), compile = JlsysWidened.compile, all_given = nothing)

Call `compile` with each statement of the file `statements`; write what came of it to the file `results` (format: above).
The file `statements` may grow until there is a file `all_given`, if one is named.
"""
function replay(statements::AbstractString, results::AbstractString;
                modules::Dict{Symbol,Module} = loaded_by_name(), compile = JlsysWidened.compile, all_given = nothing)
    open(statements) do file
        open(out -> replay(GrowingLines(file, all_given), out, modules, compile), results, "w")
    end
end

function replay(lines::GrowingLines, out::IO, modules, compile)
    started = ccall(:clock, Clong, ()) # in microseconds of processor time (POSIX)
    compiled = threw = number = 0
    refused = Int[]
    known = Dict{String,Any}() # an argument's text => what it is
    messages = Dict{String,Vector{Int}}() # message => [how often, first line]
    for text in lines
        number += 1
        blank(text) && continue
        # Fixed width, over and over at the file's start: one small write a statement, and a crash finds it there.
        seekstart(out)
        write(out, "line ", lpad(string(number), 10, '0'), '\n')
        flush(out)
        try
            signature = signature_of(text, modules, known)
            signature isa Type || throw(NotReplayable("not a type"))
            if compile(signature)
                compiled += 1
            else
                push!(refused, number)
            end
        catch e
            e isa InterruptException && rethrow()
            threw += 1
            message = first_line(e)
            if haskey(messages, message)
                messages[message][1] += 1
            elseif length(messages) < MOST_MESSAGES
                messages[message] = [1, number]
            end
        end
    end
    println(out, "finished 1\ncompiled ", compiled, "\nfalse ", length(refused), "\nthrew ", threw,
            "\nseconds ", round((ccall(:clock, Clong, ()) - started) / 1e6, digits = 3))
    for line in refused
        println(out, "false-line ", line)
    end
    for (message, (times, line)) in sort!(collect(messages), by = m -> (-m[2][1], m[2][2]))
        println(out, "thrown ", times, ' ', line, ' ', message)
    end
    return nothing
end

blank(text) = isempty(strip(text)) || startswith(lstrip(text), "# ")

"The exception's first line, short enough that a type's name does not fill the results."
function first_line(e)
    text = try
        sprint(showerror, e)
    catch
        string(typeof(e))
    end
    return first(split(text, '\n')) |> line -> length(line) > 200 ? string(first(line, 200), '…') : line
end

"""
    signature_of(text, modules, known)

The type `Tuple{…}` of the line `precompile(Tuple{…})`; anything else is refused.

Parsing takes nearly all the time, and one test suite's 34,000 arguments are 2,200 different ones: each is parsed once.
"""
function signature_of(text::AbstractString, modules, known::Dict{String,Any})
    arguments = arguments_of(text)
    arguments === nothing && return build(signature_expression(text), modules, nothing)
    types = Any[]
    for argument in arguments
        push!(types, get!(() -> build(Meta.parse(argument; raise = false), modules, nothing), known, argument))
    end
    return Core.apply_type(Tuple, types...)
end

"How a line of the plain form begins, and ends."
const OPENING = "precompile(Tuple{"
const CLOSING = "})"

"The arguments in a line of the plain form; `nothing` when it has comments or is a `Tuple{…} where T`."
function arguments_of(text::AbstractString)
    startswith(text, OPENING) && endswith(text, CLOSING) || return nothing
    first_byte, last_byte = ncodeunits(OPENING) + 1, ncodeunits(text) - ncodeunits(CLOSING)
    arguments = String[]
    start, depth, quoted, escaped = first_byte, 0, false, false
    for i in first_byte:last_byte
        c = codeunit(text, i)
        if quoted
            quoted = escaped || c != UInt8('"')
            escaped = !escaped && c == UInt8('\\')
        elseif c == UInt8('"')
            quoted = true
        elseif c == UInt8('{') || c == UInt8('(')
            depth += 1
        elseif c == UInt8('}') || c == UInt8(')')
            depth -= 1
            depth < 0 && return nothing
        elseif c == UInt8(',') && depth == 0
            push!(arguments, strip(text[start:prevind(text, i)]))
            start = i + 1
        end
    end
    depth == 0 && !quoted || return nothing
    start > last_byte || push!(arguments, strip(text[start:thisind(text, last_byte)]))
    return arguments
end

"The `Tuple{…}` of a line of any form."
function signature_expression(text::AbstractString)
    ex = Meta.parse(text; raise = false)
    call = ex isa Expr && ex.head === :call && length(ex.args) == 2 && ex.args[1] === :precompile
    call || throw(NotReplayable("not a precompile(Tuple{…}) call"))
    signature = body = ex.args[2]
    while body isa Expr && body.head === :where
        body = body.args[1]
    end
    body isa Expr && body.head === :curly && body.args[1] === :Tuple ||
        throw(NotReplayable("not a precompile(Tuple{…}) call"))
    return signature
end

"""
    build(ex, modules, variables)

The type or value that `ex` prints. `variables`: the type variables in scope, a list of `(TypeVar, rest)`, innermost first.
"""
function build(@nospecialize(ex), modules::Dict{Symbol,Module}, @nospecialize(variables))
    ex isa Symbol && return named(ex, modules, variables)
    ex isa QuoteNode && return ex.value
    ex isa Expr || return ex # a literal
    head, args = ex.head, ex.args
    if head === :curly
        parameters = Any[build(a, modules, variables) for a in args[2:end]]
        return Core.apply_type(build(args[1], modules, variables), parameters...)
    elseif head === :.
        return member(build(args[1], modules, variables), args[2])
    elseif head === :where
        # `body where B where A` nests to the left: A is the outermost.
        variable = type_variable(args[2], modules, variables)
        return UnionAll(variable, build(args[1], modules, (variable, variables)))
    elseif head === :tuple
        isempty(args) || !all(is_assignment, args) || return named_tuple(args, modules, variables)
        return tuple(Any[build(a, modules, variables) for a in args]...)
    elseif head === :quote && length(args) == 1 && !(args[1] isa Expr)
        return args[1]
    elseif head === :macrocall && length(args) == 3 && args[3] isa String
        # Integers of 128 bits parse as a call of one of two macros.
        args[1] == GlobalRef(Core, Symbol("@uint128_str")) && return parse(UInt128, args[3])
        args[1] == GlobalRef(Core, Symbol("@int128_str")) && return parse(Int128, args[3])
    elseif head === :call
        return built_by_call(args, modules, variables)
    end
    throw(NotReplayable(string("no type is printed as :", head)))
end

"A bare name: a type variable, a loaded package, or what Base and Core export."
function named(name::Symbol, modules, @nospecialize(variables))
    scope = variables
    while scope !== nothing
        scope[1].name === name && return scope[1]
        scope = scope[2]
    end
    haskey(modules, name) && return modules[name]
    name === :Main && throw(NotReplayable("names Main"))
    # `jl_static_show` leaves out `Core.` before what Core exports, and nothing else's module.
    isdefined(Core, name) && return getfield(Core, name)
    isdefined(Base, name) && return getfield(Base, name)
    throw(UndefVarError(name))
end

"`Module.name`, also `Module.:(+)`; only modules are looked into."
function member(@nospecialize(parent), @nospecialize(name))
    while name isa QuoteNode || (name isa Expr && name.head === :quote && length(name.args) == 1)
        name = name isa QuoteNode ? name.value : name.args[1]
    end
    parent isa Module && name isa Symbol || throw(NotReplayable("a field of what is no module"))
    # A module below Main prints without `Main.`, so a name that no package has never gets here.
    isdefined(parent, name) || throw(NotReplayable(string(parent, " has no ", name)))
    return getfield(parent, name)
end

"`T`, `T<:Upper`, `Lower<:T<:Upper`: what stands after `where`."
function type_variable(@nospecialize(ex), modules, @nospecialize(variables))
    ex isa Symbol && return TypeVar(ex)
    if ex isa Expr && ex.head === :<: && length(ex.args) == 2 && ex.args[1] isa Symbol
        return TypeVar(ex.args[1], build(ex.args[2], modules, variables))
    elseif ex isa Expr && ex.head === :comparison && length(ex.args) == 5 && ex.args[2] === ex.args[4] === :<: && ex.args[3] isa Symbol
        return TypeVar(ex.args[3], build(ex.args[1], modules, variables), build(ex.args[5], modules, variables))
    end
    throw(NotReplayable("an unknown form after where"))
end

is_assignment(@nospecialize(a)) = a isa Expr && (a.head === :(=) || a.head === :kw) && a.args[1] isa Symbol

function named_tuple(args, modules, @nospecialize(variables))
    names = tuple(Symbol[a.args[1] for a in args]...)
    return NamedTuple{names}(tuple(Any[build(a.args[2], modules, variables) for a in args]...))
end

"""
The calls that occur in printed types: `typeof(f)`, `Symbol("…")`, `reinterpret(Char, 0x…)`, a number's sign, and
`T(a=1, b=2)`, which is how a struct prints (no constructor is called: its fields are put in place).
"""
function built_by_call(args, modules, @nospecialize(variables))
    callee = args[1]
    if callee === :- && length(args) == 2
        number = build(args[2], modules, variables)
        number isa Real || throw(NotReplayable("the negative of what is no number"))
        return -number
    end
    f = build(callee, modules, variables)
    if f === typeof && length(args) == 2
        return typeof(build(args[2], modules, variables))
    elseif f === Symbol && length(args) == 2 && args[2] isa String
        return Symbol(args[2])
    elseif f === reinterpret && length(args) == 3
        T, bits = build(args[2], modules, variables), build(args[3], modules, variables)
        isprimitivetype(T) && bits isa Unsigned && sizeof(T) == sizeof(bits) || throw(NotReplayable("bits of another size"))
        return reinterpret(T, bits)
    elseif f === NamedTuple && length(args) == 1
        return NamedTuple()
    elseif f isa DataType && isconcretetype(f)
        return structure(f, args[2:end], modules, variables)
    end
    throw(NotReplayable(string("no type is printed as a call of ", callee)))
end

function structure(T::DataType, fields, modules, @nospecialize(variables))
    length(fields) == fieldcount(T) && isbitstype(T) || throw(NotReplayable(string("not the fields of ", T)))
    isempty(fields) && isdefined(T, :instance) && return T.instance
    values = Vector{Any}(undef, length(fields))
    for (i, field) in enumerate(fields)
        is_assignment(field) && field.args[1] === fieldname(T, i) || throw(NotReplayable(string("not the fields of ", T)))
        value = build(field.args[2], modules, variables)
        # A number prints without its type: Int8, Int16 and Int32 come back as Int64.
        wanted = fieldtype(T, i)
        values[i] = value isa wanted ? value : convert(wanted, value)
    end
    return ccall(:jl_new_structv, Any, (Any, Ptr{Any}, UInt32), T, values, length(values))
end

end # module

if abspath(PROGRAM_FILE) == @__FILE__
    length(ARGS) >= 2 || (println(stderr, "usage: julia replay.jl STATEMENTS RESULTS PACKAGE..."); exit(1))
    for package in ARGS[3:end]
        @eval import $(Symbol(package))
    end
    Base.invokelatest(JlsysReplay.replay, ARGS[1], ARGS[2])
    print(read(ARGS[2], String))
end
