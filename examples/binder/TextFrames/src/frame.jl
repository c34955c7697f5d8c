"""
    Frame(name = column, ...)
    Frame(:name => column, ...)

A table of named columns of equal length. A column is any vector; what may be missing has an element
type that includes `Missing`.

`frame.name` and `frame[:name]` give a column itself, `frame[rows, columns]` a new frame,
`frame[row, :name]` one value, and `frame[:name] = values` sets a column or adds one.

```julia
julia> frame = Frame(city = ["Oslo", "Rome"], degrees = [4.5, 17.0]);

julia> frame[frame.degrees .> 10, :]
```
"""
struct Frame
    names::Vector{Symbol}
    columns::Vector{AbstractVector}

    function Frame(names::Vector{Symbol}, columns::Vector{AbstractVector})
        length(names) == length(columns) ||
            throw(DimensionMismatch("$(length(names)) names for $(length(columns)) columns"))
        allunique(names) || throw(ArgumentError("two columns have the same name: $(join(names, ", "))"))
        for (name, column) in zip(names, columns)
            length(column) == length(first(columns)) || throw(DimensionMismatch(
                "column $name has $(length(column)) values, $(first(names)) has $(length(first(columns)))"))
        end
        return new(names, columns)
    end
end

Frame(names, columns) = Frame(collect(Symbol, names), AbstractVector[tocolumn(c) for c in columns])
Frame(pairs::Pair...) = Frame(map(first, pairs), map(last, pairs))
Frame(; columns...) = Frame(keys(columns), values(values(columns)))

tocolumn(column::Vector) = column
tocolumn(column) = vec(collect(column))

columnnames(frame::Frame) = getfield(frame, :names)
columns(frame::Frame) = getfield(frame, :columns)

"Number of rows."
nrow(frame::Frame) = isempty(columns(frame)) ? 0 : length(first(columns(frame)))::Int

"Number of columns."
ncol(frame::Frame) = length(columns(frame))

Base.size(frame::Frame) = (nrow(frame), ncol(frame))
Base.size(frame::Frame, dim::Integer) = size(frame)[dim]
Base.isempty(frame::Frame) = nrow(frame) == 0
Base.names(frame::Frame) = copy(columnnames(frame))
Base.propertynames(frame::Frame, private::Bool = false) = Tuple(columnnames(frame))
Base.haskey(frame::Frame, name::Symbol) = name in columnnames(frame)
Base.copy(frame::Frame) = Frame(names(frame), AbstractVector[copy(c) for c in columns(frame)])
Base.lastindex(frame::Frame, dim::Integer) = size(frame, dim)

function columnindex(frame::Frame, name::Symbol)
    found = findfirst(isequal(name), columnnames(frame))
    found === nothing &&
        throw(ArgumentError("no column $name; there are $(join(columnnames(frame), ", "))"))
    return found
end

Base.getproperty(frame::Frame, name::Symbol) = frame[name]
Base.setproperty!(frame::Frame, name::Symbol, column) = setindex!(frame, column, name)
Base.getindex(frame::Frame, name::Symbol) = columns(frame)[columnindex(frame, name)]
Base.getindex(frame::Frame, row::Integer, name::Symbol) = frame[name][row]
Base.getindex(frame::Frame, rows, name::Symbol) = frame[name][rows]
Base.getindex(frame::Frame, row::Integer, ::Colon) = Row(frame, row)
Base.getindex(frame::Frame, rows, ::Colon) = takerows(frame, rows)
Base.getindex(frame::Frame, rows, chosen::AbstractVector{Symbol}) = takerows(select(frame, chosen...), rows)

takerows(frame::Frame, rows) = Frame(names(frame), AbstractVector[c[rows] for c in columns(frame)])

function Base.setindex!(frame::Frame, values, name::Symbol)
    column = values isa Union{AbstractArray,Base.Generator} ? tocolumn(values) : fill(values, nrow(frame))
    ncol(frame) == 0 || length(column) == nrow(frame) || throw(DimensionMismatch(
        "$(length(column)) values for column $name of a frame of $(nrow(frame)) rows"))
    if haskey(frame, name)
        columns(frame)[columnindex(frame, name)] = column
    else
        push!(columnnames(frame), name)
        push!(columns(frame), column)
    end
    return frame
end

# Columns hold missing values, so equality is `isequal` throughout: a frame equals its copy.
Base.:(==)(a::Frame, b::Frame) = isequal(a, b)
Base.isequal(a::Frame, b::Frame) =
    columnnames(a) == columnnames(b) && all(isequal(x, y) for (x, y) in zip(columns(a), columns(b)))
Base.hash(frame::Frame, seed::UInt) = hash(columns(frame), hash(columnnames(frame), seed))

"""
    Row

One row of a frame, as `eachrow(frame)` and `frame[3, :]` give it: `row.name` is a value.
"""
struct Row
    frame::Frame
    index::Int
end

Base.getproperty(row::Row, name::Symbol) = getfield(row, :frame)[getfield(row, :index), name]
Base.getindex(row::Row, name::Symbol) = getproperty(row, name)
Base.propertynames(row::Row, private::Bool = false) = propertynames(getfield(row, :frame))
Base.pairs(row::Row) = [name => row[name] for name in propertynames(row)]

function Base.show(io::IO, row::Row)
    print(io, "Row(")
    join(io, ("$name = $(repr(value))" for (name, value) in pairs(row)), ", ")
    print(io, ")")
end

Base.eachrow(frame::Frame) = (Row(frame, i) for i in 1:nrow(frame))

"""
    select(frame, names...)

The named columns of `frame`, in that order.
"""
select(frame::Frame, chosen::Symbol...) = Frame(collect(Symbol, chosen), AbstractVector[frame[n] for n in chosen])

"""
    rename(frame, :old => :new, ...)

`frame` with other names for some of its columns.
"""
function rename(frame::Frame, changes::Pair{Symbol,Symbol}...)
    new = names(frame)
    for (old, name) in changes
        new[columnindex(frame, old)] = name
    end
    return Frame(new, copy(columns(frame)))
end

Base.first(frame::Frame, n::Integer) = takerows(frame, 1:min(n, nrow(frame)))
Base.last(frame::Frame, n::Integer) = takerows(frame, max(1, nrow(frame) - n + 1):nrow(frame))

"""
    filter(row -> ..., frame)
    filter(:name => predicate, frame)

The rows for which the predicate is `true`; rows for which it is `missing` are left out.
"""
Base.filter((@nospecialize predicate), frame::Frame) = takerows(frame, matches(predicate, eachrow(frame)))
Base.filter((@nospecialize condition::Pair{Symbol}), frame::Frame) =
    takerows(frame, matches(condition.second, frame[condition.first]))

# A plain loop: with a comprehension, every predicate of the user's would compile it anew.
function matches((@nospecialize predicate), values)
    found = Int[]
    for (i, value) in enumerate(values)
        predicate(value) === true && push!(found, i)
    end
    return found
end

"""
    sort(frame, names...; rev = false)

The rows of `frame` in the order of the named columns, the first deciding; missing values come last.
"""
function Base.sort(frame::Frame, by::Symbol...; rev::Bool = false)
    order = collect(1:nrow(frame))
    for name in reverse(by)
        order = order[sortperm(frame[name][order]; rev = rev, alg = MergeSort)]
    end
    return takerows(frame, order)
end

"""
    unique(frame, names...)

The first row of each combination of values in the named columns (in all of them, where none is named).
"""
function Base.unique(frame::Frame, by::Symbol...)
    keyed = rowkeys(frame, isempty(by) ? columnnames(frame) : collect(Symbol, by))
    return takerows(frame, unique(i -> keyed[i], 1:nrow(frame)))
end

"The values of each row in the columns `by`, as one tuple a row."
function rowkeys(frame::Frame, by::Vector{Symbol})
    chosen = AbstractVector[frame[name] for name in by]
    return Tuple[Tuple(Any[column[i] for column in chosen]) for i in 1:nrow(frame)]
end

"""
    dropmissing(frame, names...)

The rows with no missing value in the named columns (in any, where none is named). Those columns
then no longer allow missing values.
"""
function dropmissing(frame::Frame, by::Symbol...)
    chosen = isempty(by) ? columnnames(frame) : collect(Symbol, by)
    complete = fill(true, nrow(frame))
    for name in chosen
        unmark!(complete, frame[name])
    end
    kept = takerows(frame, findall(complete))
    for name in chosen
        kept[name] = collect(nonmissingtype(eltype(kept[name])), kept[name])
    end
    return kept
end

function unmark!(complete::Vector{Bool}, column::AbstractVector)
    for i in eachindex(complete)
        ismissing(column[i]) && (complete[i] = false)
    end
end

"""
    vcat(frames...)

The rows of all the frames, which must have the same columns.
"""
function Base.vcat(frame::Frame, more::Frame...)
    for other in more
        columnnames(other) == columnnames(frame) || throw(ArgumentError(
            "cannot stack columns $(join(names(other), ", ")) under $(join(names(frame), ", "))"))
    end
    return Frame(names(frame), AbstractVector[reduce(vcat, [f[n] for f in (frame, more...)]) for n in names(frame)])
end
