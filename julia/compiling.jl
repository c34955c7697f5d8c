# Adds up how long a process compiles, and notes it when the process ends, with what it has loaded by then.
#
#     julia --trace-compile=TRACE -L julia/compiling.jl …
#
# When the process exits, in whatever way lets Julia's exit hooks run, `TRACE.compiling` is written: the nanoseconds that type
# inference and code generation took since here, in all threads; and `TRACE.notes` gets a line with the UUIDs of what is loaded (notes.jl). For Julia 1.8 and later, where any number of users can
# have the count switched on at once (`cumulative_compile_timing`, base/timing.jl); `@time` is one of them. Elsewhere it does nothing.
#
# The code that is watched must not notice. Nothing is bound in Main: the module is where packages are that were
# not precompiled. It is compiled before the count begins, and its one statement in the trace is known by the module's name.

isdefined(Base, :cumulative_compile_timing) && Core.eval(Base.__toplevel__, :(module JlsysCompiling

function note()
    nanoseconds = ccall(:jl_cumulative_compile_time_ns, UInt64, ())
    trace = Base.JLOptions().trace_compile
    trace == C_NULL && return
    loaded = "loaded\t"
    for (package, _) in Base.loaded_modules
        package.uuid === nothing || (loaded = string(loaded, ' ', string(package.uuid)))
    end
    # What the disk does not take is not known.
    try
        write(string(unsafe_string(trace), ".compiling"), string(nanoseconds))
        open(file -> write(file, string(loaded, '\n')), string(unsafe_string(trace), ".notes"), "a")
    catch
    end
    return
end

precompile(note, ())
# Hooks run in the opposite order: what the code registers itself comes before this and is counted.
atexit(note)
ccall(:jl_cumulative_compile_timing_enable, Cvoid, ())

end))
