//! Kernelspecs: found as Jupyter finds them, wrapped, and put back.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Project, Ran, julia};

const NAME: &str = "julia-1.5";

/// A project with a home that has an IJulia kernelspec in it.
fn project() -> Project {
    let project = Project::new().write();
    add_spec(&project, "home/.local/share/jupyter", NAME, &ijulia());
    project
}

/// What IJulia's `installkernel` writes, but for the kernel that it starts.
fn ijulia() -> Value {
    json!({
        "argv": [julia(), "-i", "--color=yes", "--project=@.", "-e", "print(Base.active_project(), '|', ARGS)", "{connection_file}"],
        "display_name": "Julia 1.5.3",
        "language": "julia",
        "env": {"JULIA_NUM_THREADS": "1"},
        "interrupt_mode": "signal",
        "x-unknown": [1, 2],
    })
}

fn add_spec(project: &Project, data: &str, name: &str, spec: &Value) -> PathBuf {
    let folder = project.outside(data).join("kernels").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    std::fs::write(folder.join("logo-svg.svg"), "<svg/>").unwrap();
    folder
}

fn spec(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("kernel.json")).unwrap()).unwrap()
}

fn kernels(project: &Project) -> Vec<Value> {
    let list = project.jlsys(&["kernel", "list", "--json"]).expect_status(0).json();
    assert_eq!(list["schema"], 1);
    list["kernels"].as_array().unwrap().clone()
}

/// Starts a kernelspec's command as Jupyter does, in this folder.
fn start(project: &Project, spec: &Value, folder: &Path) -> Ran {
    let argv: Vec<&str> =
        spec["argv"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    let mut command = project.command_for(argv[0], &argv[1..]);
    for (name, value) in spec["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    // A kernel's standard input is a pipe that nobody writes to.
    Ran(command.current_dir(folder).stdin(std::process::Stdio::null()).output().unwrap())
}

#[test]
fn a_kernel_beside_the_one_that_is_there() {
    let project = project();
    let kernels_folder = project.outside("home/.local/share/jupyter/kernels");
    project
        .jlsys(&["kernel", "install"])
        .expect_status(0)
        .expect_stdout("julia-1.5-jlsys \"Julia 1.5.3 (jlsys)\"");
    let before = spec(&kernels_folder.join(NAME));
    assert_eq!(before, ijulia(), "the one that is wrapped stays as it is");
    let folder = kernels_folder.join("julia-1.5-jlsys");
    let after = spec(&folder);
    assert_eq!(after["display_name"], "Julia 1.5.3 (jlsys)");
    for kept in ["language", "interrupt_mode", "x-unknown"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["env"]["JULIA_NUM_THREADS"], "1");
    assert_eq!(after["env"]["JLSYS_CACHE_DIR"], project.cache().to_str().unwrap());
    assert_eq!(std::fs::read_to_string(folder.join("logo-svg.svg")).unwrap(), "<svg/>");

    let list = kernels(&project);
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0]["name"], &list[0]["through_jlsys"]), (&json!(NAME), &json!(false)));
    assert_eq!((&list[1]["wraps"], &list[1]["through_jlsys"]), (&json!(NAME), &json!(true)));
    assert_eq!(list[1]["julia"], julia().to_str().unwrap());

    // Again, and nothing piles up.
    project.jlsys(&["kernel", "install"]).expect_status(0);
    assert_eq!(kernels(&project), list);
    project.jlsys(&["kernel", "remove"]).expect_status(0).expect_stdout("julia-1.5-jlsys is removed");
    assert!(!folder.exists());
    assert_eq!(spec(&kernels_folder.join(NAME)), ijulia());
}

#[test]
fn a_kernel_in_the_place_of_the_one_that_was_there() {
    let project = project();
    let folder = project.outside("home/.local/share/jupyter/kernels").join(NAME);
    let original = std::fs::read(folder.join("kernel.json")).unwrap();
    for _ in 0..2 {
        project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
        let after = spec(&folder);
        assert_eq!(after["display_name"], "Julia 1.5.3");
        assert_eq!(after["argv"].as_array().unwrap().iter().filter(|part| *part == "/bin/sh").count(), 1);
        let list = kernels(&project);
        assert_eq!(list.len(), 1);
        assert_eq!((&list[0]["replaced"], &list[0]["through_jlsys"]), (&json!(true), &json!(true)));
    }
    project.jlsys(&["kernel", "remove", "Julia-1.5"]).expect_status(0).expect_stdout("is as it was before");
    assert_eq!(std::fs::read(folder.join("kernel.json")).unwrap(), original);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing of jlsys's is left");
    project.jlsys(&["kernel", "remove", NAME]).expect_refusal(&["was not installed by jlsys"]);
}

#[test]
fn the_kernel_starts_what_plain_julia_would_have_started() {
    let project = project();
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    let folder = project.outside("home/.local/share/jupyter/kernels").join(NAME);
    let wrapped = spec(&folder);
    // The project around the notebook, as `--project=@.` says; no image, which is said where Jupyter keeps its log.
    let ran = start(&project, &wrapped, &project.path("")).expect_status(0);
    let own = project.path("Project.toml").canonicalize().unwrap();
    assert!(
        ran.stdout().contains(&format!("{}|[\"{{connection_file}}\"]", own.display())),
        "{}",
        ran.stdout()
    );
    ran.expect_stderr("jlsys: plain Julia: no image yet for");

    // The cache cannot be used at all.
    std::fs::write(project.outside("no-cache"), "a file").unwrap();
    let mut broken = wrapped.clone();
    broken["env"]["JLSYS_CACHE_DIR"] = json!(project.outside("no-cache"));
    start(&project, &broken, &project.path("")).expect_status(0).expect_stdout("Project.toml|");

    // jlsys itself is gone.
    let mut gone = wrapped.clone();
    let jlsys =
        gone["argv"].as_array_mut().unwrap().iter_mut().find(|part| *part == env!("CARGO_BIN_EXE_jlsys"));
    *jlsys.unwrap() = json!("/nowhere/jlsys");
    gone["metadata"]["jlsys"]["jlsys"] = json!("/nowhere/jlsys");
    let ran = start(&project, &gone, &project.path("")).expect_status(0);
    assert!(ran.stdout().contains(&format!("{}|", own.display())), "{}", ran.stdout());
    assert_eq!(ran.stderr(), "");
    std::fs::write(folder.join("kernel.json"), gone.to_string()).unwrap();
    let problem = kernels(&project)[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("/nowhere/jlsys"), "{problem}");
    // Installing again mends it.
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    assert_eq!(kernels(&project)[0]["problem"], Value::Null);
}

#[test]
fn which_project_a_kernel_starts() {
    let project = project();
    let mut spec_without = ijulia();
    spec_without["argv"].as_array_mut().unwrap().remove(3);
    let data = "home/.local/share/jupyter";
    add_spec(&project, data, NAME, &spec_without);
    let started = |project: &Project, arguments: &[&str]| {
        let arguments: Vec<&str> =
            ["kernel", "install", "--replace"].into_iter().chain(arguments.to_vec()).collect();
        project.jlsys(&arguments).expect_status(0);
        let folder = project.outside(data).join("kernels").join(NAME);
        start(project, &spec(&folder), &project.path("")).expect_status(0).stdout()
    };
    // Plain Julia does not look around the working folder unless it is told to.
    let default = started(&project, &[]);
    assert!(default.contains("/environments/v"), "{default}");
    let elsewhere = project.outside("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("Project.toml"), "").unwrap();
    let named = started(&project, &["--project", elsewhere.to_str().unwrap()]);
    assert!(named.contains("elsewhere/Project.toml|"), "{named}");
    let project = project.env("JULIA_PROJECT", elsewhere);
    let variable = started(&project, &[]);
    assert!(variable.contains("elsewhere/Project.toml|"), "{variable}");
}

#[test]
fn one_that_belongs_to_the_system_is_hidden_not_changed() {
    let project = Project::new().write();
    let system = project.outside("system");
    let mut python = ijulia();
    python["language"] = json!("python");
    add_spec(&project, "system", "python3", &python);
    let folder = add_spec(&project, "system", NAME, &ijulia());
    read_only(&[&folder, folder.parent().unwrap()]);
    // The user's folder comes before the system's, but behind what JUPYTER_PATH names.
    let project = project.env("JUPYTER_PREFER_ENV_PATH", "0").env("NB_PYTHON_PREFIX", &system);
    std::fs::create_dir_all(system.join("share")).unwrap();
    std::os::unix::fs::symlink(&system, system.join("share/jupyter")).unwrap();
    for _ in 0..2 {
        as_somebody(&project, &["kernel", "install", "--replace"]).expect_status(0);
        let list = kernels(&project);
        assert_eq!(list.len(), 2, "{list:?}");
        let own = project.outside("home/.local/share/jupyter/kernels").join(NAME);
        assert_eq!((&list[0]["folder"], &list[0]["hidden"]), (&json!(own), &json!(false)));
        assert_eq!((&list[1]["through_jlsys"], &list[1]["hidden"]), (&json!(false), &json!(true)));
    }
    assert_eq!(spec(&folder), ijulia());
    as_somebody(&project, &["kernel", "remove"]).expect_status(0);
    assert_eq!(kernels(&project).len(), 1);

    let first = project.env("JUPYTER_PATH", &system);
    as_somebody(&first, &["kernel", "install", "--replace"]).expect_refusal(&[
        "cannot write to",
        "system/kernels",
        "JUPYTER_DATA_DIR",
    ]);
    as_somebody(&first, &["kernel", "install"]).expect_status(0).expect_stdout("home/.local/share/jupyter");
}

fn read_only(folders: &[&Path]) {
    for folder in folders {
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    }
}

/// Runs jlsys as a user who may not write where the permissions say so, as root may.
fn as_somebody(project: &Project, args: &[&str]) -> Ran {
    if !nix_is_root() {
        return project.jlsys(args);
    }
    let without = ["--bounding-set", "-dac_override,-dac_read_search", env!("CARGO_BIN_EXE_jlsys")];
    let args: Vec<&str> = without.iter().chain(args).copied().collect();
    Ran(project.command_for("setpriv", &args).output().unwrap())
}

fn nix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

#[test]
fn what_cannot_be_wrapped_is_refused_in_one_line() {
    let project = Project::new().write();
    project.jlsys(&["kernel", "install"]).expect_refusal(&["no Julia kernelspec in", "IJulia"]);
    project.jlsys(&["kernel", "remove"]).expect_status(0);
    project.jlsys(&["kernel", "list"]).expect_status(0).expect_stdout("no Julia kernelspecs");

    let data = "home/.local/share/jupyter";
    let mut container = ijulia();
    container["argv"][0] = json!("/bin/echo");
    let folder = add_spec(&project, data, NAME, &container);
    project.jlsys(&["kernel", "install"]).expect_refusal(&["does not start Julia directly", "kernel.json"]);
    container["argv"][0] = json!("/nowhere/julia");
    add_spec(&project, data, NAME, &container);
    project.jlsys(&["kernel", "install"]).expect_refusal(&["/nowhere/julia"]);
    project.jlsys(&["kernel", "install", "other"]).expect_refusal(&["'other'", NAME]);
    // Where there is one that can be wrapped, one whose Julia is gone is no obstacle.
    let good = add_spec(&project, data, "julia-good", &ijulia());
    let ran = project.jlsys(&["kernel", "install"]).expect_status(0).expect_stdout("julia-good-jlsys");
    assert!(ran.stderr().contains("/nowhere/julia") && ran.stderr().lines().count() == 1, "{}", ran.stderr());
    project.jlsys(&["kernel", "install", NAME]).expect_refusal(&["/nowhere/julia"]);
    project.jlsys(&["kernel", "remove"]).expect_status(0);
    std::fs::remove_dir_all(good).unwrap();
    for broken in ["", "{", "[]", "{\"argv\": []}", "{\"argv\": [1]}"] {
        std::fs::write(folder.join("kernel.json"), broken).unwrap();
        let list = project.jlsys(&["kernel", "list"]).expect_status(0).expect_stdout("no Julia kernelspecs");
        assert!(
            list.stderr().starts_with("jlsys: ") && list.stderr().lines().count() == 1,
            "{}",
            list.stderr()
        );
    }
    // Somebody else's kernel that has the name that ours would have.
    add_spec(&project, data, NAME, &ijulia());
    add_spec(&project, data, "julia-1.5-jlsys", &ijulia());
    project
        .jlsys(&["kernel", "install", NAME])
        .expect_refusal(&["julia-1.5-jlsys", "not installed by jlsys"]);
    project.jlsys(&["kernel", "install", "--project", "no-such-folder"]).expect_refusal(&["no-such-folder"]);
}

#[test]
fn a_channel_is_juliaups_as_with_its_launcher() {
    let project = Project::new().write().env("JULIAUP_DEPOT_PATH", "/nowhere");
    project.jlsys(&["run", "--", "+none", "-e", "0"]).expect_refusal(&["juliaup channel 'none'"]);
}
