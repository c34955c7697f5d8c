"""
    readframe(path_or_io; delim = ',', header = true, missings = ["", "NA"], types = Dict())

Read delimited text. Each column gets the first of `Int`, `Float64`, `Date`, `DateTime`, `Bool` that all
of its cells can be read as, and is `String` otherwise; `types` sets the type of a column by name.
Cells equal to one of `missings` are missing values.

```julia
readframe("weather.csv"; types = Dict(:postcode => String))
```
"""
readframe(path::AbstractString; options...) = open(io -> readframe(io; options...), path)

function readframe(
    io::IO;
    delim::AbstractChar = ',',
    header::Bool = true,
    missings::AbstractVector{<:AbstractString} = ["", "NA"],
    types::AbstractDict{Symbol} = Dict{Symbol,Type}(),
)
    text = read(io, String)
    all(isspace, text) && throw(ArgumentError("there is nothing to read: the text is empty"))
    cells = readdlm(IOBuffer(text), delim, String)::Matrix{String}
    names = header ? headernames(cells[1, :]) : [Symbol(:x, i) for i in 1:size(cells, 2)]
    body = header ? cells[2:end, :] : cells
    for name in keys(types)
        name in names || throw(ArgumentError("types names a column $name; there are $(join(names, ", "))"))
    end
    columns = AbstractVector[]
    for (i, name) in enumerate(names)
        cleaned = String[strip(cell) for cell in view(body, :, i)]
        push!(columns, haskey(types, name) ? parseas(types[name], name, cleaned, missings) : infer(cleaned, missings))
    end
    return Frame(names, columns)
end

"Names as they stand, empty ones numbered, and repeated ones told apart by their column number."
function headernames(cells::AbstractVector{String})
    names = Symbol[]
    for (i, cell) in enumerate(cells)
        name = isempty(strip(cell)) ? Symbol(:x, i) : Symbol(strip(cell))
        push!(names, name in names ? Symbol(name, :_, i) : name)
    end
    return names
end

const INFERRED = (Int, Float64, Date, DateTime, Bool)

function infer(cells::Vector{String}, missings)
    all(in(missings), cells) && return Vector{Missing}(missing, length(cells))
    for T in INFERRED
        column = tryparsecolumn(T, cells, missings)
        column === nothing || return column
    end
    return tryparsecolumn(String, cells, missings)
end

function parseas(T::Type, name::Symbol, cells::Vector{String}, missings)
    column = tryparsecolumn(T, cells, missings)
    column === nothing && throw(ArgumentError("column $name has cells that are no $T"))
    return column
end

"The cells as a `Vector{T}`, or of `Union{T,Missing}` where some are missing; `nothing` where a cell is no `T`."
function tryparsecolumn(::Type{T}, cells::Vector{String}, missings) where {T}
    column = Vector{Union{T,Missing}}(undef, length(cells))
    for (i, cell) in enumerate(cells)
        value = cell in missings ? missing : tryparsecell(T, cell)
        value === nothing && return nothing
        column[i] = value
    end
    return any(ismissing, column) ? column : convert(Vector{T}, column)
end

tryparsecell(::Type{String}, cell::String) = cell
tryparsecell(::Type{T}, cell::String) where {T} = tryparse(T, cell)
# `tryparse(Date, "2021")` is a date too; a date in a table is written out.
tryparsecell(::Type{T}, cell::String) where {T<:TimeType} = length(cell) < 8 ? nothing : tryparse(T, cell)

"""
    writeframe(path_or_io, frame; delim = ',')

Write `frame` as delimited text with a header, in a form that [`readframe`](@ref) reads back.
"""
writeframe(path::AbstractString, frame::Frame; delim::AbstractChar = ',') =
    open(io -> writeframe(io, frame; delim = delim), path, "w")

function writeframe(io::IO, frame::Frame; delim::AbstractChar = ',')
    cells = Matrix{Any}(undef, nrow(frame) + 1, ncol(frame))
    for (j, name) in enumerate(names(frame))
        cells[1, j] = string(name)
        cells[2:end, j] = [ismissing(value) ? "" : value for value in frame[name]]
    end
    writedlm(io, cells, delim)
end
