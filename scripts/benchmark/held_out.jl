# What a user of the project does next; no tool is shown this file. It reads a gauge's log, mends it, looks at it, and
# works out when a reservoir runs dry.

using Dates, DelimitedFiles, LinearAlgebra, Markdown, Printf, Random, SparseArrays, Statistics, TextFrames

# A year of hourly levels as a logger writes them: with gaps, and a fault in March.
rng = MersenneTwister(1234)
lines = ["time;level;flow;state"]
for (n, time) in enumerate(DateTime(2022, 1, 1):Hour(6):DateTime(2022, 12, 31, 18))
    level = 2.4 + 0.8 * sin(2pi * n / 1460) + 0.1 * randn(rng)
    flow = round(12 * max(level - 1.2, 0)^1.5; digits = 2)
    state = rand(rng) < 0.03 ? "fault" : level > 3.1 ? "high" : level < 1.7 ? "low" : "normal"
    push!(lines, @sprintf("%s;%.3f;%s;%s", Dates.format(time, dateformat"yyyy-mm-ddTHH:MM"), level, rand(rng) < 0.02 ? "NA" : string(flow), state))
end
levels = readframe(IOBuffer(join(lines, '\n')); delim = ';')
println(describe(levels))
sound = filter(row -> row.state != "fault", dropmissing(levels, :flow))
println(nrow(sound), " of ", nrow(levels), " measurements are sound")

# Seasons and weekdays.
times = DateTime.(string.(sound.time))
sound.season = [(:winter, :spring, :summer, :autumn)[mod(month(t), 12) ÷ 3 + 1] for t in times]
sound.weekday = dayabbr.(times)
seasons = sort(combine(groupby(sound, :season), :flow => mean => :mean, :flow => std => :spread, :level => maximum => :top, nrow), :mean)
show(stdout, MIME("text/plain"), seasons)
println()
show(stdout, MIME("text/plain"), crosstab(sound, :weekday, :state))
println()

# How sure is the mean? A bootstrap.
flows = Float64.(sound.flow)
means = [mean(rand(rng, flows, 200)) for _ in 1:300]
@printf("mean flow %.2f, 95 %% between %.2f and %.2f\n", mean(flows), quantile(means, 0.025), quantile(means, 0.975))
order = randperm(rng, length(flows))[1:10]
println(round.(cumsum(flows[order]); digits = 1), ' ', extrema(flows), ' ', round(cor(flows, Float64.(sound.level)); digits = 4))

# Storage in a chain of five basins, one day at a time: a sparse implicit step.
rates = [0.3, 0.2, 0.25, 0.1, 0.15]
drain = spdiagm(0 => -rates, -1 => rates[1:4])
step = factorize(sparse(I, 5, 5) - 0.5 * drain)
storage = zeros(5)
days = Date(2022):Day(1):Date(2022, 12, 31)
history = map(days) do day
    inflow = reduce(+, flows[Date.(times) .== day]; init = 0.0)
    global storage = step \ (storage + [inflow; zeros(4)])
    (day = day, total = sum(storage), share = storage[5] / max(sum(storage), eps()))
end
full = history[argmax([entry.total for entry in history])]
println("fullest on ", Dates.format(full.day, "E, d U"), " with ", round(full.total; sigdigits = 4))
A = Symmetric(Matrix(drain * drain') + 0.1I)
println(round.(eigvals(A); digits = 4), ' ', round(cond(Matrix(A)); digits = 2), ' ', round(norm(cholesky(A).U); digits = 4))

# A report, written and read back.
quarters = Dict(q => [entry.total for entry in history if quarterofyear(entry.day) == q] for q in 1:4)
rows = [Any["Q$q" round(median(quarters[q]); digits = 1) round(var(quarters[q]); digits = 1)] for q in sort(collect(keys(quarters)))]
table = vcat(rows...)
mktempdir() do folder
    file = joinpath(folder, "quarters.tsv")
    writedlm(file, table)
    back = readdlm(file, '\t', Any, '\n')
    println(size(back), ' ', sum(Float64.(back[:, 2])) ≈ sum(Float64.(table[:, 2])))
end
report = Markdown.parse("# Reservoir\n\n| quarter | median |\n|:--|--:|\n" * join(("| $(row[1]) | **$(row[2])** |" for row in rows), '\n') *
    "\n\nSee `flow` for *details*; next look in $(Dates.canonicalize(Dates.CompoundPeriod(Hour(50)))).")
show(stdout, MIME("text/plain"), report)
println()
println(length(sprint(show, MIME("text/html"), report)))

# Pictures.
year = Frame(day = collect(days), total = [entry.total for entry in history])
year.smooth = smooth(year.total, 200)
println(sizeof(sprint(show, MIME("image/svg+xml"), lineplot(year, :day, [:total, :smooth]; title = "Storage"))))
show(stdout, MIME("text/plain"), histogram(flows; bins = 15, title = "Flow"))
println()
show(stdout, MIME("text/plain"), linearfit(sound, :flow, [:level]))
println()
