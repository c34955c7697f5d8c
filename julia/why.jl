# Says why this session cannot use the startup package although it is there; start.jl includes it in that case alone, in a module of
# its own. Its value is the reason, or empty where the user wished it.

"Julia's options that decide which code it takes from a cache (`CacheFlags` in base/loading.jl), as they are given."
const OPTIONS = [
    :check_bounds => ["--check-bounds=auto", "--check-bounds=yes", "--check-bounds=no"],
    :debug_level => ["-g0", "-g1", "-g2", "-g3"],
    :inline => ["--inline=no", "--inline=yes"],
    :opt_level => ["-O0", "-O1", "-O2", "-O3"],
]

function why(folder)
    options = Base.JLOptions()
    # Whoever turns caches or package images off knows why it is slow.
    (options.use_compiled_modules == 0 || options.use_pkgimages == 0) && return ""
    caches = joinpath(folder, "depot", "compiled", "v$(VERSION.major).$(VERSION.minor)", "JlsysStartup")
    cache = only(filter(endswith(".ji"), readdir(caches; join = true)))
    targets, flags = open(cache) do io
        iszero(Base.isvalid_cache_header(io)) && error("another Julia wrote it")
        # Since 1.11 paths in it are put together by where it lies.
        header = applicable(Base.parse_cache_header, io, cache) ? Base.parse_cache_header(io, cache) : Base.parse_cache_header(io)
        return header[end-1], header[end]
    end
    built, here = Base.CacheFlags(flags), Base.CacheFlags()
    differing = String[]
    for (name, values) in OPTIONS
        now = getfield(here, name)
        getfield(built, name) == now || push!(differing, values[Int(now)+1])
    end
    if !isempty(differing)
        return "the startup package is compiled for Julia's usual options, and this session has $(join(differing, " and "))"
    elseif Base.check_clone_targets(targets) !== nothing
        return "the startup package is compiled for other CPUs than this one"
    end
    return "Julia does not take the startup package for what was built; `jlsys build --force` builds it again"
end

try
    why(@__DIR__)
catch error
    "the startup package cannot be read: $(first(split(sprint(showerror, error), '\n')))"
end
