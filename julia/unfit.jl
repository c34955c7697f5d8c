# Which caches no session on the CPUs takes that this process is told to be (Julia 1.9 and later).
#
#     julia --cpu-target=CPU julia/unfit.jl CACHES RESULTS
#
# CACHES has a path in each line. RESULTS gets those that have no native code for these CPUs, or none at all, and at last `end`.

"Whether the package image that goes with a cache has code for this process, as Julia finds it out (`stale_cachefile` in base/loading.jl)."
function is_fit(cache)
    targets = open(cache) do io
        iszero(Base.isvalid_cache_header(io)) && return nothing
        # Since 1.11 paths in it are put together by where it lies.
        header = applicable(Base.parse_cache_header, io, cache) ? Base.parse_cache_header(io, cache) : Base.parse_cache_header(io)
        return header[end-1]
    end
    # What another Julia made is not looked at.
    targets === nothing && return true
    return !isempty(targets) && Base.check_clone_targets(targets) === nothing
end

open(ARGS[2], "w") do results
    for cache in eachline(ARGS[1])
        fit = try
            is_fit(cache)
        catch # gone, or not whole
            true
        end
        fit || println(results, cache)
    end
    println(results, "end")
end
