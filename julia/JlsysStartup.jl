# The startup package: precompiled statements of a project's packages, in a package image of their own (Julia 1.9 and
# later).
#
# Julia keeps what is compiled for other packages' methods while it precompiles this module, as with any package. There
# is nothing in it to call. Beside it lie `packages`, as packages.jl says, and the two files that are included.

module JlsysStartup

# This file's own code runs once: not worth optimizing.
if isdefined(Base, :Experimental) && isdefined(Base.Experimental, Symbol("@optlevel"))
    @eval Base.Experimental.@optlevel 0
end

"""
Native code that is in this package image for what Julia has inferred, but not compiled, in another: Julia itself takes code for a
method only where it has none that is inferred (`jl_insert_backedges` in src/staticdata_utils.c), so it is put in place by `__init__`.
"""
const TO_PUT_IN_PLACE = Core.CodeInstance[]

# What it rests on was read in 1.10's sources: how code is noted, written and found again is another in each version.
const CAN_BE_PUT_IN_PLACE = v"1.10" <= VERSION < v"1.11-"

"The code that Julia would run for an instance, or build on; `nothing` when there is none, or it is not valid any more."
function valid_code(instance)
    isdefined(instance, :cache) || return nothing
    code = instance.cache
    return code.max_world == typemax(UInt) && isdefined(code, :inferred) && code.inferred !== nothing ? code : nothing
end

"Whether this code is among that of its instance, which is a list: put in twice, it would have no end."
function is_in_place(code)
    other = code.def.cache
    while other !== code
        isdefined(other, :next) || return false
        other = other.next
    end
    return true
end

function __init__()
    for code in TO_PUT_IN_PLACE
        # By then Julia has looked whether what this code calls is still the same, as with all code of a package image, and has taken by
        # itself what is for a method that had none.
        code.max_world == typemax(UInt) && valid_code(code.def) !== nothing && !is_in_place(code) || continue
        ccall(:jl_mi_cache_insert, Cvoid, (Any, Any), code.def, code)
    end
end

# Only a process that writes a package image replays; it is told which files by its surroundings, as Julia starts it.
const IS_PRECOMPILING = ccall(:jl_generating_output, Cint, ()) == 1 && haskey(ENV, "JLSYS_STARTUP_STATEMENTS")

if IS_PRECOMPILING
    include("packages.jl")
    for (_, package) in packages_in(joinpath(@__DIR__, "packages"))
        Base.require(package)
    end
    include("replay.jl")

    """
    Compiles a statement, also where Julia by itself would leave it out of a package image:

    - where the method is Core's own, such as `Pair(a, b)` and most ways to make a named tuple: before 1.12 Julia does not
      note what is inferred for those as new (`typeinf` in base/compiler/typeinfer.jl);
    - where the code is inferred already, in Julia's own image or a package's, but was not compiled there, such as `fill(1.0, 3)`.
    """
    function compile(signature)
        instance = isdefined(Core.Compiler, :track_newly_inferred) ? instance_of(signature) : nothing
        code = instance === nothing ? nothing : valid_code(instance)
        JlsysReplay.JlsysWidened.compile(signature) || return false
        instance === nothing && return true
        if code !== nothing
            CAN_BE_PUT_IN_PLACE && !is_inferred_here(code) && compile_anew(code)
        elseif instance.def.module === Core && isdefined(instance, :cache)
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
    const INFERRED_HERE, LISTED = Base.IdSet{Any}(), Ref(0)

    function is_inferred_here(code)
        new = Core.Compiler.newly_inferred
        union!(INFERRED_HERE, view(new, LISTED[]+1:length(new)))
        LISTED[] = length(new)
        return code in INFERRED_HERE
    end

    """
    Writes the same code once more, for the package image: what was traced had no native code in any image. It is the same that Julia
    inferred there, so it is right as long as that is.
    """
    function compile_anew(code)
        # Code of Julia's own image is not marked as such that can be in another file, since its marks are from before that was written.
        (code.relocatability == 1 || has_safe_roots(code.def.def)) || return
        constant = isdefined(code, :rettype_const)
        new = Core.CodeInstance(code.def, code.rettype, constant ? code.rettype_const : nothing, code.inferred,
            constant ? Int32(2) : Int32(0), code.min_world, code.max_world, code.ipo_purity_bits, code.purity_bits,
            code.argescapes, 0x01)
        @atomic :monotonic new.precompile = true
        ccall(:jl_mi_cache_insert, Cvoid, (Any, Any), code.def, new)
        ccall(:jl_push_newly_inferred, Cvoid, (Any,), new)
        push!(TO_PUT_IN_PLACE, new)
        return
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
    Base.invokelatest(JlsysReplay.replay, ENV["JLSYS_STARTUP_STATEMENTS"], ENV["JLSYS_STARTUP_REPLAYED"]; compile)
    empty!(INFERRED_HERE)
    precompile(__init__, ())
end

end
