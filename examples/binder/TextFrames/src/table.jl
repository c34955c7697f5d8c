# A frame as text and as HTML.

Base.show(io::IO, frame::Frame) = print(io, "Frame(", nrow(frame), "×", ncol(frame), ": ", join(names(frame), ", "), ")")

const WIDEST_CELL = 32

function Base.show(io::IO, ::MIME"text/plain", frame::Frame)
    limited = get(io, :limit, false)::Bool
    height, width = displaysize(io)
    shown, hidden = visiblerows(nrow(frame), limited ? max(height - 7, 4) : nrow(frame))
    print(io, nrow(frame), "×", ncol(frame), " Frame")

    blocks = Vector{String}[]
    room = (limited ? width : typemax(Int)) - 2
    for (name, column) in zip(names(frame), columns(frame))
        block = columnblock(string(name), column, shown, hidden)
        room -= textwidth(first(block)) + 2
        if room < 0
            print(io, " (", ncol(frame) - length(blocks), " columns do not fit)")
            break
        end
        push!(blocks, block)
    end
    isempty(blocks) && return

    for line in 1:length(first(blocks))
        text = rstrip(join((block[line] for block in blocks), "  "))
        print(io, "\n  ")
        line == 1 ? printstyled(io, text; bold = true) :
        line == 2 ? printstyled(io, text; color = :light_black) : print(io, text)
    end
end

"The rows to show of `n`, and after which of them the others are left out (0: none are)."
visiblerows(n::Int, most::Int) =
    n <= most ? (collect(1:n), 0) : ([1:cld(most, 2); (n - fld(most, 2) + 1):n], cld(most, 2))

"A column as lines of equal width: its name, its type, and the values."
function columnblock(name::String, column::AbstractVector, shown::Vector{Int}, hidden::Int)
    lines = [name; typetext(eltype(column)); celltexts(column[shown])]
    hidden > 0 && insert!(lines, hidden + 3, "⋮")
    lines = String[shorten(line, WIDEST_CELL) for line in lines]
    width = maximum(textwidth, lines)
    pad = nonmissingtype(eltype(column)) <: Number ? padleft : padright
    return String[pad(line, width) for line in lines]
end

typetext(T::Type) = T >: Missing && T !== Any && T !== Missing ? string(nonmissingtype(T), "?") : string(T)

function Base.show(io::IO, ::MIME"text/html", frame::Frame)
    limited = get(io, :limit, true)::Bool
    shown, hidden = visiblerows(nrow(frame), limited ? 20 : nrow(frame))
    print(io, "<table class=\"frame\"><thead><tr>")
    for name in names(frame)
        print(io, "<th>", escapexml(string(name)), "</th>")
    end
    print(io, "</tr><tr>")
    for column in columns(frame)
        print(io, "<td><i>", escapexml(typetext(eltype(column))), "</i></td>")
    end
    print(io, "</tr></thead><tbody>")
    texts = [celltexts(column[shown]) for column in columns(frame)]
    for line in eachindex(shown)
        print(io, "<tr>")
        for (text, column) in zip(texts, columns(frame))
            right = nonmissingtype(eltype(column)) <: Number
            print(io, right ? "<td style=\"text-align:right\">" : "<td>", escapexml(text[line]), "</td>")
        end
        print(io, "</tr>")
        line == hidden && print(io, "<tr><td colspan=\"", ncol(frame), "\">⋮</td></tr>")
    end
    print(io, "</tbody></table><p>", nrow(frame), " rows</p>")
end
