using TextFrames
using Dates, SparseArrays, Statistics, Test

plain(value; context...) = sprint(show, MIME("text/plain"), value; context = IOContext(devnull, context...))
html(value) = sprint(show, MIME("text/html"), value)
svg(value) = sprint(show, MIME("image/svg+xml"), value)

const SALES = """
day,shop,product,units,price,online
2021-03-01,North,tea,12,2.5,true
2021-03-01,South,tea,7,2.75,false
2021-03-02,North,coffee,,4.0,true
2021-03-02,South,"coffee, beans",3,NA,false
2021-03-03,North,tea,9,2.5,
2021-03-04,East,cocoa,1,3.25,true
"""

sales() = readframe(IOBuffer(SALES))
totals(frame) = combine(groupby(frame, :shop), :units => present(sum), :day => minimum, nrow)

@testset "TextFrames" begin

@testset "frames" begin
    frame = Frame(name = ["b", "a", "c"], size = 3:-1:1, score = [1.5, missing, 2.5])
    @test size(frame) == (3, 3) && size(frame, 1) == nrow(frame) && ncol(frame) == 3
    @test names(frame) == [:name, :size, :score]
    @test propertynames(frame) == (:name, :size, :score)
    @test frame.size == frame[:size] == [3, 2, 1]
    @test frame[2, :name] == "a" && frame[end, :size] == 1
    @test frame[[1, 3], :score] == [1.5, 2.5]
    @test frame[frame.size .> 1, :].name == ["b", "a"]
    @test frame[1:2, [:size]] == Frame(size = [3, 2])
    @test frame == copy(frame) && isequal(frame, Frame(:name => ["b", "a", "c"], :size => [3, 2, 1], :score => frame.score))
    @test hash(frame) == hash(copy(frame))
    @test frame != rename(frame, :name => :title)
    @test names(rename(frame, :name => :title, :score => :points)) == [:title, :size, :points]
    @test isempty(Frame()) && !isempty(frame)

    frame[:double] = 2 .* frame.size
    frame.note = "same"
    frame.size = [1, 2, 3]
    @test frame.double == [6, 4, 2] && frame.note == fill("same", 3) && frame.size == [1, 2, 3]
    @test first(frame, 2).size == [1, 2] && last(frame, 1).name == ["c"] && nrow(first(frame, 10)) == 3
    @test names(select(frame, :note, :size)) == [:note, :size]
    @test nrow(vcat(frame, frame)) == 6

    rows = collect(eachrow(frame))
    @test rows[1].name == "b" && rows[2][:size] == 2 && length(rows) == 3
    @test repr(frame[1, :]) == "Row(name = \"b\", size = 1, score = 1.5, double = 6, note = \"same\")"

    @test_throws ArgumentError frame.absent
    @test_throws ArgumentError rename(frame, :name => :size)
    @test_throws ArgumentError vcat(frame, select(frame, :name))
    @test_throws DimensionMismatch Frame(a = [1, 2], b = [1])
    @test_throws DimensionMismatch frame.short = [1]
end

@testset "filter, sort, unique, dropmissing" begin
    frame = sales()
    @test nrow(filter(:shop => ==("North"), frame)) == 3
    @test nrow(filter(:units => >(5), frame)) == 3
    @test nrow(filter(:price => <(3.0), frame)) == 3
    @test nrow(filter(:day => >=(Date(2021, 3, 3)), frame)) == 2
    @test nrow(filter(:product => startswith("co"), frame)) == 3
    @test nrow(filter(row -> coalesce(row.online, false) && coalesce(row.units, 0) > 1, frame)) == 1
    @test nrow(filter(row -> row.shop in ("East", "South"), frame)) == 3

    @test sort(frame, :units).units[1:5] == [1, 3, 7, 9, 12] && ismissing(sort(frame, :units).units[6])
    @test sort(frame, :shop, :day).shop == ["East", "North", "North", "North", "South", "South"]
    @test sort(frame, :price; rev = true).price[2] == 4.0
    @test sort(frame, :day; rev = true).day[1] == Date(2021, 3, 4)
    @test sort(frame, :online).online[1] == false

    @test unique(frame, :shop).shop == ["North", "South", "East"]
    @test nrow(unique(frame)) == 6 && nrow(unique(frame, :shop, :product)) == 5
    complete = dropmissing(frame)
    @test nrow(complete) == 3 && eltype(complete.price) == Float64 && eltype(complete.units) == Int
    @test nrow(dropmissing(frame, :units)) == 5 && nrow(dropmissing(frame, :units, :price)) == 4
end

@testset "reading and writing" begin
    frame = sales()
    @test eltype.(frame[name] for name in names(frame)) ==
        [Date, String, String, Union{Int,Missing}, Union{Float64,Missing}, Union{Bool,Missing}]
    @test frame.product[4] == "coffee, beans"
    @test frame.day[1] == Date(2021, 3, 1)

    @test readframe(IOBuffer(sprint(writeframe, frame))) == frame
    mktempdir() do folder
        path = joinpath(folder, "sales.tsv")
        writeframe(path, frame; delim = '\t')
        @test readframe(path; delim = '\t') == frame
    end

    bare = readframe(IOBuffer("1;2.5;x\n-;3;y\n"); delim = ';', header = false, missings = ["-"])
    @test names(bare) == [:x1, :x2, :x3] && isequal(bare.x1, [1, missing]) && bare.x2 == [2.5, 3.0]
    odd = readframe(IOBuffer("a,a,\n2021-03-01T12:30:00,,\n2021-03-02T00:00:00,,\n"))
    @test names(odd) == [:a, :a_2, :x3] && eltype(odd.a) == DateTime && eltype(odd.x3) == Missing
    typed = readframe(IOBuffer("code,n\n007,1\n"); types = Dict(:code => String, :n => Float64))
    @test readframe(IOBuffer("a,b\n1,2\n3,4\n")) == Frame(a = [1, 3], b = [2, 4])
    @test typed.code == ["007"] && typed.n == [1.0]
    @test nrow(readframe(IOBuffer("a,b\n"))) == 0
    @test_throws ArgumentError readframe(IOBuffer(SALES); types = Dict(:shop => Int))
    @test_throws ArgumentError readframe(IOBuffer(SALES); types = Dict(:absent => Int))
    @test_throws ArgumentError readframe(IOBuffer(" \n"))
end

@testset "groups" begin
    frame = sales()
    groups = groupby(frame, :shop)
    @test length(groups) == 3 && keys(groups) == [("East",), ("North",), ("South",)]
    @test [nrow(group) for group in groups] == [1, 3, 2]
    @test all(group[1, :shop] == key[1] for (key, group) in zip(keys(groups), groups))
    @test groups[2].shop == fill("North", 3)
    @test repr(groups) == "3 groups by shop of 6 rows"

    totals = combine(groups,
        :units => present(sum), :price => present(mean) => :price, :price => present(std) => :spread,
        nrow, nrow => :rows, [:units, :price] => ((u, p) -> sum(skipmissing(u .* p))) => :income)
    @test names(totals) == [:shop, :units_sum, :price, :spread, :nrow, :rows, :income]
    @test totals.units_sum == [1, 21, 10] && eltype(totals.units_sum) == Int
    @test totals.price == [3.25, 3.0, 2.75]
    @test totals.income == [3.25, 52.5, 19.25] && totals.rows == totals.nrow == [1, 3, 2]

    @test combine(frame, :day => minimum => :from, :day => maximum => :to, nrow) ==
        Frame(from = [Date(2021, 3, 1)], to = [Date(2021, 3, 4)], nrow = [6])
    pairs = combine(groupby(frame, :day, :online), nrow => :n, :units => length, :product => first => :product,
        :units => present(maximum) => :most, :units => present(minimum) => :least, :price => present(median) => :mid,
        :price => present(var) => :var, :shop => (s -> join(sort(s), '+')) => :shops)
    @test nrow(pairs) == 6 && sum(pairs.n) == 6
    @test isequal(combine(groupby(frame, :online), nrow).online, [false, true, missing])
    @test nrow(combine(groupby(transform(frame, :day => (d -> month.(d)) => :month), :month), nrow)) == 1

    shares = transform(groupby(dropmissing(frame, :units), :shop), :units => (u -> u ./ sum(u)) => :share,
        :units => sum => :total, nrow => :n)
    @test shares.share[2] == 0.7 && shares.total[1] == 21 && shares.n == [2, 2, 2, 2, 1]
    wide = transform(frame, :day => (d -> dayname.(d)) => :weekday, [:units, :price] => ((u, p) -> u .* p) => :income)
    @test wide.weekday[1] == "Monday" && isequal(wide.income, [30.0, 19.25, missing, missing, 22.5, 3.25])
    @test present(mean)([1, missing, 3]) == 2 && ismissing(present(sum)([missing]))
    @test_throws ArgumentError groupby(frame)

    many = Frame(
        day = Date(2021) .+ Day.(0:199), hour = DateTime(2021) .+ Hour.(0:199), id = string.(1:200), n = mod1.(1:200, 50),
        size = (1:200) ./ 2, even = iseven.(1:200))
    for by in ([:day], [:hour], [:id], [:n], [:size], [:id, :n], [:n, :even], [:day, :id])
        counted = combine(groupby(many, by...), nrow, :id => length => :ids)
        @test sum(counted.nrow) == sum(counted.ids) == 200 && names(counted)[1:end-2] == by
    end
end

@testset "joins and wide tables" begin
    frame = sales()
    shops = Frame(shop = ["North", "South", "West"], floor = [120, 80, 60], opened = [Date(1999), Date(2005), Date(2020)], price = [1.0, 2.0, 3.0])
    inner = innerjoin(frame, shops; on = :shop)
    @test nrow(inner) == 5 && names(inner)[end] == :price_right && eltype(inner.floor) == Int
    left = leftjoin(frame, shops; on = :shop)
    @test nrow(left) == 6 && ismissing(left.floor[6]) && left.opened[1] == Date(1999)
    @test nrow(innerjoin(frame, frame; on = [:shop, :product])) == 8

    wide = pivot(frame, :shop, :day, :units, present(sum))
    @test size(wide) == (3, 5) && isequal(wide[Symbol("2021-03-01")], [missing, 12, 7])
    @test isequal(pivot(frame, :product, :shop, :price).North, [missing, 4.0, missing, 2.5])
    counts = crosstab(frame, :shop, :product)
    @test names(counts) == [:shop, :cocoa, :coffee, Symbol("coffee, beans"), :tea] && counts.tea == [0, 2, 1]
    @test crosstab(frame, :units, :online) isa Frame
end

@testset "describe and tables" begin
    frame = sales()
    summary = describe(frame)
    @test summary.column == names(frame) && summary.missing == [0, 0, 0, 1, 1, 1]
    @test summary.mean[4] == mean([12, 7, 3, 9, 1]) && summary.max[1] == Date(2021, 3, 4) && summary.min[2] == "East"
    @test describe(Frame(x = [missing, missing], y = [Time(1), Time(2)], z = [:a, :b], w = [1 // 2, 3 // 2])).distinct == [1, 2, 2, 2]

    text = plain(Frame(name = ["ab", "cde"], n = [1, 22], x = [0.5, missing]))
    @test text == "2×3 Frame\n  name        n         x\n  String  Int64  Float64?\n  ab          1       0.5\n  cde        22   missing"
    @test repr(frame) == "Frame(6×6: day, shop, product, units, price, online)"
    long = Frame(n = 1:1000, date = Date(2020):Day(1):Date(2020) + Day(999), x = (1:1000) ./ 7, flag = isodd.(1:1000),
        time = DateTime(2020) .+ Hour.(1:1000), symbol = fill(:s, 1000), value = Any[1:999; nothing], i8 = fill(Int8(1), 1000))
    short = plain(long; limit = true, displaysize = (20, 60))
    @test occursin("⋮", short) && occursin("do not fit", short) && count(isequal('\n'), short) == 16
    @test count(isequal('\n'), plain(long)) == 1002
    @test occursin("\e[1m", plain(frame; color = true))
    @test plain(Frame()) == "0×0 Frame"
    @test plain(summary; limit = true) isa String && plain(totals(frame); limit = true) isa String
    @test occursin("<th>shop</th>", html(frame)) && occursin("a &lt;b&gt; &amp; c", html(Frame(x = ["a <b> & c"])))
    @test occursin("1000 rows", html(long)) && html(summary) isa String
end

@testset "models" begin
    x = collect(0.0:9.0)
    frame = Frame(x = x, y = 3 .+ 2 .* x, kind = repeat(["a", "b"], 5), z = [x[1:9]; missing])
    fit = linearfit(frame, :y, :x)
    @test fit.terms == ["intercept", "x"] && fit.coefficients ≈ [3, 2] && fit.r2 ≈ 1
    @test predict(fit, Frame(x = [10.0, 20.0])) ≈ [23, 43]
    frame.y = frame.y .+ 5 .* (frame.kind .== "b")
    fit = linearfit(frame, :y, [:x, :kind])
    @test fit.terms[3] == "kind: b" && fit.coefficients ≈ [3, 2, 5]
    @test predict(fit, frame) ≈ frame.y
    @test linearfit(frame, :y, [:z]) isa TextFrames.LinearFit
    @test occursin("R² = 1.0000", plain(fit)) && repr(fit) == "LinearFit(y ~ x + kind)"
    @test linearfit(Frame(n = 1:6, y = [1, 2, 4, 3, 5, 7]), :y, :n).errors[2] > 0
    @test_throws ArgumentError linearfit(first(frame, 2), :y, [:x])
    @test_throws ArgumentError linearfit(Frame(y = [1, 2, 4], x = [1, 2, 3], same = [1, 2, 3]), :y, [:x, :same])

    @test smooth(x) ≈ x
    bumpy = smooth([0.0, 4.0, 0.0, 4.0, 0.0, 4.0], 100)
    @test maximum(abs, diff(bumpy)) < 1
    @test smooth([1, missing, 3, 4]) ≈ 1:4
    @test smooth(x, 0) ≈ x && smooth([1, 2]) == [1, 2]
    @test_throws ArgumentError smooth([missing, 1.0, missing])
    @test_throws ArgumentError smooth(x, -1)
end

@testset "numbers and axes" begin
    @test [TextFrames.fixed(v, 2) for v in (1.005, -0.001, -2.5, 3, Inf)] == ["1.00", "0.00", "-2.50", "3.00", "Inf"]
    @test TextFrames.fixed(1e20, 1) == "1e+20" && TextFrames.fixed(-7.4, 0) == "-7"
    @test TextFrames.numberaxis(0.0, 9.7).labels == ["0", "2", "4", "6", "8", "10"]
    @test TextFrames.numberaxis(-0.03, 0.11).labels == ["-0.04", "-0.02", "0.00", "0.02", "0.04", "0.06", "0.08", "0.10", "0.12"]
    @test TextFrames.numberaxis(0.0, 4e9).labels[2] == "1e+09"
    for (days, label) in ((5, "03-01"), (40, "03-01"), (100, "2021-03"), (500, "2021-03"), (4000, "2022"))
        @test first(TextFrames.axisfor([Date(2021, 3, 1), Date(2021, 3, 1) + Day(days)]).labels) == label
    end
end

@testset "plots" begin
    frame = sales()
    days = Date(2021):Day(1):Date(2021, 6)
    wave = sin.(eachindex(days) ./ 10)
    plots = [
        lineplot(1:10, (1:10) .^ 2; title = "Squares", xlabel = "n", ylabel = "n²"),
        lineplot([1.0, missing, 3.0, 4.0], [1, 4, missing, 16]),
        lineplot(wave),
        lineplot(days, [wave, -wave]; labels = ["up", "down"], title = "Waves & <more>"),
        lineplot(days, wave; label = "wave"),
        lineplot(DateTime(2021) .+ Hour.(1:48), 1:48),
        lineplot(frame, :day, :units; by = :shop, title = "Units"),
        lineplot(frame, :day, [:units, :price]),
        lineplot(frame, :day, :price),
        scatterplot(wave, wave .^ 2; label = "parabola"),
        scatterplot(1:3, [[1, 2, 3], [3, 2, 1]]),
        scatterplot(frame, :units, :price; by = :product),
        scatterplot(frame, :shop, :units),
        histogram(wave; bins = 20, title = "Values"),
        histogram(frame, :price),
        histogram([1, 1, 2, missing]),
        barplot(["one", "two", "three"], [1, 2.5, -3]; title = "Bars", label = "length"),
        barplot(totals(frame), :shop, :units_sum),
        heatmap([1 2 3; 4 5 6]; title = "Heat", label = "value"),
        heatmap([0.5 missing; 1.5 2.0]; rows = ["up", "down"], columns = [:left, :right], xlabel = "side"),
        heatmap(pivot(frame, :shop, :day, :units, present(sum)), :shop),
        heatmap(sparse([1, 2], [1, 2], [1.0, 2.0])),
    ]
    for plot in plots
        text, picture = plain(plot), svg(plot)
        @test plot isa Plot && startswith(repr(plot), "Plot(")
        @test occursin("┌", text) && !occursin("\n\n", text)
        @test startswith(picture, "<svg") && endswith(picture, "</svg>\n") && !occursin("NaN", picture)
        @test occursin("\e[", plain(plot; color = true, displaysize = (30, 100))) && plain(plot; limit = true) isa String
    end
    @test occursin("Waves &amp; &lt;more&gt;", svg(plots[4])) && occursin("■ down", plain(plots[4]))
    @test occursin("2021-03", plain(plots[4])) && occursin(">2021-03</text>", svg(plots[4]))
    @test count("<circle", svg(plots[11])) == 6
    @test count(isequal('M'), plots[2] |> svg) >= 2
    @test sum(plots[14].marks[1].top) == length(wave)
    @test split(plain(plots[18]), '\n')[2:4] == [
        " East │" * "⣶"^3 * "⠀"^61 * "│", "North │" * "⣿"^54 * "⠀"^10 * "│", "South │" * "⠿"^26 * "⠀"^38 * "│"]
    @test occursin("██████████", plain(plots[19])) && occursin("·", plain(plots[20]))
    @test_throws DimensionMismatch lineplot(1:3, 1:4)
    @test_throws DimensionMismatch barplot(["a"], [1, 2])
    @test_throws DimensionMismatch heatmap([1 2]; rows = 1:2)
    @test_throws ArgumentError histogram(Float64[])
    @test_throws ArgumentError histogram([1.0]; bins = 0)
end

end
