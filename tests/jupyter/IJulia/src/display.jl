# What Jupyter is given to show a value by, as in IJulia's display.jl and inline.jl.

const MIME_TYPES = [
    ["text/plain"],
    ["image/svg+xml"],
    ["image/png", "image/jpeg"],
    ["text/markdown", "text/html"],
    ["text/latex"],
]

inline(io) = IOContext(io, :limit => true, :color => true, :jupyter => true)

function represent(mime::MIME, @nospecialize(value))
    buffer = IOBuffer()
    if istextmime(mime)
        value isa AbstractString && !showable(mime, value) && return String(value)
        show(inline(buffer), mime, value)
    else
        encoded = Base64.Base64EncodePipe(buffer)
        show(inline(encoded), mime, value)
        close(encoded)
    end
    return String(take!(buffer))
end

function represent(@nospecialize(value))
    data = Dict{String,Any}()
    for types in MIME_TYPES
        i = findfirst(mime -> showable(MIME(mime), value), types)
        i === nothing || (data[types[i]] = represent(MIME(types[i]), value))
    end
    return data
end

struct InlineDisplay <: AbstractDisplay end

Base.displayable(::InlineDisplay, ::MIME) = true
Base.display(::InlineDisplay, @nospecialize(value)) = publish_data(represent(value))
Base.display(::InlineDisplay, mime::MIME, @nospecialize(value)) =
    publish_data(Dict{String,Any}(string(mime) => represent(mime, value)))

function publish_data(data)
    flush_streams()
    publish("display_data", Dict{String,Any}("data" => data, "metadata" => Dict{String,Any}()))
end
