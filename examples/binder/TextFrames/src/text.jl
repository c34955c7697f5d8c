# How values and numbers are written, in tables, axes and pictures alike.

"`x` with exactly `digits` decimals."
function fixed(x::Real, digits::Integer)
    isfinite(x) || return string(x)
    scale = 10.0^digits
    abs(x) * scale < 1e15 || return @sprintf("%.4g", x)
    whole, fraction = divrem(round(Int, abs(x) * scale), round(Int, scale))
    sign = x < 0 && (whole, fraction) != (0, 0) ? "-" : ""
    return digits == 0 ? "$sign$whole" : "$sign$whole.$(lpad(fraction, digits, '0'))"
end

"Decimals that show every value to about five significant digits, at most four of them."
function decimals(values)
    finite = Float64[abs(v) for v in values if !ismissing(v) && isfinite(v)]
    isempty(finite) && return 1
    spare = clamp(4 - floor(Int, log10(max(maximum(finite), 1e-4))), 1, 4)
    while spare > 1 && all(v -> isapprox(v, round(v; digits = spare - 1); atol = 1e-9), finite)
        spare -= 1
    end
    return spare
end

"The values of a column as text, as a table shows them."
celltexts(column::AbstractVector) = String[celltext(value) for value in column]

function celltexts(column::AbstractVector{<:Union{Missing,AbstractFloat}})
    digits = decimals(column)
    return String[ismissing(value) ? "missing" : fixed(value, digits) for value in column]
end

celltext(value) = sprint(print, value)
celltext(value::AbstractFloat) = fixed(value, decimals((value,)))
celltext(value::AbstractString) = replace(String(value), r"[\r\n\t]" => " ")

"`text` with no more than `width` columns, its end replaced by an ellipsis where it is cut."
function shorten(text::AbstractString, width::Integer)
    textwidth(text) <= width && return String(text)
    kept = IOBuffer()
    used = 1
    for char in text
        used += textwidth(char)
        used > width && break
        print(kept, char)
    end
    return String(take!(kept)) * "…"
end

padleft(text::AbstractString, width::Integer) = " "^max(0, width - textwidth(text)) * text
padright(text::AbstractString, width::Integer) = text * " "^max(0, width - textwidth(text))
padcenter(text::AbstractString, width::Integer) =
    padright(" "^max(0, (width - textwidth(text)) ÷ 2) * text, width)

"`text` for use inside HTML or SVG."
escapexml(text::AbstractString) =
    replace(replace(replace(replace(text, "&" => "&amp;"), "<" => "&lt;"), ">" => "&gt;"), "\"" => "&quot;")
