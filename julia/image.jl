# Loads the packages that go into an image, and replays the statements; included by object.jl, which says what the arguments are.

Base.include(@__MODULE__, joinpath(@__DIR__, "packages.jl"))
Base.include(@__MODULE__, joinpath(@__DIR__, "reads.jl"))
Base.include(@__MODULE__, joinpath(@__DIR__, "replay.jl"))

let (project, packages_file, statements_file, all_given, loaded_file, replayed_file) = ARGS[1:6], others = ARGS[7:end]
    # Others that are named agree with the project. Other environments are there for the preferences that they may set, as in
    # a session: packages are asked for by UUID and found before, so that these decide no version.
    path = haskey(ENV, "JULIA_LOAD_PATH") ? Base.parse_load_path(ENV["JULIA_LOAD_PATH"]) : Base.DEFAULT_LOAD_PATH
    copy!(LOAD_PATH, reduce(vcat, [entry == "@" ? [project; others] : [entry] for entry in path]))

    JlsysReads.start()
    open(joinpath(dirname(loaded_file), "read"), "w") do read
        open(loaded_file, "w") do loaded
            for (identity, package) in packages_in(packages_file)
                print(loaded, identity)
                flush(loaded)
                Base.require(package)
                Base.JlsysGuard.note_sources(package, JlsysReads.write_files(read, identity, package))
                println(loaded, "\tok")
                flush(loaded)
            end
        end
    end
    JlsysReads.stop()
    JlsysReplay.replay(statements_file, replayed_file; all_given = all_given)

    threads = read(all_given, String)
    # Julia reads it when it generates code.
    isempty(threads) || (ENV["JULIA_IMAGE_THREADS"] = threads)
end
