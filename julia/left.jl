# Says which statements a session would still compile when it has loaded these packages, and with them the groups that are there.
#
#     julia --project=PROJECT -L FOLDER/start.jl julia/left.jl PACKAGES STATEMENTS RESULTS
#
# A group is built where its own packages are loaded and no others. A package that a session loads beside them can have methods that
# make code of the group invalid, and Julia then takes it for what it has not compiled.
#
# PACKAGES is as packages.jl says, STATEMENTS as replay.jl says. RESULTS gets the number of each statement that is left, one a line, counted from
# 1, and at last `end`.

include("packages.jl")
include("replay.jl")

"Whether nothing that is compiled and valid would be run for a call of this signature. What several methods fit has no code of its own."
function is_left(signature)
    matches = Base._methods_by_ftype(signature, 2, Base.get_world_counter())
    matches isa Vector && length(matches) == 1 || return false
    match = matches[1]
    types = Core.Compiler.get_compileable_sig(match.method, match.spec_types, match.sparams)
    types === nothing && return false
    instance = Core.Compiler.specialize_method(match.method, types, match.sparams)
    code = isdefined(instance, :cache) ? instance.cache : nothing
    while code !== nothing
        code.max_world == typemax(UInt) && code.invoke != C_NULL && return false
        code = isdefined(code, :next) ? code.next : nothing
    end
    return true
end

function write_left(statements, results_file)
    modules, known = JlsysReplay.loaded_by_name(), Dict{String,Any}()
    open(results_file, "w") do results
        for (number, text) in enumerate(eachline(statements))
            left = try
                is_left(JlsysReplay.signature_of(text, modules, known))
            catch
                # What cannot be put together here cannot be compiled.
                false
            end
            left && println(results, number)
        end
        println(results, "end")
    end
end

for (_, package) in packages_in(ARGS[1])
    Base.require(package)
end
# From 1.12 on what a file defines is seen only by what is called after it.
Base.invokelatest(write_left, ARGS[2], ARGS[3])
