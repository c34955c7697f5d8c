//! Statements replayed by a real Julia. No image is needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jlsys::trace::ReplayResults;
use support::{Project, julia};

/// Replays these statements.
fn replayed(statements: &[&str]) -> ReplayResults {
    let project = Project::new();
    let file = project.outside("statements.jl");
    let results = project.outside("results");
    std::fs::write(&file, statements.join("\n")).unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("julia/replay.jl");
    let julia =
        Command::new(julia()).arg("--startup-file=no").arg(driver).args([&file, &results]).output().unwrap();
    assert!(julia.status.success(), "{}", String::from_utf8_lossy(&julia.stderr));
    ReplayResults::parse(&std::fs::read_to_string(results).unwrap()).unwrap()
}

#[test]
fn what_is_wider_than_any_call_is_compiled_though_several_methods_match() {
    let results = replayed(&[
        "precompile(Tuple{typeof(Base.vect), Float64, Vararg{Any, N} where N})",
        "precompile(Tuple{typeof(Base.hvcat), Tuple{Int64, Int64}, Float64, Vararg{Number, N} where N})",
        "precompile(Tuple{typeof(Base.Broadcast.broadcasted), Function, Array{Float64, 2}, Array{Float64, 1}})",
        "precompile(Tuple{typeof(Base.println), Base.IOStream, Float64, Vararg{Any, N} where N})",
        "precompile(Tuple{typeof(Base.promote_type), Type{T} where T, Type{T} where T, Type{T} where T})",
    ]);
    assert_eq!((results.compiled, results.refused, results.threw), (5, 0, 0), "{results:?}");
}

#[test]
fn what_no_method_takes_is_refused_and_what_cannot_be_put_together_throws() {
    let results = replayed(&[
        "precompile(Tuple{typeof(Base.sin), Any})",
        "precompile(Tuple{typeof(Base.sin), String, Vararg{Any, N} where N})",
        "precompile(Tuple{typeof(Base.no_such_function), Int64})",
        "precompile(Tuple{typeof(Base.exit), Int64})",
    ]);
    assert_eq!((results.compiled, results.refused, results.threw), (1, 2, 1), "{results:?}");
    assert_eq!(results.refused_lines, [1, 2]);
}

#[test]
fn statements_are_read_while_they_are_written() {
    let project = Project::new();
    let [file, all_given, results] =
        ["statements.jl", "all-given", "results"].map(|name| project.outside(name));
    std::fs::write(&file, "").unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("julia/replay.jl");
    let code =
        "include(ARGS[1]); Base.invokelatest(JlsysReplay.replay, ARGS[2], ARGS[4]; all_given = ARGS[3])";
    let mut command = Command::new(julia());
    command.args(["--startup-file=no", "-e", code]).arg(driver).args([&file, &all_given, &results]);
    let mut child = command.spawn().unwrap();
    let begun = |line: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !std::fs::read_to_string(&results).unwrap_or_default().starts_with(line) {
            assert!(Instant::now() < deadline, "statement {line} was not compiled");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut statements = File::options().append(true).open(&file).unwrap();
    // The second one stops in the middle of a name.
    statements
        .write_all(b"precompile(Tuple{typeof(Base.sin), Int8})\nprecompile(Tuple{typeof(Base.co")
        .unwrap();
    begun("line 0000000001");
    statements.write_all(b"s), Int8})\n").unwrap();
    begun("line 0000000002");
    assert!(child.try_wait().unwrap().is_none(), "it did not wait for more");
    statements.write_all(b"precompile(Tuple{typeof(Base.tan), Int8})\n").unwrap();
    std::fs::write(all_given, "").unwrap();
    assert!(child.wait().unwrap().success());
    let results = ReplayResults::parse(&std::fs::read_to_string(results).unwrap()).unwrap();
    assert_eq!((results.compiled, results.refused, results.threw), (3, 0, 0), "{results:?}");
}
