//! The wheel: `pip install .` puts `jlsys` on PATH.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Project, Ran};

fn run(command: &mut Command) -> Ran {
    Ran(command.output().unwrap()).expect_status(0)
}

#[test]
#[ignore = "needs maturin from PyPI (scripts/get-repo2docker)"]
fn pip_installs_a_jlsys_that_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = run(&mut Command::new(root.join("scripts/get-repo2docker"))).stdout();
    let tools = Path::new(python.trim()).parent().unwrap().to_owned();
    let project = Project::new().stdlib("Mmap").write();
    let environment = project.outside("environment");
    run(Command::new(tools.join("python")).args(["-m", "venv", "--without-pip"]).arg(&environment));
    // maturin is there already, so nothing has to be fetched. cargo compiles as for the tests, since release mode is three to seven
    // minutes of processor time, and into a folder of its own, since it would replace the program that other tests run meanwhile.
    let path = std::env::join_paths(
        std::iter::once(tools.clone()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let wheels = project.outside("wheels");
    run(Command::new(tools.join("python"))
        .args(["-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir"])
        .args([&wheels, root])
        .env("PATH", path.unwrap())
        .env("MATURIN_PEP517_ARGS", "--profile=dev")
        .env("CARGO_TARGET_DIR", root.join("target/wheel")));
    let wheel = std::fs::read_dir(&wheels).unwrap().next().unwrap().unwrap().path();
    run(Command::new(tools.join("python"))
        .args(["-m", "pip", "--python"])
        .arg(environment.join("bin/python"))
        .args(["install", "--quiet", "--no-index"])
        .arg(wheel));

    let jlsys: PathBuf = environment.join("bin/jlsys");
    let version = run(&mut project.command_for(&jlsys, &["--version"])).stdout();
    assert_eq!(version, format!("jlsys {}\n", env!("CARGO_PKG_VERSION")));
    // It starts itself to supervise what it runs, asks Julia what it is, and reads the demo's project.
    let demo = root.join("examples/binder");
    let status = ["status", "--json", "--project", demo.to_str().unwrap()];
    let status = Ran(project.command_for(&jlsys, &status).output().unwrap()).expect_status(1).json();
    assert_eq!(status["state"], "missing", "{status:#}");
    // The same program as cargo's: the same key.
    let own = project.jlsys(&["status", "--json", "--project", demo.to_str().unwrap()]).json();
    assert_eq!(status["key"], own["key"]);
}
