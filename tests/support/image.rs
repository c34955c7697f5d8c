//! The project whose image tests share: it takes minutes to build, so there is one for all that a session may do with an image.

use std::path::{Path, PathBuf};

use super::{Package, Project, julia_is_since, package};

pub const NATIVE: &[&str] = &["build", "--cpu-target", "native", "--json"];

/// A package with something to compile.
fn tables() -> Package {
    let source = "
        using DelimitedFiles
        include_dependency(joinpath(@__DIR__, \"..\", \"deps\", \"deps.jl\"))
        struct Table{T}
            names::Vector{Symbol}
            columns::Vector{Vector{T}}
        end
        function parse_table(text)
            data, header = readdlm(IOBuffer(text), ','; header = true)
            Table(Symbol.(vec(header)), [Float64.(data[:, i]) for i in 1:size(data, 2)])
        end
        function Base.show(io::IO, ::MIME\"text/plain\", table::Table)
            for (name, column) in zip(table.names, table.columns)
                println(io, rpad(string(name), 8), join(round.(column; digits = 2), ' '))
            end
        end
        total(table::Table; weights = nothing) =
            sum(sum(c) * (weights === nothing ? 1.0 : weights[i]) for (i, c) in enumerate(table.columns))
    ";
    package("Tables", source)
        .depends_on("DelimitedFiles")
        .extension("TablesOwn", "Own", "using Tables, Own\nTables.total(x::Int) = Own.answer() + x")
        .extension("TablesDraft", "Draft", "using Tables, Draft\nTables.total(x::Char) = Draft.draft()")
        .tests(
            "using Tables, Test
        @testset \"tables\" begin
            table = Tables.parse_table(\"a,b\\n1,2\\n3,4.5\\n\")
            @test table.names == [:a, :b]
            @test Tables.total(table) == 10.5
            @test Tables.total(table; weights = [1.0, 0.0]) == 4.0
            @test occursin(\"4.5\", sprint(show, \"text/plain\", table))
        end",
        )
}

/// Our project: a package in the depot, one of the standard library, and two in folders, of which one is taken in.
pub fn project() -> Project {
    let project = Project::new()
        .shared()
        .stdlib("DelimitedFiles")
        .package(tables())
        .package(package("Draft", "using Tables\ndraft() = 1").depends_on("Tables").by_path())
        .package(package("Own", "answer() = 42\nwhat(x) = \"it is $x\"").by_path())
        .package(package("Solver", SOLVER))
        .package(model())
        .package(package("Recorder", RECORDER))
        .settings("include = [\"Own\"]\n\n[workloads]\nskip-tests = [\"DelimitedFiles\"]\n")
        .file("precompile.jl", SCRIPT)
        .write();
    // As the package's `deps/build.jl` would.
    for folder in folders_of_tables(project.depot()) {
        let built = folder.join("deps/deps.jl");
        if !built.exists() {
            std::fs::create_dir_all(built.parent().unwrap()).unwrap();
            std::fs::write(built, "const ENGINE = 1\n").unwrap();
        }
    }
    project
}

/// The folder of Tables in the depot; what other versions of these tests left in a depot that they share is there, too.
pub fn folders_of_tables(depot: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(depot.join("packages/Tables")).unwrap();
    folders.map(|folder| folder.unwrap().path()).collect()
}

/// A package that needs another.
pub fn model() -> Package {
    package("Model", "using Solver\nsolves() = Solver.STARTED[]").depends_on("Solver")
}

/// Built where there is no C compiler, if this Julia has a linker of its own.
pub fn built() -> Project {
    let mut project = project();
    if julia_is_since(9) {
        let tools = super::tools_without_compiler(&project);
        project = project.env("PATH", tools);
    }
    project.jlsys(NATIVE).expect_status(0);
    project
}

/// A package whose `__init__` needs what may be missing: `NO_SOLVER` in the environment stands for a licence that is not there.
const SOLVER: &str = "const STARTED = Ref(0)
    function __init__()
        haskey(ENV, \"NO_SOLVER\") && error(\"no solver is here\")
        STARTED[] += 1
    end";

/// A package that keeps what its `__init__`s found: in which order they ran, and what they saw of the session. It watches, too, which
/// packages are loaded after it.
const RECORDER: &str = "const ORDER = Symbol[]
    const LOADED = String[]
    const SEEN = Ref{Any}()
    module Second
        import ..ORDER
        module Inner
            import ...ORDER
            __init__() = push!(ORDER, :Inner)
        end
        __init__() = push!(ORDER, :Second)
    end
    module First
        import ..ORDER
        __init__() = push!(ORDER, :First)
    end
    function __init__()
        push!(ORDER, :Recorder)
        SEEN[] = (isinteractive(), copy(ARGS), PROGRAM_FILE, length(Base.Multimedia.displays), Base.load_path(), DEPOT_PATH[1],
            Base.active_project(), Sys.BINDIR, Sys.STDLIB, pwd(), isdefined(Main, :before))
        push!(Base.package_callbacks, id -> push!(LOADED, id.name))
    end";

/// A script that is a workload.
const SCRIPT: &str = "using Own, Tables
    # As notebooks do: it is no source of the package.
    write(joinpath(@__DIR__, \"Own\", \"result.txt\"), string(time()))
    println(Own.what(Own.answer()))
    show(stdout, \"text/plain\", Tables.parse_table(\"n\\n1.5\\n\"))
    println(2.5, \" is a number\")
    applicable(Tables.total, 1) && Tables.total(1) # where there are extensions";
