# As much of JSON as messages need: the standard library has none.

function writejson(io::IO, text::AbstractString)
    print(io, '"')
    for c in text
        if c == '"' || c == '\\'
            print(io, '\\', c)
        elseif c < ' '
            print(io, "\\u", string(UInt16(c); base = 16, pad = 4))
        else
            print(io, c)
        end
    end
    print(io, '"')
end
writejson(io::IO, value::Union{Bool,Integer,Float64}) = print(io, value)
writejson(io::IO, ::Nothing) = print(io, "null")
writejson(io::IO, value::Symbol) = writejson(io, string(value))

function writejson(io::IO, list::AbstractVector)
    print(io, '[')
    for (i, value) in enumerate(list)
        i == 1 || print(io, ',')
        writejson(io, value)
    end
    print(io, ']')
end

function writejson(io::IO, object::AbstractDict)
    print(io, '{')
    for (i, (key, value)) in enumerate(object)
        i == 1 || print(io, ',')
        writejson(io, string(key))
        print(io, ':')
        writejson(io, value)
    end
    print(io, '}')
end

tojson(@nospecialize(value)) = sprint(writejson, value)

parsejson(text::AbstractString) = readjson(IOBuffer(text))

const JSON_SPACE = (' ', '\t', '\n', '\r')

function nextchar(io::IO)
    c = read(io, Char)
    while c in JSON_SPACE
        c = read(io, Char)
    end
    return c
end

readjson(io::IO) = readjson(io, nextchar(io))

function readjson(io::IO, c::Char)
    c == '"' && return readstring(io)
    c == '{' && return readobject(io)
    c == '[' && return readlist(io)
    c == 't' && return (skip(io, 3); true)
    c == 'f' && return (skip(io, 4); false)
    c == 'n' && return (skip(io, 3); nothing)
    digits = IOBuffer()
    print(digits, c)
    while !eof(io) && Char(Base.peek(io)) in "0123456789+-.eE"
        print(digits, read(io, Char))
    end
    text = String(take!(digits))
    return something(tryparse(Int, text), tryparse(Float64, text))
end

function readstring(io::IO)
    text = IOBuffer()
    while (c = read(io, Char)) != '"'
        if c != '\\'
            print(text, c)
            continue
        end
        c = read(io, Char)
        if c == 'u'
            code = parse(UInt32, String(read(io, 4)); base = 16)
            if 0xd800 <= code < 0xdc00
                skip(io, 2)
                code = 0x10000 + (code - 0xd800) << 10 + (parse(UInt32, String(read(io, 4)); base = 16) - 0xdc00)
            end
            print(text, Char(code))
        else
            print(text, c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c)
        end
    end
    return String(take!(text))
end

function readlist(io::IO)
    list = Any[]
    c = nextchar(io)
    while c != ']'
        push!(list, readjson(io, c))
        c = nextchar(io)
        c == ',' && (c = nextchar(io))
    end
    return list
end

function readobject(io::IO)
    object = Dict{String,Any}()
    c = nextchar(io)
    while c != '}'
        key = readstring(io)
        nextchar(io) # the colon
        object[key] = readjson(io)
        c = nextchar(io)
        c == ',' && (c = nextchar(io))
    end
    return object
end
