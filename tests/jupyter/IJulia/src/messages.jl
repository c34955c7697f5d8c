# Messages: signed JSON between a client and the kernel.

const DELIMITER = Vector{UInt8}("<IDS|MSG>")

struct Message
    "Who sent it, on a ROUTER socket; the topic, on the PUB socket."
    identities::Vector{Vector{UInt8}}
    header::Dict{String,Any}
    parent::Dict{String,Any}
    content::Dict{String,Any}
end

const KEY = Ref(UInt8[])
const SESSION = Ref("")

newid() = bytes2hex(rand(Random.RandomDevice(), UInt8, 16))

function signature(parts)
    isempty(KEY[]) && return UInt8[]
    return Vector{UInt8}(bytes2hex(SHA.hmac_sha2_256(KEY[], reduce(vcat, parts))))
end

timestamp() = Base.Libc.strftime("%Y-%m-%dT%H:%M:%S", time()) * "Z"

function sendmessage(socket, identities, kind::String, content, parent::Dict{String,Any})
    header = Dict{String,Any}(
        "msg_id" => newid(), "session" => SESSION[], "username" => "kernel", "date" => timestamp(),
        "msg_type" => kind, "version" => "5.3")
    parts = Vector{UInt8}[Vector{UInt8}(tojson(part)) for part in Any[header, parent, Dict{String,Any}(), content]]
    send(socket, Vector{UInt8}[identities; [DELIMITER]; [signature(parts)]; parts])
end

"A message, or `nothing` when none has come or its signature is not right."
function receivemessage(socket, milliseconds = 0)
    frames = receive(socket, milliseconds)
    frames === nothing && return nothing
    place = findfirst(isequal(DELIMITER), frames)
    (place === nothing || length(frames) < place + 5) && return nothing
    parts = frames[place+2:place+5]
    frames[place+1] == signature(parts) || return nothing
    header, parent, _, content = (parsejson(String(copy(part))) for part in parts)
    return Message(frames[1:place-1], header, parent, content)
end
