# Runs the code cells of a notebook one after another, as a Jupyter kernel does.
#
#     julia -i --project=PROJECT julia/notebook.jl CELLS
#
# CELLS is a text file. Its first line is a separator, such as `# %%`; wherever a line like it stands again, the next cell
# begins. The cells run in Main and in the folder that the process is in. One that fails does not stop those that follow,
# but in the end the process exits with status 1.
#
# What a kernel does with a cell is taken from IJulia 1.3x: src/execute_request.jl (soft scope, `ans`, nothing shown behind
# a semicolon), src/display.jl and src/inline.jl (which MIME types a value is shown as, and how), src/kernel.jl (the size of
# a screen that is not there). `-i` makes the session interactive, as a kernel's is. No file is the program, and `include` in a
# cell goes by the working folder (`delete!(task_local_storage(), :SOURCE_PATH)` in older versions of IJulia's kernel.jl, which was
# the program file then; newer ones start with `-e`). Nothing is sent anywhere: what counts is the code that this compiles.
#
# Noted are the first cell that fails (`failed`) and the one that ends the process (`exited`).

module JlsysNotebook

include(joinpath(@__DIR__, "notes.jl"))

# By UUID: a project need not have these among its dependencies.
const REPL = Base.require(Base.PkgId(Base.UUID("3fa0cd96-eef1-5676-8a61-b3b8758bbffb"), "REPL"))
const Base64 = Base.require(Base.PkgId(Base.UUID("2a0f44e3-6c83-55bd-87e4-b1978d98bd5f"), "Base64"))

# A value is shown as the first type of each group that it has.
const MIME_TYPES = [
    ["text/plain"],
    ["image/svg+xml"],
    ["image/png", "image/jpeg"],
    ["text/markdown", "text/html"],
    ["text/latex"],
    [["application/vnd.vegalite.v$n+json" for n in 4:-1:2]; ["application/vnd.vega.v$n+json" for n in 5:-1:3]],
    ["application/vnd.dataresource+json"],
    ["application/vnd.plotly.v1+json"],
]

# `invokelatest` keeps the compiler from taking `show` for the only method that it knows for a type such as
# `image/svg+xml` and putting its code in here: then it would be compiled, and not be seen in the trace.
function show_as(mime::MIME, @nospecialize(value))
    buffer = IOBuffer()
    if istextmime(mime) || endswith(string(mime), "+json")
        # A string that is asked for as, say, HTML is taken to be HTML.
        value isa AbstractString && !showable(mime, value) && return
        Base.invokelatest(show, inline(buffer), mime, value)
    else
        encoded = Base64.Base64EncodePipe(buffer)
        value isa Vector{UInt8} ? write(encoded, value) : Base.invokelatest(show, inline(encoded), mime, value)
        close(encoded)
    end
    String(take!(buffer))
    return
end

inline(io) = IOContext(io, :limit => true, :color => true, :jupyter => true)

function show_value(@nospecialize(value))
    for types in MIME_TYPES
        i = findfirst(mime -> showable(MIME(mime), value), types)
        i === nothing || show_as(MIME(types[i]), value)
    end
end

# What `display` ends at, called by a cell or by a package.
struct Inline <: AbstractDisplay end

Base.display(::Inline, @nospecialize(value)) = show_value(value)
Base.display(::Inline, mime::MIME, @nospecialize(value)) = show_as(mime, value)
Base.displayable(::Inline, ::MIME) = true

# The REPL keeps `ans` in a module of its own from 1.9 on.
set_ans(@nospecialize(value)) =
    Core.eval(isdefined(Base.MainInclude, :ans) ? Base.MainInclude : Main, Expr(:(=), :ans, QuoteNode(value)))

function run_cell(code, number)
    # Whoever ends this process, because nothing happens any more, wants to know where.
    println(stderr, "[jlsys: cell ", number, " begins]")
    try
        value = include_string(REPL.softscope, Main, code, "In[$number]")
        set_ans(value)
        value === nothing || REPL.ends_with_semicolon(code) || Base.invokelatest(show_value, value)
        return true
    catch error
        # `include_string` wraps what a cell throws.
        error isa LoadError && (error = error.error)
        backtrace = catch_backtrace()
        text = try
            # As it would be shown below the cell.
            sprint(io -> Base.invokelatest(showerror, inline(io), error, backtrace))
        catch
            string(typeof(error))
        end
        FAILED[] += 1
        # Without colours.
        line = string("cell ", number, " failed: ", replace(first(split(text, '\n')), r"\e\[[0-9;]*m" => ""))
        FAILED[] == 1 && note("failed", line)
        println(stderr, "[jlsys: ", line, ']')
        return false
    end
end

const FAILED = Ref(0)

# The cell that runs; 0 when none does.
const RUNNING = Ref(0)

function read_cells(file)
    lines = readlines(file)
    starts = findall(isequal(first(lines)), lines)
    ends = [starts[2:end] .- 1; length(lines)]
    return [join(lines[start+1:stop], '\n') for (start, stop) in zip(starts, ends)]
end

function run_notebook(file)
    cells = read_cells(file)
    get!(ENV, "LINES", "30")
    get!(ENV, "COLUMNS", "80")
    pushdisplay(Inline())
    Core.eval(Main, :(using InteractiveUtils))
    # As in a kernel, whose program file is none of the notebook's business.
    Core.eval(Base, :(PROGRAM_FILE = ""))
    delete!(task_local_storage(), :SOURCE_PATH)
    atexit(() -> RUNNING[] == 0 || note("exited", string("cell ", RUNNING[], " of ", length(cells))))
    for (number, code) in enumerate(cells)
        RUNNING[] = number
        run_cell(code, number)
    end
    RUNNING[] = 0
    println(stderr, "[jlsys: ", length(cells), " cells were run, ", FAILED[], " of them failed]")
    return FAILED[] == 0
end

# An error of this file's own would end in an interactive session, since that is what `-i` asks for.
function main(file)
    succeeded = try
        run_notebook(file)
    catch error
        showerror(stderr, error, catch_backtrace())
        false
    end
    exit(succeeded ? 0 : 1)
end

end

let file = popfirst!(ARGS)
    JlsysNotebook.main(file)
end
