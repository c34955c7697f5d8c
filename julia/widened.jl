# Compiles signatures that are wider than any call; included by replay.jl.
#
# Where Julia does not specialize, one method instance serves many calls, and its signature is what a trace shows:
# `println(::IO, ::Float64, ::Any...)`, `broadcasted(::Function, ::Vector{Int})`, `promote_type(::Type{T} where T, …)` (which
# arguments are widened, and to what: `jl_compilation_sig` in src/gf.c). `precompile` takes such signatures, but
#
# - it refuses one that several methods match, though one alone was compiled for it (`jl_get_specialization1` in src/gf.c;
#   newer versions look for that one: `jl_get_compile_hint_specialization`);
# - on 1.5 it returns true, but an image does not keep the code when it is small enough to be inlined: of such code only
#   that is kept which calls have been found to lead to (`precompile_enq_specialization_` and `precompile_enq_all_cache__` in
#   src/precompile.c; changed for 1.6 in https://github.com/JuliaLang/julia/pull/36451).
#
# Then a call that leads to the signature is precompiled: each wide argument is replaced by a narrow one. Nothing is called.

module JlsysWidened

if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
    # Nor is it worth being compiled into a package image, where it would stay.
    ccall(:jl_generating_output, Cint, ()) == 1 && Base.JLOptions().incremental != 0 &&
        @eval Base.Experimental.@compiler_options compile=min optimize=0 infer=no
end

"Whether an image keeps every signature that `precompile` took."
const KEEPS_ALL = VERSION >= v"1.6.0-DEV"

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
    (!(signature isa DataType) || Base.isdispatchtuple(signature)) && return accepted
    accepted && KEEPS_ALL && return true
    method = method_of(signature)
    (method === nothing || accepted && is_kept(signature, method)) && return accepted
    for call in calls(signature)
        # One that leads to another method would compile what nobody asked for.
        matching(call) == [method] && return precompile(call) || accepted
    end
    return accepted
end

"The methods that calls with this signature can lead to, the narrower ones first."
function matching(@nospecialize(signature))
    found = Base._methods_by_ftype(signature, -1, Base.get_world_counter())
    found isa Vector || return Method[]
    return Method[match isa Core.SimpleVector ? match[3] : match.method for match in found]
end

"The method that was compiled for a signature: it takes all that the signature does."
function method_of(@nospecialize(signature))
    methods = matching(signature)
    i = findfirst(method -> signature <: method.sig, methods)
    return i === nothing ? nothing : methods[i]
end

"Whether an image (of Julia 1.5) keeps what was inferred for a signature without a call that leads to it."
function is_kept(@nospecialize(signature), method)
    _, variables = ccall(:jl_type_intersection_with_env, Any, (Any, Any), signature, method.sig)::Core.SimpleVector
    instance = Core.Compiler.specialize_method(method, signature, variables)
    isdefined(instance, :cache) || return false
    # Nothing was kept of what returns a constant: it needs no code.
    isdefined(instance.cache, :inferred) || return true
    inferred = instance.cache.inferred
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
