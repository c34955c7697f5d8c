# Checks that an image holds what it should, in a process that was started with it.
#
#     julia -J IMAGE --project=PROJECT julia/verify.jl PACKAGES RESULTS
#
# PACKAGES, as packages.jl says, are those that should be in the image. RESULTS gets a line `identity<TAB>ok` or
# `identity<TAB>failed<TAB>what is wrong` for each but those that need one that failed, then `program<TAB>ok` after a small program
# ran. It is written as it goes, so that what ends the process is what comes after the last line.

# The modules of the image: those that its guard holds until they are asked for (guard.jl). A startup package has its modules there
# before anything is loaded.
const IN_IMAGE = isdefined(Base, :JlsysGuard) ? copy(Base.JlsysGuard.modules) : copy(Base.loaded_modules)

include(joinpath(@__DIR__, "packages.jl"))

function verify(packages_file, results_file)
    broken = Set{Base.PkgId}()
    open(results_file, "w") do results
        for (identity, package) in packages_in(packages_file)
            # What needs a package that fails is not to blame; it comes after that, and is left out with it.
            if any(in(broken), needs_of(package))
                push!(broken, package)
                continue
            end
            print(results, identity)
            flush(results)
            wrong = try
                whats_wrong(package)
            catch error
                sprint(showerror, error)
            end
            wrong === nothing || push!(broken, package)
            println(results, wrong === nothing ? "\tok" : "\tfailed\t" * one_line(wrong))
            flush(results)
        end
        print(results, "program")
        flush(results)
        small_program()
        println(results, "\tok")
    end
end

# What a package of the image needs of it, while it is not loaded.
function needs_of(package)
    isdefined(Base, :JlsysGuard) || return Base.PkgId[]
    held = get(Base.JlsysGuard.held, package, nothing)
    return held === nothing ? Base.PkgId[] : held.needs
end

function whats_wrong(package)
    haskey(IN_IMAGE, package) || return "it is not in the image"
    # `require` asks the manifest as any `using` does, and runs what the package has to initialise.
    Base.require(package) === IN_IMAGE[package] || return "another copy of it is loaded"
    # Where the package was loaded from when the image was made, and where the manifest says it is today. The folder of
    # a registered package is named after its content, so this compares versions.
    built_from = origin_of(package, IN_IMAGE[package])
    today = Base.locate_package(package)
    if built_from !== nothing && today !== nothing && !same_file(built_from, today)
        return "the image has it from $built_from, the manifest says $today"
    end
    return nothing
end

# The file that a package was loaded from. From 1.6 on Julia keeps it; before, the one function that every module has (unless
# it is a `baremodule`) knows where the module was written.
function origin_of(package, mod)
    if isdefined(Base, :pkgorigins)
        origin = get(Base.pkgorigins, package, nothing)
        return origin === nothing ? nothing : origin.path
    end
    return isdefined(mod, :eval) ? string(first(methods(getfield(mod, :eval))).file) : nothing
end

same_file(a, b) = a == b || (ispath(a) && ispath(b) && realpath(a) == realpath(b))

one_line(text) = replace(String(first(split(text, '\n'))), '\t' => ' ')

# What any session does: output, exceptions, tasks, files, numbers, new methods, code that is compiled now.
function small_program()
    caught = try
        error("thrown on purpose")
    catch error
        error isa ErrorException
    end
    caught || error("an exception is not caught")
    fetch(@async sum(abs2, 1:10)) == 385 || error("a task returns something else")
    twice = Core.eval(Module(), :(twice(x) = x + x; twice))
    Base.invokelatest(twice, 2.5) == 5.0 || error("a new method returns something else")
    sprint(show, Dict(:a => [1.0, 2.0])) isa String || error("output is no text")
    mktemp() do path, io
        print(io, "text")
        close(io)
        read(path, String) == "text" || error("a file has something else in it")
    end
    isempty(LOAD_PATH) && error("LOAD_PATH is empty")
    isempty(DEPOT_PATH) && error("DEPOT_PATH is empty")
    return nothing
end

verify(ARGS[1], ARGS[2])
