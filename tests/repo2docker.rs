//! What `jlsys postbuild`, `templates/postBuild` and `docs/binder.md` take for granted of repo2docker, checked against the
//! Dockerfile that it writes for the demo repository. Docker itself is not needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What repo2docker would build `repository` with.
fn rendered(repository: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let got = Command::new(root.join("scripts/get-repo2docker")).output().unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    let python = String::from_utf8(got.stdout).unwrap();
    let script = root.join("tests/support/python/render_dockerfile.py");
    let output = Command::new(python.trim()).arg("-B").arg(script).current_dir(repository).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn demo() -> Value {
    rendered(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/binder"))
}

/// The lines of the Dockerfile that tell what happens, in order.
fn steps(rendered: &Value) -> Vec<String> {
    let dockerfile = rendered["dockerfile"].as_str().unwrap();
    let joined = dockerfile.replace("\\\n", " ");
    joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn position(steps: &[String], what: &str) -> usize {
    let found = steps.iter().position(|step| step.contains(what));
    found.unwrap_or_else(|| panic!("no step {what:?} in {steps:#?}"))
}

#[test]
#[ignore = "needs repo2docker from PyPI (scripts/get-repo2docker)"]
fn the_environment_is_the_one_that_tests_and_the_demo_use() {
    let steps = steps(&demo());
    let ours = support::binder::variables();
    let names: Vec<&str> = ours.iter().map(|(name, _)| name.as_str()).collect();
    let theirs: Vec<(String, String)> = steps
        .iter()
        .filter_map(|step| step.strip_prefix("ENV ")?.split_once('='))
        .filter(|(name, _)| names.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(theirs, ours);
    for step in
        ["ENV APP_BASE=/srv", "ENV REPO_DIR=${REPO_DIR}", "ARG REPO_DIR=${HOME}", "ENV SHELL=/bin/bash"]
    {
        position(&steps, step);
    }
    // What jlsys takes for a sign of a container, and what would make a session another than the build.
    assert!(!steps.iter().any(|step| step.contains("JULIA_LOAD_PATH") || step.contains("JULIA_CPU_TARGET")));
}

#[test]
#[ignore = "needs repo2docker from PyPI (scripts/get-repo2docker)"]
fn post_build_comes_last_as_the_user_in_the_repositorys_folder() {
    let demo = demo();
    assert_eq!(demo["pack"], "JuliaProjectTomlBuildPack");
    let steps = steps(&demo);
    let order = [
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        "installkernel(\\\"Julia\\\", \\\"--project=${REPO_DIR}\\\")",
        "RUN chmod +x postBuild",
        "RUN ./postBuild",
        "ENTRYPOINT",
    ];
    let order: Vec<usize> = order.iter().map(|step| position(&steps, step)).collect();
    assert!(order.is_sorted(), "{order:?} in {steps:#?}");
    // IJulia is in the default environment, the project's packages are installed.
    let julia = &steps[position(&steps, "installkernel")];
    assert!(julia.contains("JULIA_PROJECT=\"\" julia") && julia.contains("Pkg.instantiate()"), "{julia}");
    // Who: the last USER before it; where: the last WORKDIR.
    let before = &steps[..position(&steps, "RUN ./postBuild")];
    let last = |word: &str| before.iter().rfind(|step| step.starts_with(word)).unwrap().as_str();
    assert_eq!((last("USER "), last("WORKDIR ")), ("USER ${NB_USER}", "WORKDIR ${REPO_DIR}"));
    // The user may write into the depot, where the cache is, and into Jupyter's folders, where the kernel is.
    position(&steps, "chown ${NB_USER}:${NB_USER} ${JULIA_DEPOT_PATH}");
}

#[test]
#[ignore = "needs repo2docker from PyPI (scripts/get-repo2docker)"]
fn there_is_a_compiler_so_init_writes_no_apt_txt() {
    // The images of the buildpack-deps family have gcc and libc6-dev:
    // https://github.com/docker-library/buildpack-deps/blob/master/ubuntu/noble/Dockerfile
    let demo = demo();
    let base = demo["base_image"].as_str().unwrap();
    assert!(base.ends_with("/buildpack-deps:24.04"), "another base image: is there a compiler in {base}?");
    // Without recommended packages gcc comes without the C library's files that linking needs.
    let project = support::Project::new().stdlib("Mmap").write();
    std::fs::write(project.path("apt.txt"), "gcc\nlibc6-dev\n").unwrap();
    let with_apt = rendered(&project.path(""));
    let steps = steps(&with_apt);
    let install = &steps[position(&steps, "libc6-dev")];
    assert!(install.contains("--no-install-recommends gcc libc6-dev"), "{install}");
}

#[test]
#[ignore = "needs repo2docker from PyPI (scripts/get-repo2docker)"]
fn what_init_writes_is_what_repo2docker_runs() {
    for folder in ["", "binder", ".binder"] {
        let project = support::Project::new().stdlib("Mmap").write();
        if !folder.is_empty() {
            std::fs::create_dir(project.path(folder)).unwrap();
            for file in ["Project.toml", "Manifest.toml"] {
                std::fs::rename(project.path(file), project.path(folder).join(file)).unwrap();
            }
        }
        project.jlsys(&["init", "--binder"]).expect_status(0);
        let rendered = rendered(&project.path(""));
        let script = Path::new(folder).join("postBuild").display().to_string();
        assert_eq!(rendered["post_build"], serde_json::json!([script]));
        let steps = steps(&rendered);
        position(&steps, &format!("RUN ./{script}"));
        let place =
            if folder.is_empty() { "${REPO_DIR}".to_owned() } else { format!("${{REPO_DIR}}/{folder}") };
        position(&steps, &format!("ENV JULIA_PROJECT={place}"));
    }
}
