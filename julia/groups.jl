# Tries the groups of a startup package, in a process that was started with it.
#
#     julia --project=PROJECT -L FOLDER/start.jl julia/groups.jl FOLDER RESULTS
#
# The packages of each group that FOLDER lists (JlsysStartup.jl says how) are loaded, group by group. RESULTS gets, in the same order, a line
#
#     group<TAB>ok|failed<TAB>seconds of processor time that loading the group took<TAB>bytes of memory that it took<TAB>what is wrong
#
# and behind it `cache<TAB>path` for the cache of each package that Julia judges the group by. Behind a cache that was not named before are the files
# that it was compiled from, each as `file<TAB>time|content<TAB>UUID<TAB>size<TAB>time of change<TAB>path`, where the first says by what
# Julia tells whether the file changed. At last, when a small program ran, `end`.

"JlsysStartup, which comes by itself with the first package of a group."
const FIRST = let waiting = filter(callback -> nameof(parentmodule(callback)) === :JlsysWaiting, Base.package_callbacks)
    isempty(waiting) || Base.invokelatest(parentmodule(only(waiting)).begin_now)
    found = filter(mod -> nameof(mod) === :JlsysStartup, Base.loaded_modules_order)
    isempty(found) ? nothing : last(found)
end

function try_group(names, packages)
    FIRST === nothing && return "failed\t0\t0\tthe startup package is not loaded"
    try
        foreach(Base.require, packages)
    catch error
        return "failed\t0\t0\t" * replace(first(split(sprint(showerror, error), '\n')), '\t' => ' ')
    end
    for (loaded, time, memory) in FIRST.LOADED
        loaded == names && return string("ok\t", time / 1e6, '\t', memory, '\t')
    end
    return "failed\t0\t0\tJulia does not take it for what was built"
end

function header_of(cache)
    return open(cache) do io
        iszero(Base.isvalid_cache_header(io)) && return nothing
        # Since 1.11 paths in it are put together by where it lies.
        return applicable(Base.parse_cache_header, io, cache) ? Base.parse_cache_header(io, cache) : Base.parse_cache_header(io)
    end
end

"The caches of the packages that a cache rests on, without what is in Julia's own image."
function rests_on(cache)
    header = header_of(cache)
    header === nothing && return []
    origins = [get(Base.pkgorigins, package, nothing) for (package, _) in header[3]]
    return [origin.cachepath for origin in origins if origin !== nothing && origin.cachepath !== nothing]
end

"Writes a line for each file that a cache was compiled from. Those of the standard library are Julia's own, and named where that was built."
function write_files(io, cache)
    header = header_of(cache)
    header === nothing && return
    package = first(first(header[1]))
    path = Base.pkgorigins[package].path
    path !== nothing && startswith(path, Sys.STDLIB) && return
    for file in header[2][1]
        isabspath(file.filename) && !occursin('\n', file.filename) || continue
        # Until 1.10 by their times, and since then where a package asks for that.
        judged = hasfield(typeof(file), :hash) && file.mtime < 0 ? "content" : "time"
        information = stat(file.filename)
        println(io, join(("file", judged, package.uuid, information.size, floor(Int64, information.mtime), file.filename), '\t'))
    end
end

function try_groups(folder, results_file)
    FIRST === nothing || (FIRST.MEASURES[] = true)
    seen = Set{String}()
    open(results_file, "w") do results
        for group in Meta.parse(read(joinpath(folder, "groups"), String)).args
            _, cache, names = group.args
            packages = [Base.PkgId(Base.UUID(group.args[i]), group.args[i+1]) for i in 5:2:length(group.args)-1]
            println(results, "group\t", try_group(names, packages))
            for cache in rests_on(joinpath(folder, cache))
                println(results, "cache\t", cache)
                cache in seen || write_files(results, cache)
                push!(seen, cache)
            end
            flush(results)
        end
        # What any session does.
        fetch(@async sum(abs2, 1:10)) == 385 || error("a task returns something else")
        twice = Core.eval(Module(), :(twice(x) = x + x; twice))
        Base.invokelatest(twice, 2.5) == 5.0 || error("a new method returns something else")
        println(results, "end")
    end
end

try_groups(ARGS[1], ARGS[2])
