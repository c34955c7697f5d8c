# What a kernel does before the first cell, compiled with the package, as IJulia compiles its own.

precompile(run_kernel, ())
precompile(watch, (Kernel,))
precompile(answer, (Kernel, Ptr{Cvoid}, Message))
precompile(respond, (Kernel, String, Message))
precompile(execute, (Message,))
precompile(represent, (Any,))
precompile(publish_data, (Dict{String,Any},))
precompile(flush_streams, ())
precompile(receivemessage, (Ptr{Cvoid}, Int))
precompile(sendmessage, (Ptr{Cvoid}, Vector{Vector{UInt8}}, String, Dict{String,Any}, Dict{String,Any}))
precompile(signature, (Vector{Vector{UInt8}},))
for T in (Bool, Int, Float64, Nothing, String, Dict{String,Any}, Vector{Any})
    precompile(writejson, (IOBuffer, T))
    precompile(tojson, (T,))
end
precompile(parsejson, (String,))
for types in MIME_TYPES, mime in types
    precompile(represent, (typeof(MIME(mime)), Any))
end
