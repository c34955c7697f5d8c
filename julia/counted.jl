# Which caches Julia takes for packages in a process like this one, before and after precompiling; included by precompile.jl (Julia 1.9
# and later).
#
# The packages are a list as packages.jl says. Of each is told, in the same order, a line
#
#     identity<TAB>there|made|missing<TAB>bytes<TAB>cache
#
# with the size of its cache and package image. `there`: Julia took one before anything was precompiled.

include("packages.jl")

"The cache that Julia takes for a package; from then on it is the one that was used last (`isprecompiled` in base/loading.jl)."
function cache_of(package, known)
    for cache in Base.find_all_in_cache_path(package)
        Base.isprecompiled(package; ignore_loaded = true, stale_cache = known, cachepaths = [cache]) && return cache
    end
    return nothing
end

"What Julia takes for each package, `nothing` where it takes none, or no environment has the package."
function caches_of(packages)
    # Whether a cache is stale is asked of each that rests on it.
    known = Dict{Base.StaleCacheKey,Bool}()
    return map(packages) do (_, package)
        try
            cache_of(package, known)
        catch
            nothing
        end
    end
end

function write_counts(file, packages, before, after)
    open(file, "w") do io
        for ((identity, _), was, is) in zip(packages, before, after)
            outcome = is === nothing ? "missing" : was === nothing ? "made" : "there"
            bytes = is === nothing ? 0 : filesize(is) + filesize(Base.ocachefile_from_cachefile(is))
            println(io, join((identity, outcome, bytes, something(is, "")), '\t'))
        end
    end
end

"Precompiles what sessions load from an environment beside the project, with the versions that they find: Pkg would go by that environment alone."
function precompile_beside(packages)
    for (_, package) in packages
        Base.isprecompiled(package; ignore_loaded = true) && continue
        result = Base.compilecache(package)
        result isa Exception && throw(result)
    end
end
