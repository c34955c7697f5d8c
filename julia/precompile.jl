# Precompiles a project's packages and their extensions, several at once, as Pkg does from Julia 1.6 on.
#
#     julia [-J IMAGE] --project=PROJECT [--pkgimages=no] julia/precompile.jl [--sessions] [NAME...]
#
# Of the packages that are named (1.8 and later) and what they depend on, else of all. With `--sessions` also what sessions load
# beside them, which from 1.11 on is not in the stock image.
# Exits with status 1 when something does not precompile; the rest then has been all the same.

const NAMES = filter(argument -> argument != "--sessions", ARGS)

# What Pkg calls from 1.11 on. Pkg itself is not in the stock image there, and its caches are for ordinary processes: one with
# `--pkgimages=no` would precompile it first, which takes longer than most projects.
const WITHOUT_PKG = isdefined(Base, :Precompilation) && isdefined(Base.Precompilation, :precompilepkgs)
if !WITHOUT_PKG
    using Pkg
    include(joinpath(@__DIR__, "offline.jl"))
end

function precompile_packages()
    WITHOUT_PKG && return Base.Precompilation.precompilepkgs(NAMES)
    isempty(NAMES) ? Pkg.precompile() : Pkg.precompile(NAMES)
end

# Calls a function; whether that went well.
function try_to(precompile)
    try
        precompile()
        return true
    catch error
        print(stderr, "ERROR: ")
        showerror(stderr, error, catch_backtrace())
        println(stderr)
        return false
    end
end

# Whoever sits at a terminal has the REPL (`load_REPL` in base/client.jl), and in its package mode Pkg, as many notebooks do.
const IN_SESSIONS = [
    Base.PkgId(Base.UUID("3fa0cd96-eef1-5676-8a61-b3b8758bbffb"), "REPL"),
    Base.PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg"),
]

# Each takes a minute or more, and does not need the other: as many at once as of the project's packages.
function precompile_for_sessions()
    tasks = parse(Int, get(ENV, "JULIA_NUM_PRECOMPILE_TASKS", "1"))
    alone = asyncmap(IN_SESSIONS; ntasks = max(tasks, 1)) do package
        code = "Base.require_stdlib(Base.PkgId(Base.UUID($(repr(string(package.uuid)))), $(repr(package.name))))"
        success(pipeline(`$(Base.julia_cmd()) -e $code`; stdout = stdout, stderr = stderr))
    end
    # What failed would take its time once more here.
    all(alone) || error("not all that sessions load precompiles")
    # Together they have an extension.
    foreach(Base.require_stdlib, IN_SESSIONS)
end

worked = try_to(precompile_packages)
if "--sessions" in ARGS && isdefined(Base, :require_stdlib)
    worked &= try_to(precompile_for_sessions)
end

exit(worked ? 0 : 1)
