# The kernel: its sockets, and what it answers.

mutable struct Kernel
    shell::Ptr{Cvoid}
    control::Ptr{Cvoid}
    stdin::Ptr{Cvoid}
    iopub::Ptr{Cvoid}
    heartbeat::Ptr{Cvoid}
    "What is being answered, which everything that is published belongs to."
    request::Union{Message,Nothing}
    main::Task
    stopping::Bool
end

const KERNEL = Ref{Kernel}()

function publish(kind::String, content)
    request = KERNEL[].request
    parent = request === nothing ? Dict{String,Any}() : request.header
    sendmessage(KERNEL[].iopub, Vector{UInt8}[Vector{UInt8}(kind)], kind, content, parent)
end

function run_kernel()
    connection = parsejson(read(popfirst!(ARGS), String))
    KEY[] = Vector{UInt8}(connection["key"])
    SESSION[] = newid()
    open_zmq()
    socket(kind, name) = bind_socket(kind, string(connection["transport"], "://", connection["ip"], ':', connection[name]))
    kernel = Kernel(
        socket(ZMQ.ROUTER, "shell_port"), socket(ZMQ.ROUTER, "control_port"), socket(ZMQ.ROUTER, "stdin_port"),
        socket(ZMQ.PUB, "iopub_port"), socket(ZMQ.REP, "hb_port"), nothing, current_task(), false)
    KERNEL[] = kernel
    get!(ENV, "LINES", "30")
    get!(ENV, "COLUMNS", "80")
    capture_streams()
    pushdisplay(InlineDisplay())
    # A SIGINT is for the cell that runs.
    ccall(:jl_exit_on_sigint, Cvoid, (Cint,), 0)
    publish("status", Dict{String,Any}("execution_state" => "starting"))
    @async watch(kernel)
    while !kernel.stopping
        try
            message = receivemessage(kernel.shell, 20)
            message === nothing || answer(kernel, kernel.shell, message)
            yield()
        catch error
            error isa InterruptException || rethrow()
        end
    end
    close_zmq((kernel.shell, kernel.control, kernel.stdin, kernel.iopub, kernel.heartbeat))
    exit(0)
end

# Control messages and heartbeats while a cell runs, as often as the cell lets other tasks run: one that computes without a
# pause is only reached by a signal.
function watch(kernel::Kernel)
    while !kernel.stopping
        try
            message = receivemessage(kernel.control)
            message === nothing || answer(kernel, kernel.control, message)
            beat = receive(kernel.heartbeat)
            beat === nothing || send(kernel.heartbeat, beat)
            sleep(0.05)
        catch error
            error isa InterruptException || rethrow()
            interrupt(kernel)
        end
    end
end

function interrupt(kernel::Kernel)
    main = kernel.main
    # Only while a cell waits for something: else it has nothing to be woken from.
    kernel.request === nothing || main === current_task() || schedule(main, InterruptException(); error = true)
end

function answer(kernel::Kernel, socket, message::Message)
    kind = message.header["msg_type"]
    before = kernel.request
    if kind == "interrupt_request"
        interrupt(kernel)
        sendmessage(socket, message.identities, "interrupt_reply", Dict{String,Any}("status" => "ok"), message.header)
        return
    end
    kernel.request = message
    publish("status", Dict{String,Any}("execution_state" => "busy"))
    content = respond(kernel, kind, message)
    content === nothing ||
        sendmessage(socket, message.identities, replace(kind, "_request" => "_reply"), content, message.header)
    publish("status", Dict{String,Any}("execution_state" => "idle"))
    kernel.request = before
end

function respond(kernel::Kernel, kind::String, message::Message)
    ok = Dict{String,Any}("status" => "ok")
    if kind == "execute_request"
        return execute(message)
    elseif kind == "kernel_info_request"
        language = Dict{String,Any}(
            "name" => "julia", "version" => string(VERSION), "mimetype" => "application/julia", "file_extension" => ".jl")
        return merge(ok, Dict{String,Any}(
            "protocol_version" => "5.3", "implementation" => "jlsys's stand-in for IJulia",
            "implementation_version" => "0.0.1", "language_info" => language, "banner" => "", "help_links" => Any[]))
    elseif kind == "complete_request"
        return merge(ok, complete(message.content["code"], message.content["cursor_pos"]))
    elseif kind == "is_complete_request"
        parsed = Meta.parse(message.content["code"]; raise = false)
        incomplete = parsed isa Expr && parsed.head === :incomplete
        return Dict{String,Any}("status" => incomplete ? "incomplete" : "complete", "indent" => "")
    elseif kind == "history_request"
        return merge(ok, Dict{String,Any}("history" => Any[]))
    elseif kind == "comm_info_request"
        return merge(ok, Dict{String,Any}("comms" => Dict{String,Any}()))
    elseif kind == "shutdown_request"
        kernel.stopping = true
        return merge(ok, Dict{String,Any}("restart" => get(message.content, "restart", false)))
    end
    return nothing
end

# Names in Main that begin with what stands before the cursor.
function complete(code::String, cursor::Int)
    before = String(collect(code)[1:cursor])
    start = match(r"[A-Za-z_][A-Za-z_0-9!]*$", before)
    typed = start === nothing ? "" : start.match
    # From 1.12 on what is defined later than the kernel began to run is seen only by `invokelatest`.
    all = string.(Base.invokelatest(names, Main; all = true, imported = true))
    found = typed == "" ? String[] : filter(name -> startswith(name, typed), all)
    return Dict{String,Any}(
        "matches" => found, "cursor_start" => cursor - length(typed), "cursor_end" => cursor, "metadata" => Dict{String,Any}())
end

"Ask the person in front of the notebook."
function readprompt(prompt::AbstractString; password = false)
    request = KERNEL[].request
    flush_streams()
    content = Dict{String,Any}("prompt" => prompt, "password" => password)
    sendmessage(KERNEL[].stdin, request.identities, "input_request", content, request.header)
    while true
        message = receivemessage(KERNEL[].stdin, 20)
        message === nothing || return message.content["value"]
        yield()
    end
end
