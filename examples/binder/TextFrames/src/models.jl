"""
    LinearFit

What [`linearfit`](@ref) found: `terms`, `coefficients`, `errors` (standard errors) and `r2`, the share of the
variance that the fit explains.
"""
struct LinearFit
    response::Symbol
    predictors::Vector{Symbol}
    levels::Dict{Symbol,Vector}
    terms::Vector{String}
    coefficients::Vector{Float64}
    errors::Vector{Float64}
    r2::Float64
end

"""
    linearfit(frame, response, predictors)

Least squares with an intercept. A predictor that is not a number counts as a category: each of its values but the
first gets a coefficient. Rows with a missing value are left out.
"""
function linearfit(frame::Frame, response::Symbol, predictors::Vector{Symbol})
    used = dropmissing(select(frame, response, predictors...))
    levels = Dict{Symbol,Vector}(
        name => sort!(unique(used[name])) for name in predictors if !(eltype(used[name]) <: Real))
    terms, X = design(used, predictors, levels)
    nrow(used) > length(terms) ||
        throw(ArgumentError("$(nrow(used)) complete rows are too few for $(length(terms)) coefficients"))
    y = Vector{Float64}(used[response])
    factor = cholesky(Symmetric(X' * X); check = false)
    issuccess(factor) || throw(ArgumentError("the predictors $(join(predictors, ", ")) determine each other"))
    coefficients = (factor \ (X' * y))::Vector{Float64}
    residuals = y - X * coefficients
    variance = sum(abs2, residuals) / (length(y) - length(terms))
    errors = sqrt.(variance .* diag(factor \ Matrix{Float64}(I, length(terms), length(terms))))
    r2 = 1 - sum(abs2, residuals) / sum(abs2, y .- mean(y))
    return LinearFit(response, predictors, levels, terms, coefficients, errors, r2)
end

linearfit(frame::Frame, response::Symbol, predictor::Symbol) = linearfit(frame, response, [predictor])

"The names of the terms, and a sparse matrix with a column for each."
function design(frame::Frame, predictors::Vector{Symbol}, levels::Dict{Symbol,Vector})
    terms = ["intercept"]
    blocks = [sparse(ones(nrow(frame), 1))]
    for name in predictors
        if haskey(levels, name)
            for level in levels[name][2:end]
                push!(terms, "$name: $level")
                push!(blocks, sparse(reshape(Float64[isequal(v, level) for v in frame[name]], :, 1)))
            end
        else
            push!(terms, string(name))
            push!(blocks, sparse(reshape(Vector{Float64}(frame[name]), :, 1)))
        end
    end
    return terms, reduce(hcat, blocks)
end

"""
    predict(fit, frame)

The values that `fit` expects for the rows of `frame`.
"""
predict(fit::LinearFit, frame::Frame) = last(design(frame, fit.predictors, fit.levels)) * fit.coefficients

function Base.show(io::IO, ::MIME"text/plain", fit::LinearFit)
    print(io, "Linear fit of ", fit.response, ", R² = ", fixed(fit.r2, 4))
    width = maximum(textwidth, fit.terms)
    for (term, coefficient, error) in zip(fit.terms, fit.coefficients, fit.errors)
        print(io, "\n  ", padright(term, width), @sprintf("  %10.4f ± %.4f", coefficient, error))
    end
end

Base.show(io::IO, fit::LinearFit) =
    print(io, "LinearFit(", fit.response, " ~ ", join(fit.predictors, " + "), ")")

"""
    smooth(values, strength = 10)

A smooth curve through evenly spaced values (a Whittaker smoother: it trades distance from the values against
second differences, the more so the greater `strength` is). Missing values are filled in.
"""
function smooth(values::AbstractVector, strength::Real = 10)
    n = length(values)
    strength >= 0 || throw(ArgumentError("the strength of smoothing must not be negative"))
    weights = Float64[!ismissing(value) for value in values]
    sum(weights) >= 2 || throw(ArgumentError("smoothing needs two values that are not missing"))
    n < 3 && return Vector{Float64}(values)
    bends = spdiagm(n - 2, n, 0 => ones(n - 2), 1 => fill(-2.0, n - 2), 2 => ones(n - 2))
    known = Float64[coalesce(value, 0) for value in values]
    penalty = max(Float64(strength), 1e-9) * (bends' * bends)
    return cholesky(Symmetric(spdiagm(0 => weights) + penalty)) \ (weights .* known)
end
