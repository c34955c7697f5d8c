//! What a start of Julia looks at: what decides whether the image is right, and no more.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::shim::{Shim, base_image};
use support::{Project, Ran, julia, julia_is_since, make_executable};

const NOTEBOOK: &str = r#"{"cells":[{"cell_type":"code","source":["1 + 1"],"metadata":{},"outputs":[]}],
    "metadata":{"kernelspec":{"language":"julia","name":"julia-1.5","display_name":"Julia"}},"nbformat":4,"nbformat_minor":4}"#;

#[test]
fn new_scripts_and_notebooks_count_at_the_next_build() {
    let shim = Shim::new("");
    shim.project.edit("jlsys.toml", |text| text.replace("\"scripts\"", "\"scripts\", \"notebooks\""));
    let project = &shim.project;
    std::fs::write(project.path("one.ipynb"), NOTEBOOK).unwrap();
    let built = shim.build(&[], 0);
    let ready = || {
        let status = project.jlsys(&["status", "--json"]).expect_status(0).json();
        assert_eq!((&status["state"], &status["key"]), (&"ready".into(), &built["key"]), "{status:#}");
    };
    ready();
    // Whatever lies beside the project, a start does not search it: what is in the image is right.
    std::fs::write(project.path("two.ipynb"), NOTEBOOK).unwrap();
    std::fs::write(project.path("precompile_more.jl"), "1 + 1").unwrap();
    std::fs::remove_file(project.path("one.ipynb")).unwrap();
    ready();
    let shown = project.jlsys(&["status", "--explain"]).expect_status(0).stdout();
    assert!(shown.contains("one.ipynb") && !shown.contains("two.ipynb"), "{shown}");
    // A script that showed what to compile and says something else now is looked at, and the project's packages are.
    let script = std::fs::read_to_string(project.path("precompile.jl")).unwrap();
    project.edit("precompile.jl", |text| format!("{text}\n1"));
    project.jlsys(&["status"]).expect_status(1).expect_stdout("precompile.jl changed");
    project.edit("precompile.jl", |_| script);
    ready();
    // A build sees all of them.
    let again = shim.build(&[], 0);
    assert_ne!(again["key"], built["key"]);
    let workloads: Vec<&str> =
        again["workloads"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert!(workloads.contains(&"two.ipynb") && workloads.contains(&"precompile_more.jl"), "{workloads:?}");
}

#[test]
fn the_line_of_the_readme_starts_julia_always() {
    let shim = Shim::new("");
    let project = &shim.project;
    let program = project.command(&[]).get_program().to_str().unwrap().to_owned();
    let image = "print(unsafe_string(Base.JLOptions().image_file))";
    let line = |line: &str| {
        let ran = Ran(project
            .command_for("sh", &["-c", line, &program, julia().to_str().unwrap(), image])
            .output()
            .unwrap());
        let ran = ran.expect_status(0);
        (ran.stdout(), ran.stderr())
    };
    let (with_image, with_option) =
        (r#""$1" --project -J "$("$0" path)" -e "$2""#, r#""$1" --project "$("$0" path --env)" -e "$2""#);
    // Nothing was built yet; then the project cannot even be read.
    let manifest = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    for content in [manifest.as_str(), "[[nonsense"] {
        project.edit("Manifest.toml", |_| content.to_owned());
        for form in [with_image, with_option] {
            let (image, said) = line(form);
            assert_eq!(image, base_image().display().to_string());
            assert!(said.starts_with("jlsys: Julia's own image: "), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        project.jlsys(&["path"]).expect_status(3);
    }
    project.edit("Manifest.toml", |_| manifest.clone());
    shim.build(&[], 0);
    project.jlsys(&["path"]).expect_status(0);
    for form in [with_image, with_option] {
        let (image, said) = line(form);
        assert!(image.starts_with(project.cache().to_str().unwrap()), "{image}");
        assert_eq!(said, "");
    }

    // Where there is no working folder any more, plain Julia starts; 1.5 does not.
    if !julia_is_since(10) {
        return;
    }
    let gone = format!(
        r#"mkdir gone; cd gone; rmdir ../gone; "$1" -J "$("$0" path --project '{}')" -e "$2""#,
        project.path("").display()
    );
    let (image, said) = line(&gone);
    assert_eq!(image, base_image().display().to_string());
    assert!(said.starts_with("jlsys: Julia's own image: "), "{said}");
}

/// Of two Julias that lie side by side, with a script that starts one of them.
#[test]
fn a_script_that_starts_another_julia_is_noticed() {
    let project = Project::new().write();
    let command = |name: &str, version: &str| {
        let text = format!("#!/bin/sh\n# {version}\nexec '{}' \"$@\"\n", julia().display());
        let path = project.outside(name);
        std::fs::write(&path, text).unwrap();
        make_executable(&path);
        path
    };
    let count = project.outside("asked");
    let script = command("julia", "");
    let text = |rest: &str| {
        format!("#!/bin/sh\ncase $* in *probe.jl*) echo asked >>'{}' ;; esac\n{rest}\n", count.display())
    };
    let asked = || std::fs::read_to_string(&count).map_or(0, |text| text.lines().count());
    let status =
        || drop(project.jlsys_with(&[("JULIA", script.to_str().unwrap())], &["status"]).expect_status(1));

    // One that names its Julia is asked when that is another.
    let current = project.outside("current");
    std::os::unix::fs::symlink(julia(), &current).unwrap();
    std::fs::write(&script, text(&format!("exec '{}' \"$@\"", current.display()))).unwrap();
    status();
    status();
    assert_eq!(asked(), 1);
    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(command("other", "another"), &current).unwrap();
    status();
    assert_eq!(asked(), 2);

    // One that does not is asked each time.
    std::fs::write(
        &script,
        text(&format!(
            "folder={}; exec \"$folder/{}\" \"$@\"",
            julia().parent().unwrap().display(),
            julia().file_name().unwrap().to_str().unwrap()
        )),
    )
    .unwrap();
    status();
    status();
    assert_eq!(asked(), 4);
}

#[test]
fn flags_count_until_others_are_given() {
    let shim = Shim::new("");
    let project = &shim.project;
    let excluded = |args: &[&str]| {
        let args: Vec<&str> = ["build", "--json"].into_iter().chain(args.iter().copied()).collect();
        let ran = project.jlsys(&args).expect_status(0);
        let (report, said) = (ran.json(), ran.stderr());
        let dropped = report["packages"]["dropped"].as_array().unwrap().iter();
        let names: Vec<String> =
            dropped.map(|package| package["name"].as_str().unwrap().to_owned()).collect();
        (names, said.contains("with the flags of the last build: --exclude Sockets --cpu-target 'native'"))
    };
    let ready = |excludes: bool| {
        let status = project.jlsys(&["status", "--explain"]).expect_status(0).stdout();
        assert_eq!(status.contains("`exclude` names it"), excludes, "{status}");
    };
    let sockets = vec!["Sockets".to_owned()];
    assert_eq!(excluded(&["--exclude", "Sockets", "--cpu-target", "native"]), (sockets.clone(), false));
    ready(true);
    // A build without flags, as messages advise, makes what sessions go on to look for, and says so.
    assert_eq!(excluded(&[]), (sockets, true));
    ready(true);
    assert_eq!(excluded(&["--cpu-target", "native"]), (Vec::new(), false));
    ready(false);
    assert_eq!(excluded(&["--forget-flags"]), (Vec::new(), false));
    ready(false);
}

#[test]
fn packages_before_the_projects_in_the_load_path_keep_the_image_out() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    let project = &shim.project;
    for (name, text) in
        [("tools", "[deps]\nDates = \"ade2ca70-3891-5945-98fb-dc099432e06a\"\n"), ("site", "[preferences]\n")]
    {
        let folder = project.outside(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("Project.toml"), text).unwrap();
    }
    std::fs::create_dir(project.outside("packages")).unwrap();
    let path = |name: &str| project.outside(name).display().to_string();
    for (load_path, used) in [
        ("@".to_owned(), true),
        (":".to_owned(), true),
        (format!(":{}", path("tools")), true),
        (format!("@stdlib:{}:@", path("site")), true),
        (format!("{}:@", path("no-such")), true),
        (format!("{}:@", path("tools")), false),
        (format!("{}:@", path("packages")), false),
        ("@stdlib".to_owned(), false),
    ] {
        let set = |args: &[&str]| {
            let mut command = project.command(args);
            Ran(command.env("JULIA_LOAD_PATH", &load_path).output().unwrap())
        };
        let ran =
            set(&["run", "--", "-e", "print(unsafe_string(Base.JLOptions().image_file))"]).expect_status(0);
        assert_eq!(ran.stdout() != base_image().display().to_string(), used, "{load_path}: {}", ran.stderr());
        assert_eq!(
            ran.stderr().contains("plain Julia: JULIA_LOAD_PATH"),
            !used,
            "{load_path}: {}",
            ran.stderr()
        );
        set(&["status"]).expect_status(i32::from(!used));
    }
}
