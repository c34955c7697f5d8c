# Loads packages one by one and says which load.
#
#     julia --project=PROJECT julia/load.jl PACKAGES RESULTS
#
# PACKAGES is as packages.jl says; RESULTS gets, for each package in the same order, a line `identity<TAB>ok` or
# `identity<TAB>failed<TAB>first line of the error`. It is written as it goes, so that a package that ends the
# process is the one after the last line. The process exits with status 0 whatever failed.
#
# Julia loads an extension by itself, and only prints what goes wrong; asking for it once more tells.

include(joinpath(@__DIR__, "packages.jl"))

function load_packages(packages_file, results_file)
    open(results_file, "w") do results
        for (identity, package) in packages_in(packages_file)
            print(results, identity)
            flush(results)
            try
                Base.require(package)
                println(results, "\tok")
            catch error
                message = first_line(error)
                println(stderr, "[jlsys: ", package.name, " does not load: ", message, ']')
                println(results, "\tfailed\t", message)
            end
            flush(results)
        end
    end
end

# Errors in a package's code arrive wrapped, once for every file and package on the way. Since 1.11 what the precompiling Julia
# printed is in the error, below a list of what failed.
function first_line(error)
    while error isa LoadError || error isa InitError
        error = error.error
    end
    text = try
        sprint(showerror, error)
    catch
        string(typeof(error))
    end
    line = first(split(text, '\n'))
    if isdefined(Base, :Precompilation) && error isa Base.Precompilation.PkgPrecompileError
        printed = match(r"^ERROR: (?:(?:Load|Init)Error: )*(.*)"m, text)
        crash = match(r"^\[\d+\] (signal .*)"m, text)
        printed !== nothing ? (line = printed[1]) : crash !== nothing && (line = "precompiling it ended with $(crash[1])")
    end
    return replace(String(line), '\t' => ' ')
end

load_packages(ARGS[1], ARGS[2])
