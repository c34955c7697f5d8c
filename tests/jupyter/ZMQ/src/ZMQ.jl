"""
A stand-in for ZMQ.jl: the little of ZeroMQ that the stand-in for IJulia needs, from C, and what of ZMQ.jl's own interface a client needs. The
library's path is known only when a process starts, so its functions are looked up then.
"""
module ZMQ

import Libdl

const PUB, SUB, REP, DEALER, ROUTER = Cint(1), Cint(2), Cint(4), Cint(5), Cint(6)
const ZMQ_SUBSCRIBE, ZMQ_RCVMORE, ZMQ_LINGER = Cint(6), Cint(13), Cint(17)
const ZMQ_DONTWAIT, ZMQ_SNDMORE = Cint(1), Cint(2)

const LIBRARY = Ref(C_NULL)
const CONTEXT = Ref(C_NULL)

zmq(name::Symbol) = Libdl.dlsym(LIBRARY[], name)

function open_zmq()
    LIBRARY[] = Libdl.dlopen(get(ENV, "IJULIA_LIBZMQ", "libzmq.so.5"))
    CONTEXT[] = ccall(zmq(:zmq_ctx_new), Ptr{Cvoid}, ())
end

function bind_socket(kind::Cint, address::String)
    socket = ccall(zmq(:zmq_socket), Ptr{Cvoid}, (Ptr{Cvoid}, Cint), CONTEXT[], kind)
    # What was sent last must still leave when the kernel ends, but a client that is gone must not keep it.
    linger = Ref(Cint(1000))
    ccall(zmq(:zmq_setsockopt), Cint, (Ptr{Cvoid}, Cint, Ref{Cint}, Csize_t), socket, ZMQ_LINGER, linger, sizeof(Cint))
    ccall(zmq(:zmq_bind), Cint, (Ptr{Cvoid}, Cstring), socket, address) == 0 || error("cannot bind $address")
    return socket
end

function close_zmq(sockets)
    for socket in sockets
        ccall(zmq(:zmq_close), Cint, (Ptr{Cvoid},), socket)
    end
    ccall(zmq(:zmq_ctx_term), Cint, (Ptr{Cvoid},), CONTEXT[])
end

"One message as its frames, or `nothing` when none has come within some milliseconds."
function receive(socket::Ptr{Cvoid}, milliseconds::Integer = 0)
    # A zmq_pollitem_t: the socket, a file descriptor, and the events asked for (ZMQ_POLLIN is 1) and seen.
    item = Ref((socket, Cint(0), Cshort(1), Cshort(0)))
    ccall(zmq(:zmq_poll), Cint, (Ptr{Cvoid}, Cint, Clong), item, 1, milliseconds) > 0 || return nothing
    frames = Vector{UInt8}[]
    more = Ref(Cint(1))
    while more[] != 0
        message = zeros(UInt64, 8) # a zmq_msg_t is 64 bytes
        ccall(zmq(:zmq_msg_init), Cint, (Ptr{Cvoid},), message)
        count = ccall(zmq(:zmq_msg_recv), Cint, (Ptr{Cvoid}, Ptr{Cvoid}, Cint), message, socket, ZMQ_DONTWAIT)
        count >= 0 || return nothing
        data = ccall(zmq(:zmq_msg_data), Ptr{UInt8}, (Ptr{Cvoid},), message)
        push!(frames, copy(unsafe_wrap(Array, data, Int(count))))
        ccall(zmq(:zmq_msg_close), Cint, (Ptr{Cvoid},), message)
        size = Ref(Csize_t(sizeof(Cint)))
        ccall(zmq(:zmq_getsockopt), Cint, (Ptr{Cvoid}, Cint, Ref{Cint}, Ref{Csize_t}), socket, ZMQ_RCVMORE, more, size)
    end
    return frames
end

function send(socket::Ptr{Cvoid}, frames::Vector{Vector{UInt8}})
    for (i, frame) in enumerate(frames)
        flags = i == length(frames) ? Cint(0) : ZMQ_SNDMORE
        ccall(zmq(:zmq_send), Cint, (Ptr{Cvoid}, Ptr{UInt8}, Csize_t, Cint), socket, frame, length(frame), flags)
    end
end


# ZMQ.jl's interface, as far as julia/kernel.jl goes by it.

struct Context
    pointer::Ptr{Cvoid}
end

Context() = (open_zmq(); Context(CONTEXT[]))

mutable struct Socket
    pointer::Ptr{Cvoid}
    "Of the message that is read, or written, the frames that are still to come, or to be sent."
    coming::Vector{Vector{UInt8}}
    leaving::Vector{Vector{UInt8}}
end

Socket(context::Context, kind::Integer) =
    Socket(ccall(zmq(:zmq_socket), Ptr{Cvoid}, (Ptr{Cvoid}, Cint), context.pointer, kind), Vector{UInt8}[], Vector{UInt8}[])

pointer_of(socket::Socket) = getfield(socket, :pointer)

function Base.setproperty!(socket::Socket, name::Symbol, value)
    name === :linger || error("this stand-in has no $name")
    ccall(zmq(:zmq_setsockopt), Cint, (Ptr{Cvoid}, Cint, Ref{Cint}, Csize_t), pointer_of(socket), ZMQ_LINGER, Cint(value), sizeof(Cint))
    return value
end

Base.getproperty(socket::Socket, name::Symbol) =
    name === :rcvmore ? !isempty(getfield(socket, :coming)) : error("this stand-in has no $name")

function connect(socket::Socket, address::String)
    ccall(zmq(:zmq_connect), Cint, (Ptr{Cvoid}, Cstring), pointer_of(socket), address) == 0 || error("cannot connect to $address")
end

function subscribe(socket::Socket, topic::String)
    ccall(zmq(:zmq_setsockopt), Cint, (Ptr{Cvoid}, Cint, Ptr{UInt8}, Csize_t), pointer_of(socket), ZMQ_SUBSCRIBE, topic, sizeof(topic))
end

function send(socket::Socket, text::String; more::Bool = false)
    frames = getfield(socket, :leaving)
    push!(frames, Vector{UInt8}(text))
    more || (send(pointer_of(socket), frames); empty!(frames))
    return
end

function recv(socket::Socket, ::Type{String})
    frames = getfield(socket, :coming)
    while isempty(frames)
        message = receive(pointer_of(socket))
        message === nothing ? sleep(0.005) : append!(frames, message)
    end
    return String(popfirst!(frames))
end

end
