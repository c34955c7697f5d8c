# What ten months of weather say. None of jlsys's workloads runs this file: it stands for what a reader does next.

using TextFrames
using Dates, DelimitedFiles, LinearAlgebra, SparseArrays, Statistics

folder = joinpath(@__DIR__, "data")
weather = readframe(joinpath(folder, "weather.csv"))
stations = readframe(joinpath(folder, "stations.csv"))

println("Measurements, ", Dates.format(minimum(weather.date), "d U yyyy"), " to ", Dates.format(maximum(weather.date), "d U yyyy"))
show(stdout, "text/plain", describe(weather))
println("\n")

# By station, with what is known about each.
days = combine(groupby(weather, :station), nrow => :days, :high => present(mean) => :high, :low => present(mean) => :low,
    :rain => present(sum) => :rain, :wind => maximum => :gust)
known = sort(innerjoin(days, stations; on = :station), :altitude; rev = true)
known.years = [div(Dates.value(maximum(weather.date) - opened), 365) for opened in known.opened]
show(stdout, "text/plain", known)
println("\n")

# Quantiles of the daily range.
measured = dropmissing(weather, :high, :low)
span = measured.high .- measured.low
println("Daily range: median ", round(median(span); digits = 2), ", quartiles ",
    round.(quantile(span, [0.25, 0.75]); digits = 2), ", deviation ", round(std(span); digits = 3),
    ", correlation with wind ", round(cor(span, measured.wind); digits = 3))

# Months.
weather.month = month.(weather.date)
monthly = pivot(weather, :station, :month, :rain, present(sum))
show(stdout, "text/plain", monthly)
println("\n")
show(stdout, "text/plain", heatmap(monthly, :station; title = "Rain by month", label = "mm"))
println("\n")
show(stdout, "text/plain", crosstab(weather, :sky, :station))
println("\n")

# Warm and cold spells: how the state of one day leads to that of the next, as a sparse chain.
harbour = sort(filter(:station => ==("Harbour"), dropmissing(weather, :high)), :date)
states = [clamp(floor(Int, high / 4) + 3, 1, 10) for high in harbour.high]
chain = sparse(states[1:end-1], states[2:end], 1.0, 10, 10)
totals = vec(sum(chain; dims = 2))
chain = spdiagm(0 => [t > 0 ? 1 / t : 0.0 for t in totals]) * chain
flow = I - 0.95 * copy(transpose(chain))
share = lu(flow) \ fill(0.005, 10)
println("Transitions: ", nnz(chain), " of ", length(chain), "; long-run shares ", round.(share ./ sum(share); digits = 3))
println("Norm of the chain ", round(norm(chain); digits = 4), ", most likely to stay: state ", argmax(diag(chain)))

# A cold front's heat, spreading along a rod.
n = 60
laplacian = spdiagm(-1 => ones(n - 1), 0 => fill(-2.0, n), 1 => ones(n - 1))
heat = zeros(n)
heat[20:25] .= 1
for step in 1:40
    global heat = (I - 0.8 * laplacian) \ heat
end
println("Heat left ", round(sum(heat); digits = 4), ", warmest at ", argmax(heat))

# Plots.
harbour.smooth = smooth(harbour.high, 400)
show(stdout, "text/plain", lineplot(harbour, :date, [:high, :smooth]; title = "Harbour"))
println("\n")
show(stdout, "text/plain", barplot(known, :station, :rain; title = "Rain"))
println("\n")
show(stdout, "text/plain", histogram(span; bins = 12, title = "Daily range", xlabel = "°C"))
println("\n")
fit = linearfit(measured, :high, [:low, :wind, :station])
show(stdout, "text/plain", fit)
println("\n")

pictures = [
    lineplot(weather, :date, :high; by = :station, title = "Highs"),
    scatterplot(measured, :low, :high; by = :sky, title = "Low and high"),
    heatmap(monthly, :station; label = "mm"),
    histogram(span),
]
drawings = [sprint(show, "image/svg+xml", picture) for picture in pictures]
println("Drawings: ", length(drawings), " of ", sum(sizeof, drawings), " bytes")
println("Page: ", sizeof(sprint(show, "text/html", known)), " bytes")

# The longest dry spell, and the first and last frost of each station.
for (station, group) in zip(stations.station, groupby(weather, :station))
    frost = filter(:low => <(0), group).date
    dry = [coalesce(rain, 1.0) == 0 for rain in group.rain]
    spells = diff([0; findall(!, dry); length(dry) + 1]) .- 1
    last_spring = maximum(filter(date -> month(date) < 7, frost))
    println(rpad(station, 12), " last spring frost ", Dates.format(last_spring, "e d u"),
        ", week ", week(last_spring), "; longest dry spell ", Day(maximum(spells)),
        "; cover plants until ", lastdayofmonth(last_spring + Week(2)))
end

# Weekly means as delimited text.
weather.week = Dates.firstdayofweek.(weather.date)
weekly = combine(groupby(weather, :week), :high => present(mean) => :high, :rain => present(sum) => :rain)
table = IOBuffer()
writedlm(table, [string.(weekly.week) round.(weekly.high; digits = 1) round.(weekly.rain; digits = 1)], '\t')
lines = split(String(take!(table)), '\n'; keepempty = false)
foreach(println, lines[1:3])
back = readdlm(IOBuffer(join(lines, '\n')), '\t')
println(size(back), " ", round(sum(back[:, 3]); digits = 1))
