"""
Tables and plots for a terminal and a notebook, with the standard library alone.

A [`Frame`](@ref) holds named columns. [`readframe`](@ref) makes one from delimited text, `filter`,
`sort`, [`groupby`](@ref), [`combine`](@ref) and [`innerjoin`](@ref) make new ones from it, and
[`lineplot`](@ref), [`histogram`](@ref), [`barplot`](@ref) and [`heatmap`](@ref) draw it: in braille
characters where only text can be shown, as SVG where pictures can.
"""
module TextFrames

using Dates
using DelimitedFiles
using LinearAlgebra
using Printf
using SparseArrays
using Statistics

export Frame, Row, nrow, ncol, select, rename, dropmissing
export readframe, writeframe
export groupby, combine, transform, present, describe, innerjoin, leftjoin, pivot, crosstab
export linearfit, predict, smooth
export Plot, lineplot, scatterplot, histogram, barplot, heatmap

include("frame.jl")
include("text.jl")
include("read.jl")
include("groups.jl")
include("joins.jl")
include("summary.jl")
include("table.jl")
include("models.jl")
include("axes.jl")
include("plots.jl")
include("canvas.jl")
include("svg.jl")

end
