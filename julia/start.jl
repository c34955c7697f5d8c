# Lets the startup package wait for the packages that it is about, before a session's own code: `julia -L FOLDER/start.jl …`.
#
# The session must not notice. LOAD_PATH and DEPOT_PATH are as before when this is done, no name is bound in Main, no package is loaded, nothing
# is ever precompiled, and whatever goes wrong the session goes on without, after one line. The same text lies here as
# `start-quietly.jl`, which leaves out the line.
#
# Nor must it take time. Julia interprets what stands at the top of a file, unless there is a loop or a `ccall` (`jl_toplevel_eval_flex` in
# src/toplevel.c). A call then costs nothing if Julia's own image has it compiled for these types, and some 8 ms and 3 MB if not
# (`--trace-compile=stderr` shows what is compiled). A macro costs as much, so that this file's path is taken from the line number in a quote;
# `basename` and `dirname` compile a regular expression.
let file = String((quote; x; end).args[1].file)
    # 1.9 is where package images begin.
    if isdefined(Base, :isprecompiled)
        says = endswith(file, "/start.jl")
        try
            # In Base, as the session guard of an image is: Main has no name of it.
            waiting = Base.include(Base, string(file[1:end-(says ? 8 : 16)], "waiting.jl"))
            says || Core.eval(waiting, :(SAYS = false))
        catch error
            text = sprint(showerror, error)
            says && println(stderr, "jlsys: plain Julia: the startup package does not load: ", first(split(text, '\n')))
        end
    end
end
