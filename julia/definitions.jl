# Lists what scripts define at their top, so that it could stand in a package.
#
#     julia julia/definitions.jl FILE…
#
# Each definition is a line `definition<TAB>FILE<TAB>line<TAB>function|method|type|macro|constant<TAB>name`; a file that cannot be parsed is passed over from there on.
# Nothing of a script is run.

"The name behind type parameters, a supertype, a return type and a `where`."
name_of(ex) = ex
name_of(ex::Expr) =
    ex.head in (:where, :(::), :<:, :curly, :call) && !isempty(ex.args) ? name_of(ex.args[1]) : ex

is_call(ex) = ex isa Expr && (ex.head === :call || ex.head in (:where, :(::)) && is_call(ex.args[1]))

"What an expression defines, and its name; nothing where it is no definition. A method is one of another module's function."
function definition(ex)
    ex isa Expr || return nothing
    what, name = ex.head === :function || ex.head === :(=) && is_call(ex.args[1]) ? ("function", name_of(ex.args[1])) :
        ex.head === :struct ? ("type", name_of(ex.args[2])) :
        ex.head in (:abstract, :primitive) ? ("type", name_of(ex.args[1])) :
        ex.head === :macro ? ("macro", name_of(ex.args[1])) :
        ex.head === :const && ex.args[1] isa Expr && ex.args[1].head === :(=) ? ("constant", name_of(ex.args[1].args[1])) :
        # `@inline f(x) = …`, a docstring.
        ex.head === :macrocall ? (return definition(ex.args[end])) : (return nothing)
    name isa Expr && name.head === :. && what == "function" && return ("method", string(name))
    return name isa Symbol ? (what, what == "macro" ? string('@', name) : string(name)) : nothing
end

function list(file)
    text = read(file, String)
    at = firstindex(text)
    while at <= lastindex(text)
        # What stands before an expression is read with it.
        space = match(r"(?:\s|;|#[^\n]*)*", text, at)
        at += ncodeunits(space.match)
        at <= lastindex(text) || return
        line = 1 + count(==('\n'), SubString(text, 1, prevind(text, at)))
        ex, next = try
            Meta.parse(text, at; raise = false)
        catch
            return
        end
        ex isa Expr && ex.head in (:error, :incomplete) && return
        # `a; b`
        for part in (ex isa Expr && ex.head === :toplevel ? ex.args : [ex])
            found = definition(part)
            found === nothing || println(join(("definition", file, line, found...), '\t'))
        end
        next > at || return
        at = next
    end
end

foreach(list, ARGS)
