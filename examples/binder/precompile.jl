# What people do with these packages, for jlsys to see what it compiles. The suites of SparseArrays and LinearAlgebra
# are left out (see jlsys.toml), so their everyday uses are here; and what notebooks show, but test suites do not.

using TextFrames
using Dates, DelimitedFiles, LinearAlgebra, SparseArrays, Statistics

show_plain(value) = (show(stdout, "text/plain", value); println())
show_pictures(value) = for mime in ("text/html", "image/svg+xml")
    showable(mime, value) && sprint(show, mime, value)
end

# ---- Sparse matrices: a grid of resistors, and a network of roads.

m = 12
line = spdiagm(-1 => fill(-1.0, m - 1), 0 => fill(2.0, m), 1 => fill(-1.0, m - 1))
grid = kron(line, sparse(I, m, m)) + kron(sparse(1.0I, m, m), line)
current = zeros(m^2)
current[1], current[end] = 1.0, -1.0
current[3:5] .= 0.1

show_plain(line)
show_plain(grid[1:3, 1:3])
println(nnz(grid), " of ", length(grid), " entries, ", size(grid), ", symmetric: ", issymmetric(grid))
for factor in (cholesky(Symmetric(grid)), lu(grid), ldlt(Symmetric(grid)), qr(grid))
    println(round(norm(grid * (factor \ current) - current); digits = 6))
end
println(round.((grid \ current)[1:3]; digits = 4), round.(((I + grid) \ current)[1:2]; digits = 4))
println(round.((Symmetric(grid) \ current)[1:2]; digits = 4), round.((Matrix(grid) \ current)[1:2]; digits = 4))

from = [1, 1, 2, 3, 4, 4, 5, 6]
to = [2, 3, 4, 4, 5, 6, 6, 1]
roads = sparse(from, to, 1.0, 6, 6)
counted = sparse(from, to, ones(Int, 8), 6, 6)
weighted = sparse(from, to, [0.5, 1, 1.5, 2, 1, 0.5, 3, 1])
rows, cols, lengths = findnz(weighted)
println(sum(lengths), " ", sum(roads; dims = 1), " ", vec(sum(weighted; dims = 2)), " ", sum(counted), " ", maximum(weighted))
links = spdiagm(0 => 1 ./ vec(sum(roads; dims = 2))) * roads
rank = fill(1 / 6, 6)
for _ in 1:80
    global rank = 0.15 / 6 .+ 0.85 * (links' * rank)
end
println(round.(rank; digits = 3), " ", argmax(rank), " ", sortperm(rank; rev = true))
solved = (I - 0.85 * links') \ fill(0.15 / 6, 6)
println(solved ≈ rank, " ", norm(links), " ", opnorm(links, 1), " ", tr(links), " ", diag(links * links), " ", argmax(diag(grid)))
for changed in (links + links', links - roads, 2 * links, links ./ 2, links .* roads, copy(links'), permutedims(links),
        hcat(links, roads), vcat(links, roads), blockdiag(links, roads), dropzeros(links), abs.(links), links .> 0.4,
        transpose(links) * links, copy(transpose(links)), I + links, I - 0.5links, links^2, triu(links), tril(links),
        links[:, 2], links[2, :], links[1:3, :], sparsevec([1, 4], [1.0, 2.0], 6), spzeros(3, 3), Matrix(links))
    sprint(show, MIME("text/plain"), changed)
end
println(dot(rank, solved), " ", rank' * links * rank, " ", links * sparsevec(rank) ≈ links * rank)

# ---- Small dense matrices.

square = [4.0 1 0; 1 3 1; 0 1 2]
println(round.(eigvals(Symmetric(square)); digits = 3), round(det(square); digits = 3), round(cond(square); digits = 3))
println(round.(svdvals(square); digits = 3), round.(square \ [1, 2, 3]; digits = 3), norm(inv(square) * square - I) < 1e-10)
show_plain(square)

# ---- Numbers and dates.

waiting = [3.5, 2.0, 8.25, 1.0, 4.5, 4.0, 0.5, 12.0, 2.5, 3.0]
served = [4, 2, 7, 1, 5, 4, 1, 9, 3, 3]
patience = waiting .+ 2
print(waiting .+ patience, waiting .- patience, waiting .* patience, waiting ./ patience, waiting .^ 2, 2 .* waiting, waiting .- 1,
    waiting ./ 2.0, served .+ 1, served .- 1, served .* 2, served ./ 2, served .^ 2, served .- served, waiting .- served,
    sqrt.(waiting), log.(waiting), abs.(waiting), floor.(waiting), round.(waiting ./ 2.0; digits = 2), sum(waiting), "\n")
patience[2:4] .= 1
served_twice = [served; served]
served_twice[1:5] .= 0
served_twice[end-1:end] = [1, 2]
println([0; served; 10], " ", diff(served), " ", maximum(diff([0; findall(iszero, served_twice); 21])), " ", findall(!, waiting .> 3))
println("Total ", sum(served), " served, ", round(sum(waiting); digits = 1), " waited, ", argmax(served), " is the busiest")
println("Share ", sum(waiting) / sum(served), " a person, correlation ", round(cor(waiting, served); digits = 3))
println(mean(waiting), " ", median(waiting), " ", std(waiting), " ", var(served), " ", median(served), " ", mean(served))
println(quantile(waiting, [0.1, 0.5, 0.9]), " ", quantile(waiting, 0.25), " ", cor(waiting, served), " ", cov(waiting, served))
println(cor([waiting served]), " ", mean([waiting served]; dims = 1), " ", std([waiting served]; dims = 2)[1], " ", extrema(waiting))
println(round.(waiting ./ served; digits = 2), " ", cumsum(served), " ", diff(waiting), " ", clamp.(served, 2, 5))
println(round.(quantile(waiting, [0.2, 0.8]); digits = 1), " ", findall(waiting .> 3), " ", count(>(3), waiting), " ", argmin(waiting))
println(round(mean(waiting); digits = 2), " ", Int.(floor.(waiting)), " ", Int.(round.(waiting ./ 2) .+ 1), " ", findmax(served))

opened = Date(2020, 2, 27):Day(1):Date(2020, 4, 2)
dates = collect(opened)
println(string.(dates)[1], " ", month.(dates)[1], " ", filter(day -> dayofweek(day) == 7, dates), " ", findall(!, isleapyear.(dates)))
println([dayofweek(day) for day in dates], " ", sort(dates; rev = true)[1], " ", length.(dayname.(dates)), " ", Dates.value.(dates .- dates[1]))
println(first(opened), " to ", last(opened), ": ", length(opened), " days, ", last(opened) - first(opened))
println(Dates.format(first(opened), "yyyy-mm-dd"), " ", Dates.format(first(opened), "E, d U"), " ", Dates.format(DateTime(2020, 1, 2, 3), "HH:MM"))
println(unique(month.(opened)), " ", count(day -> dayofweek(day) > 5, opened), " ", dayname(first(opened)), " ", monthname(last(opened)))
println(unique(firstdayofweek.(opened)), " ", lastdayofmonth(first(opened)), " ", week(last(opened)), " ", year.(opened)[1], " ", Week(2) + Day(3))
println(first(opened) + Month(1), " ", last(opened) - Year(1), " ", Date("2020-03-01") - Date(2020, 2, 1), " ", DateTime(2020) + Hour(30), " ", string.(opened)[1])
println(Dates.value(last(opened) - first(opened)), " ", minimum(opened), " ", maximum(collect(opened)), " ", extrema(collect(opened)), " ", now() > DateTime(2020))
println(tonext(last(opened), Dates.Monday), " ", dayofyear.(opened)[end], " ", canonicalize(Dates.CompoundPeriod(Minute(150))), " ", Time(12, 30))

# ---- Delimited text.

text = IOBuffer()
writedlm(text, [waiting served], ',')
println(readdlm(IOBuffer(String(take!(text))), ','))
writedlm(text, ["n" "day" "value"; 1 Date(2020) 2.5; 2 Date(2021) 3.5], ';')
mixed = readdlm(IOBuffer(String(take!(text))), ';')
cells, header = readdlm(IOBuffer("a,b\n1,2\n3,4\n"), ',', Float64; header = true)
println(mixed, cells, header)
writedlm(text, [string.(opened[1:3]) waiting[1:3] patience[1:3]], '\t')
written = split(String(take!(text)), '\n'; keepempty = false)
foreach(println, written)
println(size(readdlm(IOBuffer(join(written, '\n')), '\t')), " ", mixed[:, 1], " ", sum(mixed[2:end, 3]), " ", round(sum(mixed[2:end, 3]); digits = 1))

# ---- Tables and plots, as a notebook shows them.

queue = Frame(
    counter = repeat(["A", "B"], 5), waiting = waiting, served = served, day = collect(opened)[1:10],
    tip = [missing, 0.5, 1.0, missing, 0.2, 0.0, 0.1, 0.4, missing, 0.3], rush = served .> 3)
by_counter = combine(groupby(queue, :counter), nrow => :n, :waiting => mean => :waiting, :waiting => maximum => :longest,
    :tip => present(mean) => :tip, :served => sum => :served, :day => minimum => :from, :waiting => median => :middle)
places = Frame(counter = ["A", "B", "C"], floor = [0, 1, 1], since = [Date(2011, 3, 1), Date(2016, 7, 1), Date(2019, 1, 1)])
joined = sort(innerjoin(by_counter, places; on = :counter), :floor; rev = true)
queue.weekday = dayname.(queue.day)
queue.number = dayofweek.(queue.day)
queue.week = week.(queue.day)
wide = pivot(queue, :counter, :number, :waiting, present(sum))
fit = linearfit(queue, :waiting, [:served, :counter, :rush])
for table in (queue, by_counter, joined, wide, describe(queue), crosstab(queue, :weekday, :counter), first(queue, 3),
        filter(:waiting => <(3), queue), filter(:tip => >(0.2), queue), filter(:counter => ==("B"), queue),
        filter(row -> row.served > 3, queue), dropmissing(queue, :tip), combine(groupby(queue, :week), :served => sum),
        combine(groupby(queue, :day), :tip => present(sum) => :tip, :served => mean => :served), fit,
        lineplot(queue, :day, :waiting; by = :counter, title = "Waiting"), lineplot(queue, :day, [:waiting, :served]),
        lineplot(queue, :day, [:waiting, :served]; title = "Counters"), lineplot(opened, cumsum(ones(36)); label = "days"),
        scatterplot(queue, :served, :waiting; by = :weekday), scatterplot(queue, :served, :waiting; by = :counter, title = "Load"),
        histogram(queue, :waiting; bins = 5), histogram(served), histogram(waiting; title = "Waiting", xlabel = "minutes"),
        histogram(waiting), histogram(waiting; bins = 4, title = "Waiting", xlabel = "minutes"),
        barplot(joined, :counter, :served; title = "Served"), barplot(["a", "b"], [1.5, 2.0]), heatmap(wide, :counter),
        heatmap(wide, :counter; label = "minutes"), heatmap(wide, :counter; title = "Waiting", label = "minutes"),
        heatmap(Matrix(links); title = "Links"), lineplot(smooth(waiting, 5); title = "Smooth"))
    show_plain(table)
    show_pictures(table)
end
for (name, group) in zip(by_counter.counter, groupby(queue, :counter))
    println(rpad(name, 4), lpad(nrow(group), 3), " ", join(group.served, ", "), " ", [coalesce(tip, 0.0) > 0 for tip in group.tip])
end
places.open = [year(day) > 2015 for day in places.since]
places.year = year.(places.since)
places.name = string.(places.counter, " on floor ", places.floor)
places.week = firstdayofweek.(places.since)
complete = dropmissing(queue, :tip, :waiting)
complete.rate = complete.tip ./ complete.waiting
show_plain(complete)
weather = readframe(joinpath(@__DIR__, "data", "weather.csv"))
show_plain(last(weather, 5))
show_plain(describe(weather))
show_plain(readframe(joinpath(@__DIR__, "data", "stations.csv"); types = Dict(:altitude => Float64)))
