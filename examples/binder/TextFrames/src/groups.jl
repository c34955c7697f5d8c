"""
    groupby(frame, names...)

The rows of `frame` in groups of equal values in the named columns, in the order of those values.
Iterating gives one frame a group; [`combine`](@ref) and [`transform`](@ref) compute with them.
"""
function groupby(frame::Frame, by::Symbol...)
    isempty(by) && throw(ArgumentError("groupby needs at least one column"))
    names = collect(Symbol, by)
    members = Dict{Tuple,Vector{Int}}()
    for (i, key) in enumerate(rowkeys(frame, names))
        push!(get!(() -> Int[], members, key), i)
    end
    ordered = sort!(collect(keys(members)))
    return Groups(frame, names, ordered, [members[key] for key in ordered])
end

struct Groups
    frame::Frame
    by::Vector{Symbol}
    keys::Vector{Tuple}
    rows::Vector{Vector{Int}}
end

Base.length(groups::Groups) = length(groups.rows)
Base.eltype(::Type{Groups}) = Frame
Base.keys(groups::Groups) = groups.keys
Base.getindex(groups::Groups, i::Integer) = takerows(groups.frame, groups.rows[i])
Base.iterate(groups::Groups, i::Int = 1) = i > length(groups) ? nothing : (groups[i], i + 1)

function Base.show(io::IO, groups::Groups)
    print(io, length(groups), length(groups) == 1 ? " group" : " groups", " by ", join(groups.by, ", "))
    print(io, " of ", nrow(groups.frame), " rows")
end

"A column to compute: `f` of the columns `of`, called `name`."
struct Computed
    of::Vector{Symbol}
    f::Any
    name::Symbol
end

Computed((@nospecialize spec::Pair)) = Computed(spec.first, spec.second)
Computed(::typeof(nrow)) = Computed(Symbol[], length, :nrow)
Computed(::typeof(nrow), name::Symbol) = Computed(Symbol[], length, name)
Computed(of::Symbol, (@nospecialize rest)) = Computed([of], rest)
Computed(of::Vector{Symbol}, (@nospecialize named::Pair)) = Computed(of, named.first, named.second)
Computed(of::Vector{Symbol}, (@nospecialize f)) = Computed(of, f, Symbol(join(of, '_'), '_', label(f)))

label((@nospecialize f)) = string(nameof(f))

# `f` is an `Any` on purpose: a function of the user's then compiles itself, and nothing around it.
function compute(computed::Computed, frame::Frame, rows)
    isempty(computed.of) && return computed.f(rows)
    return computed.f((frame[name][rows] for name in computed.of)...)
end

"""
    combine(groups_or_frame, specs...)

One row a group, with the columns that were grouped by and one for each of `specs`:

- `:column => f => :name`, and `:column => f` (then called `column_f`)
- `[:a, :b] => f => :name`, where `f` takes two columns
- `nrow`, and `nrow => :name`: how many rows

```julia
combine(groupby(weather, :station), :rain => present(sum) => :rain, nrow => :days)
```
"""
function combine(groups::Groups, (@nospecialize specs...))
    result = keyframe(groups)
    for spec in specs
        computed = Computed(spec)
        result[computed.name] = narrow(Any[compute(computed, groups.frame, rows) for rows in groups.rows])
    end
    return result
end

function combine(frame::Frame, (@nospecialize specs...))
    result = Frame()
    for spec in specs
        computed = Computed(spec)
        result[computed.name] = narrow(Any[compute(computed, frame, 1:nrow(frame))])
    end
    return result
end

keyframe(groups::Groups) = Frame(groups.by,
    AbstractVector[narrow(Any[key[i] for key in groups.keys]) for i in eachindex(groups.by)])

"A vector with the tightest element type that holds the values."
narrow(values::Vector{Any}) = isempty(values) ? values : collect(mapreduce(typeof, typetogether, values), values)

typetogether(A::Type, B::Type) =
    A === B ? A : A <: Number && B <: Number ? promote_type(A, B) : Union{A,B}

"""
    transform(groups_or_frame, specs...)

`frame` with added or replaced columns, computed as in [`combine`](@ref) but with a value for each row;
a single value stands for all rows (of the group).
"""
transform(frame::Frame, (@nospecialize specs...)) = transformrows(frame, [collect(1:nrow(frame))], specs)
transform(groups::Groups, (@nospecialize specs...)) = transformrows(groups.frame, groups.rows, specs)

function transformrows(frame::Frame, parts::Vector{Vector{Int}}, (@nospecialize specs))
    result = Frame(names(frame), copy(columns(frame)))
    for spec in specs
        computed = Computed(spec)
        column = Vector{Any}(undef, nrow(frame))
        for rows in parts
            value = compute(computed, frame, rows)
            value isa AbstractVector ? copyto!(view(column, rows), value) : fill!(view(column, rows), value)
        end
        result[computed.name] = narrow(column)
    end
    return result
end

"""
    present(f)

The function `f` of what is not missing: `present(mean)([1, missing, 3]) == 2`. With nothing left
the value is `missing`.
"""
present((@nospecialize f)) = Present(f)

struct Present
    f::Any
end

function (present::Present)(column)
    values = collect(skipmissing(column))
    return isempty(values) ? missing : present.f(values)
end

label(present::Present) = label(present.f)
