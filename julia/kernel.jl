# Starts the kernel that notebooks run in, and asks of it what a front end asks.
#
#     julia --project=PROJECT julia/kernel.jl JULIA ARGUMENT...
#
# JULIA with its arguments is the kernel's command, without what IJulia's own kernelspec has in it: that is added here. What counts is
# what the kernel compiles while it answers, which `--trace-compile` among the arguments writes down. IJulia, and the ZMQ that it needs
# itself, are those that PROJECT or the default environment have. The protocol is that of
# https://jupyter-client.readthedocs.io/en/stable/messaging.html.
#
# The process exits with status 0 when the kernel answered everything and has ended as it was asked to.

module JlsysKernel

const IJULIA = Base.PkgId(Base.UUID("7073ff75-c697-5162-941a-fcdaad2a7d2a"), "IJulia")
# By UUID: a project need not have these among its dependencies.
const SHA = Base.require(Base.PkgId(Base.UUID("ea8e919c-243c-51af-8825-aaa63cd721ce"), "SHA"))
const Sockets = Base.require(Base.PkgId(Base.UUID("6462fe0b-24de-5631-8697-dd941f90decc"), "Sockets"))

# Here first: a kernel is interactive, and such a Julia leaves what is not precompiled to Pkg (`_require` in base/loading.jl of 1.10),
# which looks for registries.
Base.require(IJULIA)
const ZMQ = Base.require(Base.identify_package(IJULIA, "ZMQ"))

"What somebody tries first: a value, a variable, output, pictures, what is wrong."
const CELLS = [
    "1 + 1",
    "x = [1.5, 2.5]\ny = \"text\"",
    "println(\"text\", 1)\nfor i in 1:2\n    print(i, ' ')\nend",
    "f(x) = x + 1",
    "f.(x)",
    "Dict(\"a\" => 1, \"b\" => 2)",
    "display(HTML(\"<b>text</b>\"))\n@info \"text\" x",
    "struct Picture end
    Base.show(io::IO, ::MIME\"image/svg+xml\", ::Picture) = print(io, \"<svg/>\")
    Base.show(io::IO, ::MIME\"image/png\", ::Picture) = write(io, 0x89)
    Picture()",
    "x;",
    "error(\"text\")",
    "undefined_name",
    "f(\"text\")",
    "x[3]",
    "sqrt(-1.0)",
    "Dict(\"a\" => 1)[\"b\"]",
    "parse(Int, \"text\")",
]

"It is interrupted; if that does not work, it ends by itself."
const LONG_CELL = "for _ in 1:100\n    sleep(0.05)\nend"

const KEY = bytes2hex(rand(UInt8, 16))
const SESSION = bytes2hex(rand(UInt8, 16))
const PORTS = ["shell", "control", "stdin", "hb", "iopub"]

struct Client
    process::Base.Process
    shell::Any
    control::Any
    # What comes from the kernel: of each message its type, its parent's header, and its content.
    replies::Channel{NTuple{3,String}}
    published::Channel{NTuple{3,String}}
end

"How IJulia's own kernelspec starts a kernel (deps/kspec.jl): from 1.28 on by a function, before that by a program file."
function kernel_arguments()
    source = Base.locate_package(IJULIA)
    program = joinpath(dirname(source), "kernel.jl")
    has_function = occursin("run_kernel()", read(program, String))
    return vcat(["-i", "--color=yes"], has_function ? ["-e", "import IJulia; IJulia.run_kernel()"] : [program])
end

function free_ports()
    servers = [Sockets.listenany(Sockets.localhost, 0) for _ in PORTS]
    foreach(close ∘ last, servers)
    return [Int(first(server)) for server in servers]
end

function start(command)
    ports = free_ports()
    file = joinpath(mktempdir(), "kernel.json")
    lines = [string('"', name, "_port\": ", port, ',') for (name, port) in zip(PORTS, ports)]
    write(file, "{", lines..., "\"transport\": \"tcp\", \"ip\": \"127.0.0.1\", \"key\": \"", KEY,
        "\", \"signature_scheme\": \"hmac-sha256\"}")
    command = Cmd([command; kernel_arguments(); file])
    process = run(pipeline(command; stdin = devnull, stdout = stdout, stderr = stderr); wait = false)
    context = ZMQ.Context()
    connected(kind, port) = begin
        socket = ZMQ.Socket(context, kind)
        # What was not sent must not keep this process from its end.
        socket.linger = 0
        ZMQ.connect(socket, "tcp://127.0.0.1:$port")
        socket
    end
    port = Dict(zip(PORTS, ports))
    iopub = connected(ZMQ.SUB, port["iopub"])
    ZMQ.subscribe(iopub, "")
    client = Client(process, connected(ZMQ.DEALER, port["shell"]), connected(ZMQ.DEALER, port["control"]), Channel{NTuple{3,String}}(Inf),
        Channel{NTuple{3,String}}(Inf))
    listen(client.shell, client.replies)
    listen(iopub, client.published)
    return client
end

function listen(socket, messages)
    @async while true
        parts = String[ZMQ.recv(socket, String)]
        while socket.rcvmore
            push!(parts, ZMQ.recv(socket, String))
        end
        place = findfirst(isequal("<IDS|MSG>"), parts)
        put!(messages, (word("msg_type", parts[place+2]), parts[place+3], parts[place+5]))
    end
end

"A text of a JSON object, which is enough here: nothing that is looked for has escapes in it."
function word(name, json)
    found = match(Regex("\"$name\"\\s*:\\s*\"([^\"]*)\""), json)
    return found === nothing ? "" : String(found[1])
end

"Sends a request; its identity."
function send(socket, kind, content)
    id = bytes2hex(rand(UInt8, 16))
    date = Libc.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time())
    header = "{\"msg_id\": \"$id\", \"msg_type\": \"$kind\", \"username\": \"jlsys\", \"session\": \"$SESSION\", \"date\": \"$date\", \"version\": \"5.3\"}"
    signed = [header, "{}", "{}", content]
    signature = bytes2hex(SHA.hmac_sha2_256(Vector{UInt8}(KEY), Vector{UInt8}(join(signed))))
    parts = ["<IDS|MSG>"; signature; signed]
    for (number, part) in enumerate(parts)
        ZMQ.send(socket, part; more = number < length(parts))
    end
    return id
end

"Waits for a message; whether it came in time, and before the kernel ended."
function await(is_it, client, messages; seconds = Inf)
    deadline = time() + seconds
    while time() < deadline
        while isready(messages)
            is_it(take!(messages)...) && return true
        end
        process_exited(client.process) && error("the kernel ended before it had answered")
        sleep(0.01)
    end
    return false
end

is_idle(id) = (kind, parent, content) -> kind == "status" && occursin(id, parent) && word("execution_state", content) == "idle"

"Asks the kernel, and waits until it has nothing more to do for that. A kernel does not answer what it does not know."
function ask(client, kind, content = "{}")
    println(stderr, "[jlsys: ", kind, ']')
    id = send(client.shell, kind, content)
    await(is_idle(id), client, client.published)
end

"As a front end does: what is published reaches it only some time after it has connected."
function ask_until_all_is_connected(client)
    while true
        id = send(client.shell, "kernel_info_request", "{}")
        await((_, parent, _) -> occursin(id, parent), client, client.replies)
        await(is_idle(id), client, client.published; seconds = 1) && return
    end
end

# The escapes of Julia for ASCII without `\$` are those of JSON.
execution(code) = "{\"code\": \"$(escape_string(code))\", \"silent\": false, \"store_history\": true, \"user_expressions\": {}, " *
    "\"allow_stdin\": false, \"stop_on_error\": true}"

function interrupt_a_cell(client)
    println(stderr, "[jlsys: interrupt]")
    id = send(client.shell, "execute_request", execution(LONG_CELL))
    await((kind, parent, _) -> kind == "execute_input" && occursin(id, parent), client, client.published)
    sleep(0.3)
    kill(client.process, Base.SIGINT)
    await(is_idle(id), client, client.published)
end

function shut_down(client)
    send(client.control, "shutdown_request", "{\"restart\": false}")
    # Whether the answer comes on this socket depends on IJulia's version.
    timedwait(() -> process_exited(client.process), 30.0) === :ok && return
    kill(client.process, Base.SIGKILL)
    error("the kernel did not end when it was asked to")
end

function main(command)
    client = start(command)
    ask_until_all_is_connected(client)
    ask(client, "comm_info_request")
    ask(client, "history_request", "{\"output\": false, \"raw\": true, \"hist_access_type\": \"tail\", \"n\": 10}")
    for code in CELLS
        ask(client, "execute_request", execution(code))
    end
    ask(client, "complete_request", "{\"code\": \"prin\", \"cursor_pos\": 4}")
    ask(client, "inspect_request", "{\"code\": \"println\", \"cursor_pos\": 7, \"detail_level\": 0}")
    ask(client, "is_complete_request", "{\"code\": \"for i in 1:3\"}")
    interrupt_a_cell(client)
    ask(client, "execute_request", execution("x"))
    shut_down(client)
end

end

# From 1.12 on what a file defines is seen only by what is called after it.
Base.invokelatest(JlsysKernel.main, ARGS)
exit(0)
