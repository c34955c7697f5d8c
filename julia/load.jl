# Loads packages one by one and says which load.
#
#     julia --project=PROJECT julia/load.jl PACKAGES RESULTS
#
# PACKAGES has a line `uuid<TAB>name` for each package; RESULTS gets, for each of them in the same order, a line
# `uuid<TAB>ok` or `uuid<TAB>failed<TAB>first line of the error`. It is written as it goes, so that a package
# that ends the process is the one after the last line. The process exits with status 0 whatever failed.

function load_packages(packages_file, results_file)
    open(results_file, "w") do results
        for line in eachline(packages_file)
            uuid, name = split(line, '\t')
            package = Base.PkgId(Base.UUID(uuid), String(name))
            print(results, uuid)
            flush(results)
            try
                Base.require(package)
                println(results, "\tok")
            catch error
                message = first_line(error)
                println(stderr, "[jlsys: ", name, " does not load: ", message, ']')
                println(results, "\tfailed\t", message)
            end
            flush(results)
        end
    end
end

# Errors in a package's code arrive wrapped, once for every file and package on the way.
function first_line(error)
    while error isa LoadError || error isa InitError
        error = error.error
    end
    text = try
        sprint(showerror, error)
    catch
        string(typeof(error))
    end
    return replace(String(first(split(text, '\n'))), '\t' => ' ')
end

load_packages(ARGS[1], ARGS[2])
