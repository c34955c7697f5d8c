# A group of the startup package: statements about the same packages, precompiled into a package image of their own (Julia 1.9 and
# later).
#
# Julia keeps what is compiled for other packages' methods while it precompiles this module, as with any package. There
# is nothing in it to call. Every group has this source, a UUID of its own, and what its surroundings tell it while it is precompiled:
#
#     JLSYS_GROUP_PACKAGES     the packages that it is about, as packages.jl says
#     JLSYS_GROUP_BEFORE       the groups that a session has when it loads this one, each as `UUID<TAB>cache`, what one rests on before it
#     JLSYS_GROUP_STATEMENTS   its statements, as replay.jl says
#     JLSYS_GROUP_REPLAYED     where to say what came of them

module JlsysGroup

# This file's own code runs once: not worth optimizing.
if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
end

"""
Native code that is in this package image for what Julia has inferred, but not compiled, in another: Julia itself takes code for a
method only where it has none that is inferred (`jl_insert_backedges` in src/staticdata_utils.c, `_insert_backedges` in
base/staticdata.jl), so it is put in place by `__init__`.
"""
const TO_PUT_IN_PLACE = Core.CodeInstance[]

# What it rests on was read in the sources of these versions: how code is noted, written and found again is another in each.
const CAN_BE_PUT_IN_PLACE = v"1.10" <= VERSION < v"1.11-" || v"1.12" <= VERSION < v"1.13-"

# What a session runs of this must not be made invalid by a package, or every group would be compiled anew when it is loaded: so there is
# nothing in it that packages have methods for, such as `getproperty` and `propertynames`.

"Whether code says whose it is (1.11 and later)."
const SAYS_OWNER = :owner in fieldnames(Core.CodeInstance)

is_valid(code) = getfield(code, :max_world)::UInt === typemax(UInt)

"The code that Julia would run for an instance, or build on; `nothing` when there is none, or it is not valid any more."
function valid_code(instance::Core.MethodInstance)
    isdefined(instance, :cache) || return nothing
    code = getfield(instance, :cache)::Core.CodeInstance
    SAYS_OWNER && getfield(code, :owner) !== nothing && return nothing # another compiler's
    return is_valid(code) && isdefined(code, :inferred) && getfield(code, :inferred) !== nothing ? code : nothing
end

"The instance that code is for."
instance_of_code(code::Core.CodeInstance) = getfield(code, :def)::Core.MethodInstance

"Whether it has native code already, as what comes from another package image."
has_native_code(code) = getfield(code, :invoke)::Ptr{Cvoid} !== C_NULL

"Whether this code is among that of its instance, which is a list: put in twice, it would have no end."
function is_in_place(code::Core.CodeInstance)
    other = getfield(instance_of_code(code), :cache)::Core.CodeInstance
    while other !== code
        isdefined(other, :next) || return false
        other = getfield(other, :next)::Core.CodeInstance
    end
    return true
end

function __init__()
    for code in TO_PUT_IN_PLACE
        # By then Julia has looked whether what this code calls is still the same, as with all code of a package image, and has taken by
        # itself what is for a method that had none.
        is_valid(code) && valid_code(instance_of_code(code)) !== nothing && !is_in_place(code) || continue
        ccall(:jl_mi_cache_insert, Cvoid, (Any, Any), instance_of_code(code), code)
    end
end

# Only a process that writes a package image replays.
const IS_PRECOMPILING = ccall(:jl_generating_output, Cint, ()) == 1 && haskey(ENV, "JLSYS_GROUP_STATEMENTS")

if IS_PRECOMPILING
    # Julia writes this package to the first depot. What it loads should be precompiled already; what is not belongs where a session finds it.
    push!(DEPOT_PATH, popfirst!(DEPOT_PATH))
    # A function of this module, such as packages.jl has, stays in the package image with all that it leads to: 430 KB of a group without statements.
    for line in eachline(ENV["JLSYS_GROUP_PACKAGES"])
        uuid, name = split(line, '\t')
        Base.require(Base.PkgId(Base.UUID(uuid), String(name)))
    end
    # What is in there is not compiled once more. One that rests on what is not loaded here, such as an extension, which Julia since 1.11 does not
    # load while it precompiles, is done without.
    for line in eachline(ENV["JLSYS_GROUP_BEFORE"])
        uuid, cache = split(line, '\t')
        package, source = Base.PkgId(Base.UUID(uuid), "JlsysGroup"), isdefined(Base, :PkgLoadSpec) ? Base.PkgLoadSpec(@__FILE__, VERSION) : @__FILE__
        found = Base.stale_cachefile(package, UInt128(0), source, String(cache))
        found isa Tuple && all(dependency -> dependency isa Module, found[1]) || continue
        loaded = @lock Base.require_lock Base._include_from_serialized(package, String(cache), found[2], found[1])
        loaded isa Module || println(stderr, "[jlsys: ", cache, " does not load: ", sprint(showerror, loaded), ']')
    end
    include("replay.jl")

    # Before 1.12 what is inferred for methods of Core is not noted as new (`typeinf` in base/compiler/typeinfer.jl).
    const LEAVES_CORE_OUT = isdefined(Core.Compiler, :track_newly_inferred)

    """
    Compiles a statement, also where Julia by itself would leave it out of a package image:

    - where the method is Core's own, such as `Pair(a, b)` and most ways to make a named tuple;
    - where the code is inferred already, in Julia's own image or a package's, but was not compiled there, such as `fill(1.0, 3)`.
    """
    function compile(signature)
        before = length(NEWLY_INFERRED)
        is_compiled = compile_as_it_is(signature)
        append!(FOR_STATEMENTS, view(NEWLY_INFERRED, before+1:length(NEWLY_INFERRED)))
        return is_compiled
    end

    function compile_as_it_is(signature)
        instance = CAN_BE_PUT_IN_PLACE || LEAVES_CORE_OUT ? instance_of(signature) : nothing
        code = instance === nothing ? nothing : valid_code(instance)
        code !== nothing && is_inferred_here(code) && push!(FOR_STATEMENTS, code)
        JlsysReplay.JlsysWidened.compile(signature) || return false
        instance === nothing && return true
        if code !== nothing
            CAN_BE_PUT_IN_PLACE && !is_inferred_here(code) && !has_native_code(code) && compile_anew(code)
        elseif LEAVES_CORE_OUT && instance.def.module === Core && isdefined(instance, :cache)
            ccall(:jl_push_newly_inferred, Cvoid, (Any,), instance.cache)
        end
        return true
    end

    "What a statement compiles, if one method alone fits, and if it is one whose code may need more than `precompile`."
    function instance_of(signature)
        matches = Base._methods_by_ftype(signature, 2, Base.get_world_counter())
        matches isa Vector && length(matches) == 1 || return nothing
        match = matches[1]
        match.method.module === Core || CAN_BE_PUT_IN_PLACE || return nothing
        types = Core.Compiler.get_compileable_sig(match.method, match.spec_types, match.sparams)
        types === nothing && (types = match.spec_types)
        return Core.Compiler.specialize_method(match.method, types, match.sparams)
    end

    # What was inferred in this process so far, and how much of Julia's list of it that is.
    const FOR_STATEMENTS = Any[] # of that, for statements
    const INFERRED_HERE, LISTED = Base.IdSet{Any}(), Ref(0)
    const NEWLY_INFERRED = isdefined(Base, :newly_inferred) ? Base.newly_inferred : # since 1.12
        isdefined(Core.Compiler, :newly_inferred) ? Core.Compiler.newly_inferred : []

    function is_inferred_here(code)
        union!(INFERRED_HERE, view(NEWLY_INFERRED, LISTED[]+1:length(NEWLY_INFERRED)))
        LISTED[] = length(NEWLY_INFERRED)
        return code in INFERRED_HERE
    end

    """
    Writes the same code once more, for the package image: what was traced had no native code in any image. It is the same that Julia
    inferred there, so it is right as long as that is.
    """
    function compile_anew(code)
        # Since 1.12 what is valid from the beginning of Julia on is not checked on loading (`jl_write_values` in src/staticdata.c), so
        # that a copy would outlive what it rests on.
        hasproperty(code, :edges) && !isempty(code.edges) && code.min_world <= 1 && return
        # Code of Julia's own image is not marked as such that can be in another file, since its marks are from before that was written.
        is_marked = hasproperty(code, :relocatability) ? code.relocatability == 1 : is_marked_relocatable(code.inferred)
        is_marked || has_safe_roots(code.def.def) || return
        new = copy_of(code)
        @atomic :monotonic new.precompile = true
        ccall(:jl_mi_cache_insert, Cvoid, (Any, Any), code.def, new)
        ccall(:jl_push_newly_inferred, Cvoid, (Any,), new)
        push!(TO_PUT_IN_PLACE, new)
        return
    end

    # In 1.12 the mark is the last byte of the packed code.
    is_marked_relocatable(inferred) = inferred isa Core.CodeInfo || codeunit(inferred, ncodeunits(inferred)) == 1

    "The same code as a new one, marked as such that can be in another file."
    function copy_of(code)
        is_constant = isdefined(code, :rettype_const)
        constant, flags = is_constant ? code.rettype_const : nothing, is_constant ? Int32(2) : Int32(0)
        if !hasproperty(code, :edges)
            return Core.CodeInstance(code.def, code.rettype, constant, code.inferred, flags, code.min_world, code.max_world,
                code.ipo_purity_bits, code.purity_bits, code.argescapes, 0x01)
        end
        inferred = code.inferred
        inferred isa String && !is_marked_relocatable(inferred) &&
            (inferred = String(push!(collect(codeunits(inferred))[1:end-1], 0x01)))
        return Core.CodeInstance(code.def, code.owner, code.rettype, code.exctype, constant, inferred, flags, code.min_world,
            code.max_world, code.ipo_purity_bits, code.analysis_results, isdefined(code, :debuginfo) ? code.debuginfo : nothing,
            code.edges)
    end

    """
    Whether all constants that a method's code can name are where every session finds them: in Julia's own image, or under the package
    that brought them (the notes on roots in src/method.c).
    """
    function has_safe_roots(method)
        isdefined(method, :roots) || return true
        blocks = isdefined(method, :root_blocks) ? method.root_blocks : UInt64[]
        isempty(blocks) && return length(method.roots) == method.nroots_sysimg
        # Pairs of a package and where its roots begin; what is before the first, or under no package, is Julia's own or unknown.
        return blocks[2] == method.nroots_sysimg && all(!iszero, view(blocks, 1:2:length(blocks)))
    end

    # From 1.12 on what a file defines is seen only by what is called after it.
    Base.invokelatest(JlsysReplay.replay, ENV["JLSYS_GROUP_STATEMENTS"], ENV["JLSYS_GROUP_REPLAYED"]; compile)
    empty!(INFERRED_HERE)
    # What the replay itself needed is of no use to a session: it was more than a megabyte of each package image.
    CAN_BE_PUT_IN_PLACE && append!(empty!(NEWLY_INFERRED), unique(objectid, FOR_STATEMENTS))
    empty!(FOR_STATEMENTS)
    precompile(__init__, ())
    precompile(valid_code, (Core.MethodInstance,))
    precompile(is_in_place, (Core.CodeInstance,))
end

end
