# A plot in characters. Each holds 2 × 4 dots of a braille pattern.

struct Canvas
    dots::Matrix{UInt8}
    colors::Matrix{Int}
end

Canvas(width::Int, height::Int) = Canvas(zeros(UInt8, height, width), zeros(Int, height, width))

const BRAILLE_BITS = UInt8[0x01 0x08; 0x02 0x10; 0x04 0x20; 0x40 0x80]
const TEXT_COLORS = (:blue, :red, :green, :magenta, :yellow, :cyan)
const SHADES = collect(" ░▒▓█")

dotsize(canvas::Canvas) = (2size(canvas.dots, 2), 4size(canvas.dots, 1))

"Set the dot `x` from the left and `y` from the bottom, both from 0 on."
function setdot!(canvas::Canvas, x::Int, y::Int, color::Int)
    width, height = dotsize(canvas)
    0 <= x < width && 0 <= y < height || return
    down = height - 1 - y
    canvas.dots[down ÷ 4 + 1, x ÷ 2 + 1] |= BRAILLE_BITS[down % 4 + 1, x % 2 + 1]
    canvas.colors[down ÷ 4 + 1, x ÷ 2 + 1] = color
    return
end

dotx(canvas::Canvas, plot::Plot, x::Float64) = fraction(plot.xaxis, x) * (dotsize(canvas)[1] - 1)
doty(canvas::Canvas, plot::Plot, y::Float64) = fraction(plot.yaxis, y) * (dotsize(canvas)[2] - 1)

function draw!(canvas::Canvas, plot::Plot, line::Line, color::Int)
    drawpoints!(canvas, plot, line.x, line.y, color)
    for i in 2:length(line.x)
        x0, y0 = dotx(canvas, plot, line.x[i-1]), doty(canvas, plot, line.y[i-1])
        x1, y1 = dotx(canvas, plot, line.x[i]), doty(canvas, plot, line.y[i])
        all(isfinite, (x0, y0, x1, y1)) || continue
        steps = max(1, ceil(Int, max(abs(x1 - x0), abs(y1 - y0))))
        for t in range(0, 1; length = steps + 1)
            setdot!(canvas, round(Int, x0 + t * (x1 - x0)), round(Int, y0 + t * (y1 - y0)), color)
        end
    end
end

draw!(canvas::Canvas, plot::Plot, points::Points, color::Int) =
    drawpoints!(canvas, plot, points.x, points.y, color)

function drawpoints!(canvas::Canvas, plot::Plot, xs::Vector{Float64}, ys::Vector{Float64}, color::Int)
    for (x, y) in zip(xs, ys)
        isfinite(x) && isfinite(y) || continue
        setdot!(canvas, round(Int, dotx(canvas, plot, x)), round(Int, doty(canvas, plot, y)), color)
    end
end

function draw!(canvas::Canvas, plot::Plot, boxes::Boxes, color::Int)
    for i in eachindex(boxes.left)
        boxes.left[i] < boxes.right[i] && boxes.bottom[i] < boxes.top[i] || continue
        for x in round(Int, dotx(canvas, plot, boxes.left[i])):round(Int, dotx(canvas, plot, boxes.right[i])),
            y in round(Int, doty(canvas, plot, boxes.bottom[i])):round(Int, doty(canvas, plot, boxes.top[i]))

            setdot!(canvas, x, y, color)
        end
    end
end

# Tiles are whole characters, which canvaslines puts in place of dots.
draw!(canvas::Canvas, plot::Plot, tiles::Tiles, color::Int) = nothing

"From 0 for the least finite value of the tiles to 1 for the greatest; `NaN` stays."
function shades(tiles::Tiles)
    low, high = span(vec(tiles.values))
    return (tiles.values .- low) ./ (high - low)
end

"The characters of row `line` from the top, each with the number of its color, 0 for none."
function canvasline(canvas::Canvas, line::Int)
    return Tuple{Char,Int}[
        (Char(0x2800 + canvas.dots[line, column]), canvas.colors[line, column]) for column in 1:size(canvas.dots, 2)]
end

function tileline(tiles::Tiles, width::Int, line::Int)
    shade = shades(tiles)
    nrows, ncols = size(shade)
    return Tuple{Char,Int}[
        (isnan(shade[nrows-line+1, j]) ? '·' : SHADES[1+round(Int, 4shade[nrows-line+1, j])], 1)
        for j in 1:ncols for _ in 1:(width÷ncols)]
end

function Base.show(io::IO, ::MIME"text/plain", plot::Plot)
    rows, columns = displaysize(io)
    tiles = findfirst(mark -> mark isa Tiles, plot.marks)
    named = tiles !== nothing || length(plot.yaxis.ticks) == plot.yaxis.high - plot.yaxis.low
    height = named ? length(plot.yaxis.ticks) : clamp(rows - 9, 6, 15)
    margin = maximum(textwidth, [plot.yaxis.labels; ""])
    width = clamp(columns - margin - 4, 20, 64)
    if tiles !== nothing
        width -= width % length(plot.xaxis.ticks)
        width = max(width, length(plot.xaxis.ticks))
    end
    canvas = Canvas(width, height)
    for (number, mark) in enumerate(plot.marks)
        draw!(canvas, plot, mark, mod1(number, length(TEXT_COLORS)))
    end

    indent = " "^(margin + 1)
    isempty(plot.title) || printstyled(io, indent, " ", rstrip(padcenter(plot.title, width)), "\n"; bold = true)
    isempty(plot.ylabel) || print(io, indent, " ", plot.ylabel, "\n")
    print(io, indent, "┌", "─"^width, "┐\n")
    for line in 1:height
        print(io, padleft(ylabelat(plot.yaxis, line, height), margin), " │")
        printcells(io, tiles === nothing ? canvasline(canvas, line) : tileline(plot.marks[tiles], width, line))
        print(io, "│\n")
    end
    print(io, indent, "└", "─"^width, "┘\n")
    print(io, indent, " ", rstrip(ticksline(plot.xaxis, width)))
    isempty(plot.xlabel) || print(io, "\n", indent, " ", rstrip(padcenter(plot.xlabel, width)))
    printlegend(io, plot, indent)
end

function printcells(io::IO, cells::Vector{Tuple{Char,Int}})
    from = 1
    while from <= length(cells)
        to = from
        while to < length(cells) && last(cells[to+1]) == last(cells[from])
            to += 1
        end
        text = String(Char[first(cell) for cell in cells[from:to]])
        color = last(cells[from])
        color == 0 ? print(io, text) : printstyled(io, text; color = TEXT_COLORS[color])
        from = to + 1
    end
end

"The label of the tick that falls into character row `line` of `height`, or nothing."
function ylabelat(axis::Axis, line::Int, height::Int)
    for (tick, label) in zip(axis.ticks, axis.labels)
        height - clamp(floor(Int, fraction(axis, tick) * height), 0, height - 1) == line && return label
    end
    return ""
end

"Labels of ticks, each centered on its place; those that would touch the one before are left out."
function ticksline(axis::Axis, width::Int)
    line = fill(' ', width)
    free = 1
    for (tick, label) in zip(axis.ticks, axis.labels)
        label = shorten(label, max(3, width ÷ length(axis.ticks)))
        wanted = round(Int, fraction(axis, tick) * (width - 1)) + 1 - length(label) ÷ 2
        start = clamp(wanted, 1, max(1, width - length(label) + 1))
        (start < free || start + length(label) - 1 > width) && continue
        line[start:start+length(label)-1] = collect(label)
        free = start + length(label) + 1
    end
    return String(line)
end

function printlegend(io::IO, plot::Plot, indent::String)
    for (number, mark) in enumerate(plot.marks)
        isempty(mark.label) && continue
        print(io, "\n", indent, " ")
        printstyled(io, "■"; color = TEXT_COLORS[mod1(number, length(TEXT_COLORS))])
        print(io, " ", mark.label)
        mark isa Tiles && print(io, ": ", SHADES[2], " ", join(celltexts(collect(span(vec(mark.values)))), " to "), " ", SHADES[end])
    end
end
