# Plots as data: marks on two axes. What they look like is in canvas.jl and svg.jl.

abstract type Mark end

"A line through points, broken where one is `NaN`."
struct Line <: Mark
    x::Vector{Float64}
    y::Vector{Float64}
    label::String
end

"Single points."
struct Points <: Mark
    x::Vector{Float64}
    y::Vector{Float64}
    label::String
end

"Filled boxes."
struct Boxes <: Mark
    left::Vector{Float64}
    right::Vector{Float64}
    bottom::Vector{Float64}
    top::Vector{Float64}
    label::String
end

"A grid of shades; `values[i, j]` lies at x = j, y = i."
struct Tiles <: Mark
    values::Matrix{Float64}
    label::String
end

"""
    Plot

A picture, made by [`lineplot`](@ref), [`scatterplot`](@ref), [`histogram`](@ref), [`barplot`](@ref) or
[`heatmap`](@ref). It shows as text (`text/plain`) and as a drawing (`image/svg+xml`).
"""
struct Plot
    marks::Vector{Mark}
    xaxis::Axis
    yaxis::Axis
    title::String
    xlabel::String
    ylabel::String
end

Base.show(io::IO, plot::Plot) =
    print(io, "Plot(", length(plot.marks), length(plot.marks) == 1 ? " mark" : " marks",
        isempty(plot.title) ? "" : ", " * repr(plot.title), ")")

"""
    lineplot(x, y; title, xlabel, ylabel, label)
    lineplot(x, [y1, y2]; labels, ...)
    lineplot(frame, :x, :y; by, ...)
    lineplot(frame, :x, [:y1, :y2]; ...)

Lines over numbers, dates or categories. Of a frame, `by` names a column that splits the rows into lines.
"""
lineplot(x::AbstractVector, y::AbstractVector; title = "", xlabel = "", ylabel = "", label = "") =
    curves(Line, x, [y], [label], title, xlabel, ylabel)
lineplot(x::AbstractVector, ys::AbstractVector{<:AbstractVector}; title = "", xlabel = "", ylabel = "", labels = numbered(ys)) =
    curves(Line, x, ys, labels, title, xlabel, ylabel)
lineplot(y::AbstractVector; title = "", xlabel = "", ylabel = "", label = "") =
    curves(Line, 1:length(y), [y], [label], title, xlabel, ylabel)
lineplot(frame::Frame, x::Symbol, y; by = nothing, title = "", xlabel = string(x), ylabel = naming(y)) =
    framecurves(Line, frame, x, y, by, title, xlabel, ylabel)

"""
    scatterplot(x, y; title, xlabel, ylabel, label)
    scatterplot(frame, :x, :y; by, ...)

Points; the arguments are those of [`lineplot`](@ref).
"""
scatterplot(x::AbstractVector, y::AbstractVector; title = "", xlabel = "", ylabel = "", label = "") =
    curves(Points, x, [y], [label], title, xlabel, ylabel)
scatterplot(x::AbstractVector, ys::AbstractVector{<:AbstractVector}; title = "", xlabel = "", ylabel = "", labels = numbered(ys)) =
    curves(Points, x, ys, labels, title, xlabel, ylabel)
scatterplot(frame::Frame, x::Symbol, y; by = nothing, title = "", xlabel = string(x), ylabel = naming(y)) =
    framecurves(Points, frame, x, y, by, title, xlabel, ylabel)

numbered(ys) = ["y$i" for i in eachindex(ys)]
naming(y::Symbol) = string(y)
naming(ys::Vector{Symbol}) = ""

# Not compiled for each kind of column anew: the work is in `positions`.
function curves(M::Type{<:Mark}, (@nospecialize x::AbstractVector), (@nospecialize ys), labels, title, xlabel, ylabel)
    for y in ys
        length(x) == length(y) || throw(DimensionMismatch("$(length(x)) values of x, $(length(y)) of y"))
    end
    place = positions(x)
    heights = Vector{Float64}[positions(y) for y in ys]
    marks = Mark[M(place, height, label) for (height, label) in zip(heights, labels)]
    yaxis = first(ys) isa AbstractVector{<:Union{Missing,Real}} ? axisfor(reduce(vcat, heights)) : axisfor(first(ys))
    return Plot(marks, tight(x), yaxis, title, xlabel, ylabel)
end

tight(x::AbstractVector) = axisfor(x)
tight(x::AbstractVector{<:Union{Missing,Real}}) = rigid(axisfor(x), span(positions(x))...)

framecurves(M::Type{<:Mark}, frame::Frame, x::Symbol, y::Symbol, by::Nothing, title, xlabel, ylabel) =
    curves(M, frame[x], [frame[y]], [""], title, xlabel, ylabel)
framecurves(M::Type{<:Mark}, frame::Frame, x::Symbol, ys::Vector{Symbol}, by::Nothing, title, xlabel, ylabel) =
    curves(M, frame[x], [frame[y] for y in ys], [string(y) for y in ys], title, xlabel, ylabel)

function framecurves(M::Type{<:Mark}, frame::Frame, x::Symbol, y::Symbol, by::Symbol, title, xlabel, ylabel)
    groups = groupby(frame, by)
    place = positions(frame[x])
    height = positions(frame[y])
    marks = Mark[M(place[rows], height[rows], celltext(key[1])) for (key, rows) in zip(groups.keys, groups.rows)]
    return Plot(marks, tight(frame[x]), axisfor(frame[y]), title, xlabel, ylabel)
end

"""
    histogram(values; bins = 10, title, xlabel, label)

How many of the values lie in each of about `bins` equal intervals with round limits.
"""
function histogram(
    values::AbstractVector{<:Union{Missing,Real}};
    bins::Integer = 10, title = "", xlabel = "", ylabel = "count", label = "",
)
    bins >= 1 || throw(ArgumentError("a histogram needs at least one bin"))
    drawn = filter(isfinite, positions(values))
    low, high = span(drawn)
    width = roundup((high - low) / bins)
    edges = collect(floor(low / width):(floor(high / width) + 1)) .* width
    counts = zeros(length(edges) - 1)
    for value in drawn
        counts[clamp(searchsortedlast(edges, value), 1, length(counts))] += 1
    end
    boxes = Boxes(edges[1:end-1], edges[2:end], zero(counts), counts, label)
    xaxis = rigid(numberaxis(low, high), first(edges), last(edges))
    return Plot(Mark[boxes], xaxis, axisfor(counts; zero = true), title, xlabel, ylabel)
end

histogram(frame::Frame, name::Symbol; bins = 10, title = "", xlabel = string(name), ylabel = "count", label = "") =
    histogram(frame[name]; bins = bins, title = title, xlabel = xlabel, ylabel = ylabel, label = label)

"The least of 1, 2, 5 times a power of ten that is not below `x`."
function roundup(x::Float64)
    power = 10.0^floor(log10(x))
    return power * (x <= power * 1.000001 ? 1 : x <= 2power ? 2 : x <= 5power ? 5 : 10)
end

"""
    barplot(names, values; title, xlabel, label)
    barplot(frame, :names, :values; ...)

A horizontal bar for each name, the first on top.
"""
function barplot(
    names::AbstractVector, values::AbstractVector{<:Union{Missing,Real}};
    title = "", xlabel = "", ylabel = "", label = "",
)
    length(names) == length(values) ||
        throw(DimensionMismatch("$(length(names)) names for $(length(values)) values"))
    return bars(names, positions(values), title, xlabel, ylabel, label)
end

barplot(frame::Frame, names::Symbol, values::Symbol; title = "", xlabel = string(values), ylabel = "", label = "") =
    bars(frame[names], positions(frame[values]), title, xlabel, ylabel, label)

function bars(names::AbstractVector, lengths::Vector{Float64}, title, xlabel, ylabel, label)
    replace!(lengths, NaN => 0.0)
    middles = collect(Float64, length(names):-1:1)
    boxes = Boxes(min.(lengths, 0), max.(lengths, 0), middles .- 0.35, middles .+ 0.35, label)
    return Plot(Mark[boxes], axisfor(lengths; zero = true), categoryaxis(reverse(names)), title, xlabel, ylabel)
end

"""
    heatmap(matrix; rows, columns, title, xlabel, ylabel, label)
    heatmap(frame, :names; ...)

A shade for each value, the first row on top. Of a frame, one column names the rows, all others are drawn.
"""
function heatmap(
    matrix::AbstractMatrix;
    rows = 1:size(matrix, 1), columns = 1:size(matrix, 2), title = "", xlabel = "", ylabel = "", label = "",
)
    size(matrix) == (length(rows), length(columns)) ||
        throw(DimensionMismatch("$(length(rows)) and $(length(columns)) names for a matrix of size $(size(matrix))"))
    values = Float64[coalesce(v, NaN) for v in reverse(Matrix(matrix); dims = 1)]
    any(isfinite, values) || throw(ArgumentError("there are no values to draw"))
    return Plot(Mark[Tiles(values, label)], categoryaxis(columns), categoryaxis(reverse(rows)), title, xlabel, ylabel)
end

function heatmap(frame::Frame, by::Symbol; title = "", xlabel = "", ylabel = string(by), label = "")
    others = filter(!isequal(by), names(frame))
    values = reduce(hcat, Vector{Float64}[positions(frame[name]) for name in others])
    return heatmap(values; rows = frame[by], columns = others, title = title, xlabel = xlabel, ylabel = ylabel, label = label)
end
