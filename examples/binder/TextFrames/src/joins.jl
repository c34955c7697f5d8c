"""
    innerjoin(left, right; on)

Each row of `left` beside each row of `right` that has the same values in the column or columns `on`.
A column of `right` whose name `left` has too gets the ending `_right`.
"""
innerjoin(left::Frame, right::Frame; on) = joinrows(left, right, onvector(on), false)

"""
    leftjoin(left, right; on)

As [`innerjoin`](@ref), but a row of `left` with no partner stays, with missing values for `right`.
"""
leftjoin(left::Frame, right::Frame; on) = joinrows(left, right, onvector(on), true)

onvector(on::Symbol) = [on]
onvector(on) = collect(Symbol, on)

function joinrows(left::Frame, right::Frame, on::Vector{Symbol}, keep::Bool)
    partners = Dict{Tuple,Vector{Int}}()
    for (i, key) in enumerate(rowkeys(right, on))
        push!(get!(() -> Int[], partners, key), i)
    end
    leftrows, rightrows = Int[], Int[]
    for (i, key) in enumerate(rowkeys(left, on))
        for partner in get(partners, key, keep ? [0] : Int[])
            push!(leftrows, i)
            push!(rightrows, partner)
        end
    end
    joined = takerows(left, leftrows)
    for name in names(right)
        name in on && continue
        target = haskey(joined, name) ? Symbol(name, :_right) : name
        joined[target] = pick(right[name], rightrows)
    end
    return joined
end

"The values at `rows`, where row 0 is a missing one."
pick(column::AbstractVector, rows::Vector{Int}) =
    all(!iszero, rows) ? column[rows] :
    Union{Missing,eltype(column)}[row == 0 ? missing : column[row] for row in rows]

"""
    pivot(frame, row, column, value, f = first)

A wide frame: one row for each value in the column `row`, one column for each value in `column`, and in it
`f` of the values in `value` that belong to both; missing where there are none.
"""
function pivot(frame::Frame, row::Symbol, column::Symbol, value::Symbol, (@nospecialize f = first))
    groups = groupby(frame, row, column)
    rowvalues = sort!(unique(frame[row]))
    wide = Frame(row => rowvalues)
    results = Dict{Tuple,Any}(key => f(frame[value][rows]) for (key, rows) in zip(groups.keys, groups.rows))
    for columnvalue in sort!(unique(frame[column]))
        wide[Symbol(columnvalue)] = narrow(Any[get(results, (r, columnvalue), missing) for r in rowvalues])
    end
    return wide
end

"""
    crosstab(frame, a, b)

How many rows have each pair of values in columns `a` and `b`: a frame like [`pivot`](@ref)'s.
"""
function crosstab(frame::Frame, a::Symbol, b::Symbol)
    (rowlevels, left), (collevels, right) = indicators(frame[a]), indicators(frame[b])
    counts = left' * right
    table = Frame(a => rowlevels)
    for (j, level) in enumerate(collevels)
        table[Symbol(level)] = Vector{Int}(counts[:, j])
    end
    return table
end

"The sorted distinct values, and a sparse matrix with a one in each row, in the column of its value."
function indicators(column::AbstractVector)
    levels = sort!(unique(column))
    place = Dict{Any,Int}(level => j for (j, level) in enumerate(levels))
    cols = Int[place[value] for value in column]
    return levels, sparse(1:length(column), cols, ones(length(column)), length(column), length(levels))
end
