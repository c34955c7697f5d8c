# Loads packages, replays statements, and leaves an image's object behind.
#
#     julia --output-o OBJECT julia/object.jl PROJECT PACKAGES STATEMENTS ALL_GIVEN LOADED REPLAYED [PROJECT...]
#
# PACKAGES is as packages.jl says, STATEMENTS and REPLAYED as in replay.jl. STATEMENTS may grow until the file ALL_GIVEN is there:
# workloads may still run. That file holds how many threads are to generate code, or nothing where Julia knows.
# LOADED gets a line `identity<TAB>ok` for each package as it is loaded; `read` beside it the files that were read for each (reads.jl). Packages are looked for in the first project, then in the
# others. Julia writes the object when this file is done, which takes minutes; by then both result files are complete. What goes
# wrong in loading ends the process: the plan was wrong, and a smaller one follows.
#
# Julia that writes an image starts before its own initialisation: standard streams, the folder of the executable and
# the paths are not set, and what is set here is saved into the image (Base.__init__ and `_start` set them again in
# the process that starts with it). The steps are those of Julia's own sysimg.jl and of PackageCompiler.

Base.reinit_stdio()
@eval Sys BINDIR = ccall(:jl_get_julia_bindir, Any, ())::String
@eval Sys STDLIB = $(joinpath(Sys.BINDIR, Base.DATAROOTDIR, "julia", "stdlib", "v$(VERSION.major).$(VERSION.minor)"))
Base.init_depot_path()

# Before any package is there: what there is now stays as it is. Under a name of its own, which users may find in a stack trace.
Base.include_string(Base, read(joinpath(@__DIR__, "guard.jl"), String), "jlsys/guard.jl")
Base.include_string(Base.JlsysGuard, read(joinpath(@__DIR__, "sources.jl"), String), "jlsys/sources.jl")
Base.include_string(Base.JlsysGuard, read(joinpath(@__DIR__, "moved.jl"), String), "jlsys/moved.jl")

# In a module of its own: nothing of jlsys's may be found in a user's Main, nor may closures there have other numbers than in plain Julia
# (a module numbers what is lowered in it). So this file has no closures, and binds nothing.
Base.include(Module(:JlsysStaging), joinpath(@__DIR__, "image.jl"))

# What was loaded here a session loads when it asks for it.
Base.JlsysGuard.hold()

# What belongs to this process must not come back in another.
empty!(Core.ARGS)
empty!(Base.ARGS)
empty!(LOAD_PATH)
empty!(DEPOT_PATH)
# What was read of TOML files is kept by path from 1.6 on: it would be found stale. The parser keeps the last text.
if isdefined(Base, :TOML_CACHE)
    empty!(Base.TOML_CACHE.d)
    Base.TOML.reinit!(Base.TOML_CACHE.p, "")
end
@eval Sys BINDIR = ""
@eval Sys STDLIB = ""
