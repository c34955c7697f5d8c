"""
A stand-in for IJulia: a small Jupyter kernel for jlsys's tests. See ../../README.md.

The protocol is that of <https://jupyter-client.readthedocs.io/en/stable/messaging.html>, version 5.3.
"""
module IJulia

import Base64
import InteractiveUtils
import Random
import REPL
import SHA
import ZMQ

using ZMQ: bind_socket, close_zmq, open_zmq, receive, send

include("json.jl")
include("messages.jl")
include("display.jl")
include("execute.jl")
include("kernel.jl")
include("precompile.jl")

end
