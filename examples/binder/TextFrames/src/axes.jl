# Axes: where values of any kind lie on a line of numbers, and which of them are named there.

"A range of numbers with named ticks."
struct Axis
    low::Float64
    high::Float64
    ticks::Vector{Float64}
    labels::Vector{String}
end

fraction(axis::Axis, value::Real) = (value - axis.low) / (axis.high - axis.low)

"Numbers to draw for the values of a column: their own, days, or one position a category; `NaN` where missing."
positions(column::AbstractVector{<:Union{Missing,Real}}) = Float64[coalesce(v, NaN) for v in column]
positions(column::AbstractVector{<:Union{Missing,Date}}) =
    Float64[ismissing(v) ? NaN : Dates.value(v) for v in column]
positions(column::AbstractVector{<:Union{Missing,DateTime}}) =
    Float64[ismissing(v) ? NaN : Dates.value(v) / MILLISECONDS_A_DAY for v in column]
function positions(column::AbstractVector)
    levels = unique(column)
    return Float64[findfirst(isequal(value), levels) for value in column]
end

const MILLISECONDS_A_DAY = 86_400_000

"The axis that fits the values of a column of that kind."
axisfor(column::AbstractVector{<:Union{Missing,Real}}; zero = false) = numberaxis(span(positions(column); zero = zero)...)
axisfor(column::AbstractVector{<:Union{Missing,TimeType}}; zero = false) = dateaxis(span(positions(column))...)
axisfor(column::AbstractVector; zero = false) = categoryaxis(unique(column))

"Least and greatest of the finite values, apart from each other."
function span(values::AbstractVector{Float64}; zero::Bool = false)
    finite = filter(isfinite, values)
    isempty(finite) && throw(ArgumentError("there are no values to draw"))
    zero && push!(finite, 0.0)
    low, high = extrema(finite)
    return low < high ? (low, high) : (low - 0.5, high + 0.5)
end

"An axis from one round number to another, with about five steps of 1, 2 or 5 times a power of ten."
function numberaxis(low::Float64, high::Float64)
    rough = (high - low) / 5
    power = 10.0^floor(log10(rough))
    step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10)
    ticks = collect(floor(low / step + 1e-9):ceil(high / step - 1e-9)) .* step
    digits = max(0, -floor(Int, log10(step) + 1e-9))
    labels = [abs(tick) >= 1e7 ? @sprintf("%.3g", tick) : fixed(tick, digits) for tick in ticks]
    return Axis(first(ticks), last(ticks), ticks, labels)
end

"An axis of days, with ticks at the starts of weeks, months or years."
function dateaxis(low::Float64, high::Float64)
    from, to = Date(Dates.UTD(floor(Int, low))), Date(Dates.UTD(ceil(Int, high)))
    step, format = datestep(Dates.value(to - from))
    start = step isa Year ? Date(year(from) - mod(year(from), Dates.value(step))) :
            step isa Month ? firstdayofmonth(from) : from
    days = filter(day -> from <= day <= to, collect(start:step:to))
    return Axis(low, high, Float64[Dates.value(day) for day in days], [Dates.format(day, format) for day in days])
end

datestep(days::Int) =
    days <= 7 ? (Day(1), dateformat"mm-dd") :
    days <= 60 ? (Day(cld(days, 6)), dateformat"mm-dd") :
    days <= 240 ? (Month(1), dateformat"yyyy-mm") :
    days <= 800 ? (Month(cld(days, 180)), dateformat"yyyy-mm") :
    (Year(cld(days, 2200)), dateformat"yyyy")

"An axis with one step for each of the values."
categoryaxis(values::AbstractVector) =
    Axis(0.5, length(values) + 0.5, collect(1.0:length(values)), String[celltext(value) for value in values])

"An axis that ends exactly at `low` and `high`."
function rigid(axis::Axis, low::Real, high::Real)
    kept = findall(tick -> low <= tick <= high, axis.ticks)
    return Axis(low, high, axis.ticks[kept], axis.labels[kept])
end
