# Waits until the session loads one of the packages that the startup package is about, and only then has JlsysStartup loaded, which does the rest:
# a session that uses none of them pays for reading this file. start.jl includes it.
#
# The folder of this file has `awaited`, these packages as `(NAME = "UUID", …)`, and what first.jl says.

module JlsysWaiting

# What is in here runs once or is short: it is interpreted and not compiled (3: `compile=min`). `Base.Experimental.@compiler_options` says the same, and
# costs what any macro does; so would a docstring.
Core.eval(JlsysWaiting, Expr(:meta, :compile, 3))
Core.eval(JlsysWaiting, Expr(:meta, :infer, 0))

const FOLDER = String((quote; x; end).args[1].file)[1:end-10]

# Whether what is wrong is to be said.
SAYS = true

# Whether JlsysStartup was loaded, or cannot be.
HAS_BEGUN = false

# Has the name of each package that is waited for. Names are enough to begin with; JlsysStartup asks for UUIDs.
baremodule Awaited end

begin_now() = Base.include(JlsysWaiting, string(FOLDER, "first.jl"))

# What Julia calls when it has loaded a package.
arrived(package) = (HAS_BEGUN || isdefined(Awaited, Symbol(getfield(package, :name))) && begin_now(); nothing)

push!(Base.package_callbacks, arrived)

let names = true, awaited = Meta.parse(read(string(FOLDER, "awaited"), String)).args, is_there = isempty(awaited)
    for entry in awaited
        # What `startup.jl` loaded counts.
        is_there = is_there || Base.root_module_exists(Base.PkgId(Base.UUID(entry.args[2]), String(entry.args[1])))
        names = Expr(:(=), entry.args[1], names)
    end
    Core.eval(Awaited, names)
    is_there && begin_now()
end

end
