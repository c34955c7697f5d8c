//! An image that one user built and another pulls, who has a home folder, a depot, a cache and a checkout of their own: it is right
//! there, or it is not used.
//!
//! Both images are real ones. One is that of `build.rs`, none of whose packages keeps its place.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::image::{NATIVE, built};
use support::{Project, Ran, package};

/// Somebody else, with a copy of a project and of the packages that it has.
struct User<'a> {
    project: &'a Project,
    folder: PathBuf,
}

impl<'a> User<'a> {
    fn new(project: &'a Project) -> Self {
        let folder = project.outside("somebody-else");
        for name in ["home", "depot"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        copy(&project.depot().join("packages"), &folder.join("depot/packages"));
        copy(&project.path(""), &folder.join("course"));
        // The flags of the build are known for the other checkout alone.
        let settings = std::fs::read_to_string(project.path("jlsys.toml")).unwrap();
        std::fs::write(folder.join("course/jlsys.toml"), format!("cpu-target = \"native\"\n{settings}"))
            .unwrap();
        Self { project, folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.project.command(args);
        command
            .current_dir(self.path("course"))
            .env("HOME", self.path("home"))
            .env("JULIA_DEPOT_PATH", format!("{}:", self.path("depot").display()))
            .env("JLSYS_CACHE_DIR", self.path("cache"));
        command
    }

    fn jlsys(&self, args: &[&str]) -> Ran {
        Ran(self.command(args).output().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A folder that is a remote, to which a project's image was pushed; with the key of who signed it.
fn pushed(project: &Project, says: &str) -> (String, String) {
    let (remote, secret) = (project.outside("remote"), project.outside("signing.key"));
    let (remote, secret) = (remote.to_str().unwrap().to_owned(), secret.to_str().unwrap());
    let public = project.jlsys(&["cache", "keygen", "--output", secret]).expect_status(0).stdout();
    let push = ["cache", "push", &remote, "--signing-key", secret];
    project.jlsys(&push).expect_status(0).expect_stderr(says);
    (remote, public.trim().to_owned())
}

#[test]
#[ignore = "builds an image"]
fn an_image_whose_packages_keep_no_place_is_used_in_another_home() {
    let project = built();
    let (remote, public) = pushed(&project, "");
    let other = User::new(&project);
    let code = "using Tables, Own, Model
        guard = isdefined(Base, :JlsysGuard) ? Base.JlsysGuard.modules : Dict()
        println(any(values(guard)) do mod; mod === Tables end)
        table = Tables.parse_table(\"x,y\\n5,6\\n7,8.25\\n\")
        println(Tables.total(table), ' ', Own.what(Own.answer()), ' ', Model.solves())
        foreach(package -> println(pathof(package)), (Tables, Own, Model))";
    let plain = other.jlsys(&["run", "-q", "--", "-e", code]).expect_status(0).stdout();
    assert!(plain.starts_with("false\n26.25 it is 42 1\n"), "{plain}");

    // Who signed it must be accepted.
    other.jlsys(&["cache", "pull", "-q", &remote]).expect_refusal(&["accept"]);
    other.jlsys(&["cache", "pull", &remote, "--accept", &public]).expect_status(0).expect_stderr("signed by");
    other.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    other.jlsys(&["cache", "verify", "--start"]).expect_status(0);
    let ran = other.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert_eq!((ran.stdout(), ran.stderr()), (plain.replacen("false", "true", 1), String::new()));
}

/// The packages of a course: one is installed and has a table beside its code, and one is the course's own.
fn course() -> Project {
    let table = "const TABLE = joinpath(@__DIR__, \"..\", \"data\", \"table.txt\")\ntable() = (TABLE, read(TABLE, String))";
    let project = Project::new()
        .package(package("DataDir", table))
        .package(package("Course", table).by_path())
        .settings("include = [\"Course\"]\n\n[workloads]\nkinds = [\"load\"]\n")
        .write();
    let installed = std::fs::read_dir(project.depot().join("packages/DataDir")).unwrap();
    let installed = installed.map(|folder| folder.unwrap().path());
    for folder in installed.chain([project.path("Course")]) {
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(folder.join("data/table.txt"), "the builder's").unwrap();
    }
    project
}

#[test]
#[ignore = "builds an image"]
fn an_image_whose_packages_keep_their_place_is_never_used_in_another_home() {
    let project = course();
    project.jlsys(NATIVE).expect_status(0);
    let code = "using DataDir, Course; foreach(it -> println(it.table()), (DataDir, Course))";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert_eq!((ran.stdout().matches("the builder's").count(), ran.stderr().as_str()), (2, ""));
    let (remote, public) = pushed(&project, "DataDir");

    // The other's own data, while the builder's is still there to be read in its place.
    let other = User::new(&project);
    std::fs::write(other.path("course/Course/data/table.txt"), "the other's").unwrap();
    // No image is there yet.
    let plain = other.jlsys(&["run", "-q", "--", "-e", code]).expect_status(0).stdout();
    assert!(plain.contains("the other's") && !plain.contains(project.depot().to_str().unwrap()), "{plain}");
    let expect_right = |variables: &[(&str, &str)], words: &str| {
        let mut command = other.command(&["run", "--", "-e", code]);
        let ran = Ran(command.envs(variables.iter().copied()).output().unwrap()).expect_status(0);
        let said = ran.stderr();
        assert_eq!((ran.stdout(), said.lines().count()), (plain.clone(), 1), "{said}");
        assert!(said.starts_with("jlsys: plain Julia: ") && said.contains(words), "{said}");
    };

    // For the project it is refused, and nothing of it is transferred.
    let pull = ["cache", "pull", "-q", &remote, "--accept", &public];
    other.jlsys(&pull).expect_refusal(&["keeps its place"]);
    expect_right(&[], "no image yet for");
    // By its key it can be had, and serves no session there.
    let ran = other.jlsys(&["cache", "pull", &remote, "--accept", &public, "--all"]).expect_status(0);
    assert!(ran.stderr().contains("DataDir") && ran.stderr().contains("Course"), "{}", ran.stderr());
    expect_right(&[], "keeps its place");
    other.jlsys(&["status"]).expect_status(1).expect_stdout("stale: ").expect_stdout("keeps its place");
    // Nor does the builder's own cache, where that is shared.
    std::fs::remove_dir_all(other.path("cache")).unwrap();
    let shared = [("JLSYS_CACHE_PATH", project.cache().to_str().unwrap())];
    expect_right(&shared, "keeps its place");
}
