# Which files were read while packages were precompiled or, where there is no cache, while they were loaded; included by object.jl.
#
# Julia's own caches list them: what makes a cache stale makes what was loaded from it wrong. Their format is another in each version,
# so that they are read by Julia's own functions.

module JlsysReads

"Has Julia note the files of what it loads from source."
function start()
    isdefined(Base, :_track_dependencies) && (Base._track_dependencies[] = true)
    return
end

"Forgets them: the lists are Julia's own, and would be in the image."
function stop()
    isdefined(Base, :_track_dependencies) && (Base._track_dependencies[] = false)
    isdefined(Base, :_require_dependencies) && empty!(Base._require_dependencies)
    return
end

"""
Writes a line `identity<TAB>size<TAB>time of change<TAB>path` for each file that was read for a package that is loaded. Returns the
files; `nothing`: they are not known.
"""
function write_files(io, identity, package)
    files = try
        sort!(unique!(files_of(package)))
    catch error
        # That is no fault of the package.
        println(stderr, "[jlsys: which files were read for ", package.name, " is not known: ", sprint(showerror, error), ']')
        return nothing
    end
    for file in files
        information = stat(file)
        println(io, join((identity, information.size, floor(Int64, information.mtime), file), '\t'))
    end
    flush(io)
    return files
end

function files_of(package)
    cache = cache_of(package)
    files = cache === nothing ? String[] : String[name_of(file) for file in Base.cache_dependencies(cache)[2]]
    # From source, since the last package.
    if isdefined(Base, :_require_dependencies)
        # What a package requires is in this list, too, as bytes.
        append!(files, (dependency[2] for dependency in Base._require_dependencies))
        empty!(Base._require_dependencies)
    end
    return filter(isabspath, files)
end

# Until 1.10 with a time.
name_of(file) = file isa Tuple ? file[1] : file

function cache_of(package)
    if isdefined(Base, :pkgorigins)
        origin = get(Base.pkgorigins, package, nothing)
        if origin !== nothing && hasfield(typeof(origin), :cachepath)
            return origin.cachepath
        end
    end
    # Before, the file is found by the build that it is of.
    build = Base.module_build_id(Base.loaded_modules[package]) % UInt64
    for cache in Base.find_all_in_cache_path(package)
        modules = try
            open(cache) do io
                Base.isvalid_cache_header(io) ? Base.parse_cache_header(io)[1] : []
            end
        catch
            []
        end
        any(entry -> entry.first == package && entry.second == build, modules) && return cache
    end
    return nothing
end

end
