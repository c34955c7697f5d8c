# Compiles signatures that are wider than any call; included by replay.jl.
#
# Where Julia does not specialize, one method instance serves many calls, and its signature is what a trace shows:
# `println(::IO, ::Float64, ::Any...)`, `broadcasted(::Function, ::Vector{Int})`, `convert(::Type{T} where T, …)` (which arguments
# are widened to what: `jl_compilation_sig` in src/gf.c). From 1.9 on `precompile` takes such a signature as any other. Before,
#
# - it refuses one that several methods match, though only one of them can have been compiled for it
#   (`jl_get_specialization1` in src/gf.c; 1.9 looks for that one: `jl_get_compile_hint_specialization`);
# - it returns true, but an image does not keep the code when it is small enough to be inlined somewhere: of such
#   code only that is kept which calls have been found to lead to (`precompile_enq_specialization_` and
#   `precompile_enq_all_cache__` in src/precompile.c; 1.9 keeps what it was asked for: `precompile` in `jl_code_instance_t`).
#
# So what is precompiled there is, in addition, one call that leads to the signature: each wide argument is replaced by a narrow one.
# Nothing is called.

module JlsysWidened

if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
end

"Whether images of this Julia keep every signature that `precompile` is given."
const KEPT_BY_JULIA = :precompile in fieldnames(Core.CodeInstance)

"What stands in for a wide argument, the more usual first: what is compiled for it may then be of use besides."
const STAND_INS = Any[String, Int64, Float64, Symbol, Char, Bool, Nothing, Expr, Module, typeof(identity), typeof(sum),
    Type{Int64}, Type{String}, Type{Any}, Type{Array}, Type{Union{Int64,Nothing}}, Vector{Float64}, Vector{Int64}, Vector{String},
    Vector{Any}, Matrix{Float64}, Tuple{}, Tuple{Int64}, Pair{Symbol,Int64}, Dict{Symbol,Any}, Dict{Any,Any}, UnitRange{Int64},
    Base.GenericIOBuffer{Vector{UInt8}}, Task, Method, LineNumberNode, ErrorException]

"How many stand-ins are looked at for one argument, and how many calls for one signature."
const MOST_STAND_INS = 6
const MOST_CALLS = 24

"""
    compile(signature) -> Bool

As `precompile(signature)`, and such that an image keeps the code.
"""
function compile(@nospecialize(signature))
    accepted = precompile(signature)
    (KEPT_BY_JULIA || !(signature isa DataType) || Base.isdispatchtuple(signature)) && return accepted
    accepted && is_kept(signature) && return true
    method = method_of(signature)
    method === nothing && return accepted
    for call in calls(signature)
        found = matching(call)
        # A call that leads to another method would compile what nobody asked for.
        length(found) == 1 && found[1] === method || continue
        return precompile(call) || accepted
    end
    return accepted
end

"The methods that calls with this signature can lead to."
function matching(@nospecialize(signature))
    found = Base._methods_by_ftype(signature, -1, Base.get_world_counter())
    found === false && return Method[]
    return Method[match isa Core.SimpleVector ? match[3] : match.method for match in found]
end

is_compileable(@nospecialize(signature), method) =
    ccall(:jl_isa_compileable_sig, Int32, (Any, Any), signature, method) != 0

"The method that was compiled for a signature; `nothing` when that is not plain."
function method_of(@nospecialize(signature))
    # The narrower the method, the earlier it stands.
    found = filter(method -> signature <: method.sig && is_compileable(signature, method), matching(signature))
    return isempty(found) ? nothing : found[1]
end

"Whether an image keeps what was inferred for a signature without a call that leads to it."
function is_kept(@nospecialize(signature))
    method = method_of(signature)
    method === nothing && return true
    _, variables = ccall(:jl_type_intersection_with_env, Any, (Any, Any), signature, method.sig)::Core.SimpleVector
    instance = Core.Compiler.specialize_method(method, signature, variables)
    isdefined(instance, :cache) || return false
    inferred = instance.cache.inferred
    # Without one it is a constant, which needs no code, or it was compiled already.
    return !(inferred isa Vector{UInt8}) || !ccall(:jl_ir_flag_inlineable, Bool, (Any,), inferred)
end

"Narrow signatures within a wide one."
function calls(@nospecialize(signature))
    parameters = collect(Any, signature.parameters)
    last_parameter = parameters[end]
    if Base.isvarargtype(last_parameter)
        # Which arguments are taken together depends on whether all are of the type of the last one before them.
        element = Base.unwrapva(last_parameter)
        before = length(parameters) > 1 ? parameters[end-1] : Union{}
        parameters[end] = element
        choices = Any[stand_ins(parameter) for parameter in parameters]
        choices[end] = element == before ? choices[end-1] : filter(type -> !(type <: before), stand_ins(element))
    else
        choices = Any[stand_ins(parameter) for parameter in parameters]
    end
    any(isempty, choices) && return Any[]
    combinations = Iterators.take(Iterators.product(choices...), MOST_CALLS)
    return Any[Tuple{combination...} for combination in combinations]
end

"Narrow types that an argument of this type can have; itself when it is narrow."
function stand_ins(@nospecialize(type))
    is_narrow(type) && return Any[type]
    found = Any[]
    for candidate in STAND_INS
        candidate <: type && push!(found, candidate)
        length(found) == MOST_STAND_INS && return found
    end
    # Perhaps the module that has the type has narrower ones too.
    abstract_type = Base.unwrap_unionall(type)
    if isempty(found) && abstract_type isa DataType
        owner = abstract_type.name.module
        for name in names(owner; all = true)
            isdefined(owner, name) && !Base.isdeprecated(owner, name) || continue
            candidate = getfield(owner, name)
            candidate isa DataType && candidate <: type && is_narrow(candidate) && push!(found, candidate)
            length(found) == MOST_STAND_INS && return found
        end
    end
    return found
end

is_narrow(@nospecialize(type)) = type isa Type && Base.isdispatchtuple(Tuple{type})

end # module
