"""
    describe(frame)

One row for each column of `frame`: its type, missing and distinct values, and where they have an order and a
size, the least, mean, median and greatest.
"""
function describe(frame::Frame)
    rows = Frame(
        column = names(frame),
        type = Type[nonmissingtype(eltype(c)) for c in columns(frame)],
        missing = [count(ismissing, c) for c in columns(frame)],
        distinct = [length(unique(c)) for c in columns(frame)],
    )
    summaries = [summarize(collect(skipmissing(c))) for c in columns(frame)]
    for (i, name) in enumerate((:min, :mean, :median, :max))
        rows[name] = Any[summary[i] for summary in summaries]
    end
    return rows
end

const NOTHING_TO_SAY = (missing, missing, missing, missing)

summarize(values::Vector) = isempty(values) ? NOTHING_TO_SAY : ordersummary(values)

ordersummary(values::Vector) = NOTHING_TO_SAY
ordersummary(values::Vector{<:AbstractString}) = (minimum(values), missing, missing, maximum(values))
ordersummary(values::Vector{<:Real}) = (minimum(values), mean(values), median(values), maximum(values))
ordersummary(values::Vector{<:TimeType}) =
    (minimum(values), missing, sort(values)[cld(length(values), 2)], maximum(values))
