# Precompiles a project's packages and their extensions, several at once, as Pkg does from Julia 1.6 on.
#
#     julia [-J IMAGE] --project=PROJECT [--pkgimages=no] julia/precompile.jl [NAME...]
#     julia [-J IMAGE] --project=PROJECT julia/precompile.jl --sessions=REPL,Pkg
#     julia --project=PROJECT julia/precompile.jl [--beside=PACKAGES] --count=PACKAGES --counts=FILE
#
# Of the packages that are named (1.8 and later) and what they depend on, else of all. With `--sessions` instead those that sessions
# load beside them (`REPL`, `Pkg`, in this order), which from 1.11 on are not in the stock image. With `--beside` also packages of
# another environment, with `--count` the file gets what counted.jl says (1.9 and later).
# Exits with status 1 when something does not precompile; the rest then has been all the same.

const NAMES = filter(argument -> !startswith(argument, "--"), ARGS)

"What an option was given, empty where it was not."
function given(option)
    found = filter(argument -> startswith(argument, "--$option="), ARGS)
    return isempty(found) ? "" : String(last(split(only(found), '='; limit = 2)))
end

const FOR_SESSIONS = split(given("sessions"), ','; keepempty = false)
isempty(given("count")) || include("counted.jl")

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
const IN_SESSIONS = Dict(
    "REPL" => Base.PkgId(Base.UUID("3fa0cd96-eef1-5676-8a61-b3b8758bbffb"), "REPL"),
    "Pkg" => Base.PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg"),
)

precompile_for_sessions() = foreach(name -> Base.require_stdlib(IN_SESSIONS[name]), FOR_SESSIONS)

function precompile_and_count()
    packages = packages_in(given("count"))
    before = caches_of(packages)
    works = try_to(precompile_packages)
    isempty(given("beside")) || (works &= try_to(() -> precompile_beside(packages_in(given("beside")))))
    write_counts(given("counts"), packages, before, caches_of(packages))
    return works
end

works = !isempty(FOR_SESSIONS) ? try_to(precompile_for_sessions) :
    isempty(given("count")) ? try_to(precompile_packages) : precompile_and_count()
exit(works ? 0 : 1)
