# A plot as SVG.

const SVG_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

"The picture, and the area within it that the axes enclose, in pixels."
struct Area
    width::Float64
    height::Float64
    left::Float64
    right::Float64
    top::Float64
    bottom::Float64
end

function Area(plot::Plot)
    labels = maximum(textwidth, [plot.yaxis.labels; ""])
    left = 30.0 + 6.5min(labels, 24) + (isempty(plot.ylabel) ? 0 : 18)
    legend = any(mark -> !isempty(mark.label), plot.marks) ? 130.0 : 20.0
    return Area(640, 400, left, 640 - legend, isempty(plot.title) ? 20 : 40, 400 - (isempty(plot.xlabel) ? 35 : 55))
end

pixelx(area::Area, plot::Plot, x::Real) = area.left + fraction(plot.xaxis, x) * (area.right - area.left)
pixely(area::Area, plot::Plot, y::Real) = area.bottom - fraction(plot.yaxis, y) * (area.bottom - area.top)

pixels(x::Real) = @sprintf("%.1f", x)

"Write one element; attribute names have `_` for `-`."
function element(io::IO, name::String, text::String = ""; attributes...)
    print(io, "<", name)
    for (key, value) in attributes
        print(io, " ", replace(string(key), '_' => '-'), "=\"", attribute(value), "\"")
    end
    isempty(text) ? print(io, "/>\n") : print(io, ">", escapexml(text), "</", name, ">\n")
end

attribute(value::AbstractString) = escapexml(value)
attribute(value::Real) = pixels(value)

function Base.show(io::IO, ::MIME"image/svg+xml", plot::Plot)
    area = Area(plot)
    print(io, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" width=\"640\" height=\"400\" ",
        "font-family=\"sans-serif\" font-size=\"12\">\n")
    element(io, "rect"; width = area.width, height = area.height, fill = "white")
    drawaxes(io, area, plot)
    for (number, mark) in enumerate(plot.marks)
        drawmark(io, area, plot, mark, SVG_COLORS[mod1(number, length(SVG_COLORS))])
    end
    element(io, "rect"; x = area.left, y = area.top, width = area.right - area.left,
        height = area.bottom - area.top, fill = "none", stroke = "#333333")
    drawlegend(io, area, plot)
    print(io, "</svg>\n")
end

function drawaxes(io::IO, area::Area, plot::Plot)
    skip = cld(length(plot.xaxis.ticks) * (maximum(textwidth, [plot.xaxis.labels; ""]) + 2) * 7, area.right - area.left)
    for (i, (tick, label)) in enumerate(zip(plot.xaxis.ticks, plot.xaxis.labels))
        x = pixelx(area, plot, tick)
        element(io, "line"; x1 = x, y1 = area.top, x2 = x, y2 = area.bottom, stroke = "#dddddd")
        (i - 1) % max(1, skip) == 0 &&
            element(io, "text", label; x = x, y = area.bottom + 16, text_anchor = "middle")
    end
    for (tick, label) in zip(plot.yaxis.ticks, plot.yaxis.labels)
        y = pixely(area, plot, tick)
        element(io, "line"; x1 = area.left, y1 = y, x2 = area.right, y2 = y, stroke = "#dddddd")
        element(io, "text", shorten(label, 24); x = area.left - 6, y = y + 4, text_anchor = "end")
    end
    middle = (area.left + area.right) / 2
    isempty(plot.title) || element(io, "text", plot.title; x = middle, y = 24.0, text_anchor = "middle", font_weight = "bold")
    isempty(plot.xlabel) || element(io, "text", plot.xlabel; x = middle, y = area.bottom + 38, text_anchor = "middle")
    isempty(plot.ylabel) || element(io, "text", plot.ylabel; x = 0.0, y = 0.0, text_anchor = "middle",
        transform = "translate(16 $(pixels((area.top + area.bottom) / 2))) rotate(-90)")
end

function drawmark(io::IO, area::Area, plot::Plot, line::Line, color::String)
    path = IOBuffer()
    pen = 'M'
    for (x, y) in zip(line.x, line.y)
        if isfinite(x) && isfinite(y)
            print(path, pen, pixels(pixelx(area, plot, x)), " ", pixels(pixely(area, plot, y)))
            pen == 'M' && print(path, "h0") # with round caps, a point on its own is a dot
            pen = 'L'
        else
            pen = 'M'
        end
    end
    element(io, "path"; d = String(take!(path)), fill = "none", stroke = color, stroke_width = 1.5,
        stroke_linecap = "round", stroke_linejoin = "round")
end

function drawmark(io::IO, area::Area, plot::Plot, points::Points, color::String)
    for (x, y) in zip(points.x, points.y)
        isfinite(x) && isfinite(y) || continue
        element(io, "circle"; cx = pixelx(area, plot, x), cy = pixely(area, plot, y), r = 2.5, fill = color)
    end
end

drawmark(io::IO, area::Area, plot::Plot, boxes::Boxes, color::String) =
    foreach(eachindex(boxes.left)) do i
        drawbox(io, area, plot, (boxes.left[i], boxes.right[i]), (boxes.bottom[i], boxes.top[i]), color)
    end

function drawmark(io::IO, area::Area, plot::Plot, tiles::Tiles, color::String)
    shade = shades(tiles)
    for j in 1:size(shade, 2), i in 1:size(shade, 1)
        isnan(shade[i, j]) || drawbox(io, area, plot, (j - 0.5, j + 0.5), (i - 0.5, i + 0.5), shadecolor(shade[i, j]))
    end
end

function drawbox(io::IO, area::Area, plot::Plot, (left, right), (bottom, top), color::String)
    x, y = pixelx(area, plot, left), pixely(area, plot, top)
    element(io, "rect"; x = x, y = y, width = pixelx(area, plot, right) - x,
        height = pixely(area, plot, bottom) - y, fill = color, stroke = "white")
end

"White for 0, dark blue for 1."
function shadecolor(shade::Float64)
    channel(dark) = string(round(Int, 255 + shade * (dark - 255)); base = 16, pad = 2)
    return "#" * channel(8) * channel(64) * channel(129)
end

function drawlegend(io::IO, area::Area, plot::Plot)
    y = area.top + 12
    for (number, mark) in enumerate(plot.marks)
        isempty(mark.label) && continue
        element(io, "rect"; x = area.right + 12, y = y - 9, width = 10.0, height = 10.0,
            fill = SVG_COLORS[mod1(number, length(SVG_COLORS))])
        element(io, "text", shorten(mark.label, 14); x = area.right + 27, y = y)
        y += 18
    end
end
