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
                text = text_of(error)
                message = replace(String(first(split(text, '\n'))), '\t' => ' ')
                # Since 1.11 what the Julia that precompiles a package printed is in the error. It belongs into the log, where
                # it has been before, when that Julia wrote to our stderr.
                occursin('\n', text) && println(stderr, text)
                println(stderr, "[jlsys: ", package.name, " does not load: ", message, ']')
                println(results, "\tfailed\t", message)
            end
            flush(results)
        end
    end
end

# Errors in a package's code arrive wrapped, once for every file and package on the way.
function text_of(error)
    while error isa LoadError || error isa InitError
        error = error.error
    end
    return try
        sprint(showerror, error)
    catch
        string(typeof(error))
    end
end

load_packages(ARGS[1], ARGS[2])
