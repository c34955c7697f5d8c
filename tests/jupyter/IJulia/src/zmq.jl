# The little of ZeroMQ that a kernel needs, from C. The library's path is known only when the kernel starts, so its functions
# are looked up then.

import Libdl

const ZMQ_PUB, ZMQ_REP, ZMQ_ROUTER = Cint(1), Cint(4), Cint(6)
const ZMQ_LINGER, ZMQ_RCVMORE = Cint(17), Cint(13)
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
