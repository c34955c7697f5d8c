# Leaves word of what a workload does, for jlsys to read when it has ended; included by the drivers that see it.
#
# What is noted stands in the file `TRACE.notes`, beside the trace: one line each, a word and, behind a tab, a text.

function note(word, text)
    trace = Base.JLOptions().trace_compile
    trace == C_NULL && return
    line = string(word, '\t', replace(string(text), r"[\r\n]+" => " "), '\n')
    # What the disk does not take is not known.
    try
        open(file -> write(file, line), string(unsafe_string(trace), ".notes"), "a")
    catch
    end
    return
end
