# Running cells.

const EXECUTION_COUNT = Ref(0)

# What cells print goes into files that are read when a cell ends or shows something: with no task of our own that reads a pipe,
# an interrupt always reaches the cell.
mutable struct Stream
    name::String
    file::String
    position::Int
end

const STREAMS = Stream[]

function capture_streams()
    folder = mktempdir()
    for (name, redirect) in (("stdout", redirect_stdout), ("stderr", redirect_stderr))
        file = joinpath(folder, name)
        redirect(open(file, "w"))
        push!(STREAMS, Stream(name, file, 0))
    end
end

function flush_streams()
    flush(stdout)
    flush(stderr)
    Base.Libc.flush_cstdio()
    for stream in STREAMS
        text = open(io -> (seek(io, stream.position); read(io, String)), stream.file)
        isempty(text) && continue
        stream.position += sizeof(text)
        publish("stream", Dict{String,Any}("name" => stream.name, "text" => text))
    end
end

# As the real one has it: what packages want to be called when a cell has run.
const POSTEXECUTE_HOOKS = Function[]

push_postexecute_hook(hook::Function) = push!(POSTEXECUTE_HOOKS, hook)

function execute(message::Message)
    code = message.content["code"]
    silent = get(message.content, "silent", false)
    silent || (EXECUTION_COUNT[] += 1)
    number = EXECUTION_COUNT[]
    silent || publish("execute_input", Dict{String,Any}("code" => code, "execution_count" => number))
    reply = try
        value = include_string(REPL.softscope, Main, code, "In[$number]")
        foreach(Base.invokelatest, POSTEXECUTE_HOOKS)
        flush_streams()
        if value !== nothing && !silent && !REPL.ends_with_semicolon(code)
            data = Base.invokelatest(represent, value)
            publish("execute_result",
                Dict{String,Any}("data" => data, "metadata" => Dict{String,Any}(), "execution_count" => number))
        end
        Dict{String,Any}("status" => "ok", "payload" => Any[], "user_expressions" => Dict{String,Any}())
    catch error
        backtrace = catch_backtrace()
        error isa LoadError && (error = error.error)
        flush_streams()
        text = sprint(io -> Base.invokelatest(showerror, io, error))
        lines = [text; split(sprint(Base.show_backtrace, backtrace), '\n')]
        content = Dict{String,Any}("ename" => string(typeof(error)), "evalue" => text, "traceback" => lines)
        publish("error", content)
        merge(content, Dict{String,Any}("status" => "error"))
    end
    reply["execution_count"] = number
    return reply
end
