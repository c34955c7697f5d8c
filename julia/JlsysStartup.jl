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
    # From 1.12 on what a file defines is seen only by what is called after it.
    Base.invokelatest(JlsysReplay.replay, ENV["JLSYS_STARTUP_STATEMENTS"], ENV["JLSYS_STARTUP_REPLAYED"])
end

end
