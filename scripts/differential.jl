# Prints what a program can observe of how Julia was started: one line for each thing. Run by scripts/differential, as a
# script, by `-L`, from standard input and on workers.
#
# DIFFERENTIAL_PACKAGES has the packages to load, DIFFERENTIAL_NOTE a file that gets what differs on purpose: the image's path, and
# whether there is a startup package.

let options = Base.JLOptions(), out = IOBuffer()
    line(name, value) = println(out, name, " = ", value)
    text(value) = value
    text(value::Ptr{UInt8}) = value == C_NULL ? "NULL" : repr(unsafe_string(value))
    for name in fieldnames(typeof(options))
        value = getfield(options, name)
        name in (:image_file, :image_file_specified) && continue
        if name in (:commands, :cmds)
            # Pairs since 1.8, tuples before.
            value = join((string(first(command), ' ', repr(last(command))) for command in Base.unsafe_load_commands(value)), ", ")
        elseif value isa Ptr && !(value isa Ptr{UInt8})
            value = value == C_NULL ? "NULL" : "set"
        end
        line("option $name", text(value))
    end
    line("ARGS", ARGS)
    line("PROGRAM_FILE", repr(PROGRAM_FILE))
    line("source", repr(Base.source_path()))
    line("file", repr(@__FILE__))
    line("LOAD_PATH", LOAD_PATH)
    line("DEPOT_PATH", DEPOT_PATH)
    line("load_path", Base.load_path())
    line("project", repr(Base.active_project()))
    # Also those that begin with `#`, and how a closure is called: what is lowered in a module is numbered.
    line("Main", sort(names(Main; all = true, imported = true)))
    line("closure", repr(x -> x))
    line("interactive", isinteractive())
    line("threads", Threads.nthreads())
    line("pwd", repr(try pwd() catch; "gone" end))
    line("environment", sort(collect(ENV)))
    line("bindir", Sys.BINDIR)
    line("color", Base.have_color)
    for name in split(get(ENV, "DIFFERENTIAL_PACKAGES", ""), ','; keepempty = false)
        # What is loaded stays out of Main, as its names are listed.
        value = try
            package = Base.require(Main, Symbol(name))
            # In the newest world, as the package may be newer than this one.
            version() = isdefined(package, :version) ? getproperty(package, :version)() : ""
            (pathof(package), Base.invokelatest(version))
        catch error
            first(split(sprint(showerror, error), '\n'))
        end
        line("package $name", value)
    end
    line("loaded", sort!([package.name for package in keys(Base.loaded_modules)]))
    if haskey(ENV, "DIFFERENTIAL_NOTE")
        open(ENV["DIFFERENTIAL_NOTE"], "a") do io
            println(io, unsafe_string(options.image_file))
            # Where Julia keeps the order, it has startup packages.
            isdefined(Base, :loaded_modules_order) && any(loaded -> nameof(loaded) === :JlsysStartup, Base.loaded_modules_order) && println(io, "startup package")
        end
    end
    write(stdout, take!(out))
end
nothing
