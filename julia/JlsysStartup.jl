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

# Only a process that writes a package image replays; it is told which files by its surroundings, as Julia starts it.
const IS_PRECOMPILING = ccall(:jl_generating_output, Cint, ()) == 1 && haskey(ENV, "JLSYS_STARTUP_STATEMENTS")

if IS_PRECOMPILING
    include("packages.jl")
    for (_, package) in packages_in(joinpath(@__DIR__, "packages"))
        Base.require(package)
    end
    include("replay.jl")

    """
    Compiles a statement, also where the method is Core's own, such as `Pair(a, b)` and most ways to make a named tuple:
    before 1.12 Julia does not note what is inferred for those as new (`typeinf` in base/compiler/typeinfer.jl), so that
    no package image would have it.
    """
    function compile(signature)
        instance = isdefined(Core.Compiler, :track_newly_inferred) ? of_core(signature) : nothing
        is_new = instance !== nothing && !isdefined(instance, :cache)
        JlsysReplay.JlsysWidened.compile(signature) || return false
        if is_new && isdefined(instance, :cache)
            ccall(:jl_push_newly_inferred, Cvoid, (Any,), instance.cache)
        end
        return true
    end

    "What a statement compiles, if it is for a method of Core."
    function of_core(signature)
        matches = Base._methods_by_ftype(signature, 2, Base.get_world_counter())
        matches isa Vector && length(matches) == 1 || return nothing
        match = matches[1]
        match.method.module === Core || return nothing
        types = Core.Compiler.get_compileable_sig(match.method, match.spec_types, match.sparams)
        types === nothing && (types = match.spec_types)
        return Core.Compiler.specialize_method(match.method, types, match.sparams)
    end

    # From 1.12 on what a file defines is seen only by what is called after it.
    Base.invokelatest(JlsysReplay.replay, ENV["JLSYS_STARTUP_STATEMENTS"], ENV["JLSYS_STARTUP_REPLAYED"]; compile)
end

end
