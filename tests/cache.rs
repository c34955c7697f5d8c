//! What is cached: seen, checked, bounded, shared between users.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use jlsys::cache::{Cache, CacheVariables, Entry};
use serde_json::Value;
use support::entries::{Made, used_ago};
use support::shim::{Shim, base_image};
use support::{Project, julia};

const DAY: Duration = Duration::from_secs(86_400);

/// Three entries of two projects, used so many days ago.
fn three(project: &Project) -> [Entry; 3] {
    let entries = [("/home/ann/plots", "1.10.0"), ("/home/ann/plots", "1.11.0"), ("/srv/lecture", "1.11.0")]
        .map(|(folder, version)| Made::new(folder, version).commit(project.cache()));
    for (entry, days) in entries.iter().zip([30, 2, 10]) {
        used_ago(entry, DAY * days);
    }
    entries
}

fn key(entry: &Entry) -> String {
    entry.header.key.to_string()
}

fn keys(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect()
}

/// What differs from run to run.
fn filters(project: &Project) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&regex_of(project.cache()), "[CACHE]");
    // Columns are as wide as what stands in them.
    settings.add_filter(r"\b\d+ (seconds?|minutes?) ago {2,}", "[NOW]  ");
    settings.add_filter(r"BUILT +USED", "BUILT  USED");
    settings.add_filter(r"\b\d+ (seconds?|minutes?) ago", "[NOW]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[TIME]");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind_to_scope()
}

fn regex_of(path: &Path) -> String {
    path.display().to_string().replace('.', "\\.")
}

#[test]
fn the_list_shows_what_is_there_newest_first() {
    let project = Project::new();
    let _filters = filters(&project);
    insta::assert_snapshot!(
        project.jlsys(&["cache", "list"]).expect_status(0).stdout(),
        @"no images; `jlsys build` in a project builds one"
    );
    let entries = three(&project);
    insta::assert_snapshot!(project.jlsys(&["cache", "list"]).expect_status(0).stdout());
    let list = project.jlsys(&["cache", "list", "--json"]).expect_status(0).json();
    assert_eq!(list["schema"], 1);
    let newest_first: Vec<String> = entries.iter().rev().map(key).collect();
    assert_eq!(keys(&list["entries"]), newest_first);
    let item = list["entries"][0].as_object().unwrap();
    for field in ["key", "project", "julia", "tier", "packages", "bytes", "created", "last_used"] {
        assert!(item.contains_key(field), "{field}");
    }
    assert!(item["bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn an_image_is_shown_by_the_beginning_of_its_key() {
    let project = Project::new();
    let _filters = filters(&project);
    let [old, new, _] = three(&project);
    insta::assert_snapshot!(project.jlsys(&["cache", "show", &key(&old)[..8]]).expect_status(0).stdout());
    let shown = project.jlsys(&["cache", "show", &key(&old), "--json"]).expect_status(0).json();
    assert_eq!(shown["key"], key(&old));
    assert_eq!(shown["report"]["packages"]["included"][0]["version"], "1.10.0");
    assert_eq!(shown["inputs"]["julia"]["version"], "1.10.5");
    let diff = ["cache", "show", &key(&new), "--diff", &key(&old)];
    project.jlsys(&diff).expect_status(0).expect_stdout("Tables 1.10.0 → 1.11.0\n");
    let diff = project.jlsys(&[&diff[..], &["--json"]].concat()).expect_status(0).json();
    assert_eq!(diff["changed"].as_array().unwrap().len(), 1);
    assert_eq!((&diff["from"], &diff["to"]), (&key(&old).into(), &key(&new).into()));
}

#[test]
fn a_name_that_leads_nowhere_is_said() {
    let project = Project::new();
    three(&project);
    let show = |name: &str| project.jlsys(&["cache", "show", name]);
    show("xyz").expect_refusal(&["'xyz'", "hexadecimal"]);
    show("").expect_refusal(&["''"]);
    show(&"0".repeat(64)).expect_refusal(&["no image", "cache list"]);
    // Two of three keys may well have different first digits; all of them have the empty beginning in common.
    for digit in "0123456789abcdef".chars() {
        let ran = show(&digit.to_string());
        assert!(ran.0.status.code() == Some(0) || ran.stderr().lines().count() == 1, "{}", ran.stderr());
    }
    show(".").expect_refusal(&["Project.toml"]);
}

#[test]
fn a_project_is_shown_by_its_folder_also_when_its_build_failed() {
    let shim = Shim::with_compiler("", "exit 1").without_startup();
    shim.build(&[], 3);
    let shown = shim.project.jlsys(&["cache", "show", "--json"]).expect_status(0).json();
    assert_eq!(shown["report"]["outcome"], "fallback");
    assert_eq!(shown["entry"], Value::Null);
    shim.project.jlsys(&["cache", "show", "."]).expect_status(0).expect_stdout("could not be built");
    let key = shown["key"].as_str().unwrap();
    shim.project.jlsys(&["cache", "verify", key]).expect_refusal(&["could not be built"]);
    shim.project.jlsys(&["cache", "rm", "."]).expect_status(0).expect_stdout("forgot");
    shim.project.jlsys(&["status"]).expect_status(1);
    shim.project.jlsys(&["cache", "show"]).expect_refusal(&["no image yet"]);
}

#[test]
fn what_is_wrong_with_an_entry_is_named_and_repaired() {
    type Fault = fn(&Path);
    let faults: &[(Fault, &str)] = &[
        (flip_a_byte, "sys.so has another content"),
        (|folder| drop(File::create(folder.join("sys.so"))), "sys.so has 0 bytes instead of 1048576"),
        (|folder| fs::remove_file(folder.join("sys.so")).unwrap(), "sys.so cannot be read"),
        (
            |folder| {
                fs::rename(folder.join("sys.so"), folder.join("../../sys.so")).unwrap();
                symlink(folder.join("../../sys.so"), folder.join("sys.so")).unwrap();
            },
            "sys.so is not a regular file",
        ),
        (|folder| chmod(&folder.join("sys.so"), 0o666), "others may write to"),
        (|folder| chmod(folder, 0o777), "others may write to"),
        (|folder| fs::write(folder.join("report.json"), "{").unwrap(), "report.json cannot be read"),
        (|folder| fs::write(folder.join("statements.jl"), "exit()").unwrap(), "statements.jl has 6 bytes"),
        (|folder| fs::write(folder.join("logs/more"), "").unwrap(), "logs/more was not there"),
        (|folder| fs::remove_file(folder.join("entry.json")).unwrap(), "entry.json cannot be read"),
        (|folder| fs::write(folder.join("entry.json"), "{}").unwrap(), "is not an entry's description"),
        (|folder| fs::remove_file(folder.join("contents.json")).unwrap(), "contents.json cannot be read"),
    ];
    let project = Project::new();
    for (fault, words) in faults {
        let [broken, ..] = three(&project);
        project.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("3 images checked, nothing wrong");
        fault(broken.folder());
        let ran = project.jlsys(&["cache", "verify"]).expect_status(1).expect_stdout(words);
        assert!(ran.stdout().contains(&key(&broken)), "{}", ran.stdout());
        project.jlsys(&["cache", "verify", "--repair"]).expect_status(0).expect_stdout("removed");
        project.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("2 images checked, nothing wrong");
        fs::remove_dir_all(project.cache()).unwrap();
    }
}

/// With its size and its time of change kept.
fn flip_a_byte(folder: &Path) {
    let path = folder.join("sys.so");
    let changed = path.metadata().unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn verify_can_start_each_image_once() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    shim.project.jlsys(&["cache", "verify", "--start"]).expect_status(0).expect_stdout("1 image checked");
    let project = Project::new();
    three(&project);
    let checked = project.jlsys(&["cache", "verify", "--start", "--json"]).expect_status(0).json();
    assert_eq!(checked["entries"][0]["start"], "no_julia");
}

#[test]
fn gc_removes_what_is_over_a_limit_and_was_used_longest_ago() {
    let gc = |args: &[&str]| {
        let project = Project::new();
        let entries = three(&project).map(|entry| key(&entry));
        let planned = project.jlsys(&[&["cache", "gc", "--json", "--dry-run"], args].concat());
        let planned = planned.expect_status(0).json();
        assert!(planned["dry_run"].as_bool().unwrap());
        let all = project.jlsys(&["cache", "list", "--json"]).json();
        assert_eq!(keys(&all["entries"]).len(), 3);
        let done = project.jlsys(&[&["cache", "gc", "--json"], args].concat()).expect_status(0).json();
        assert_eq!(done["removed"], planned["removed"]);
        let left = project.jlsys(&["cache", "list", "--json"]).json();
        let left = keys(&left["entries"]);
        // By their place in `three`.
        (0..3).filter(|&n| left.contains(&entries[n].as_str())).collect::<Vec<_>>()
    };
    assert_eq!(gc(&["--max-age", "20d"]), [1, 2]);
    assert_eq!(gc(&["--max-age", "3d"]), [1]);
    assert_eq!(gc(&["--keep", "1"]), [1, 2]);
    assert_eq!(gc(&["--keep", "0"]), [0; 0]);
    assert_eq!(gc(&["--max-size", "2.5M"]), [1, 2]);
    assert_eq!(gc(&["--max-size", "0"]), [0; 0]);
    assert_eq!(gc(&["--max-size", "10G", "--max-age", "52w"]), [0, 1, 2]);
    assert_eq!(gc(&[]), [0, 1, 2]);
}

#[test]
fn gc_says_what_it_does() {
    let project = Project::new();
    let _filters = filters(&project);
    let [_, recent, _] = three(&project);
    used_ago(&recent, Duration::from_secs(60));
    let ran = project.jlsys(&["cache", "gc", "--max-size", "0", "--dry-run"]).expect_status(0);
    insta::assert_snapshot!(ran.stdout());
    project.jlsys(&["cache", "gc", "--max-size", "lots"]).expect_status(1);
    project.jlsys(&["cache", "gc", "--max-age", "-1d"]).expect_status(1);
}

#[test]
fn an_image_that_a_running_julia_uses_is_not_removed() {
    let project = Project::new();
    let entry =
        Made { image: fs::read(base_image()).unwrap(), ..Made::new("/p", "1.0.0") }.commit(project.cache());
    used_ago(&entry, DAY * 365);
    let mut julia = Command::new(julia())
        .arg("-J")
        .arg(entry.image().unwrap())
        .args(["--startup-file=no", "-e", "println(1); readline()"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 2];
    std::io::Read::read_exact(julia.stdout.as_mut().unwrap(), &mut said).unwrap();
    let gc = ["cache", "gc", "--max-age", "90d"];
    project.jlsys(&gc).expect_status(0).expect_stdout("a running Julia uses it");
    project.jlsys(&["cache", "rm", &key(&entry)]).expect_refusal(&["a running Julia uses image", "--force"]);
    assert!(entry.image().unwrap().exists());
    drop(julia.stdin.take());
    assert!(julia.wait().unwrap().success());
    project.jlsys(&gc).expect_status(0).expect_stdout("removed 1 image");
    assert!(!entry.folder().exists());
}

#[test]
fn an_image_that_is_being_built_is_not_removed() {
    let project = Project::new();
    let [entry, ..] = three(&project);
    let variables = CacheVariables { own: Some(project.cache().to_owned()), shared: None };
    let cache = Cache::locate(variables, None).unwrap();
    let lock = cache.try_lock(&entry.header.key).unwrap().unwrap();
    project.jlsys(&["cache", "rm", &key(&entry)]).expect_refusal(&["is being built"]);
    project.jlsys(&["cache", "gc", "--max-age", "20d"]).expect_status(0).expect_stdout("is being built");
    drop(lock);
    project.jlsys(&["cache", "rm", &key(&entry)[..10]]).expect_status(0);
    assert!(!entry.folder().exists());
}

#[test]
fn gc_forgets_projects_and_failures_of_the_past() {
    let shim = Shim::with_compiler("", "exit 1").without_startup();
    shim.build(&[], 3);
    let cache = shim.project.cache();
    let count = |folder: &str| fs::read_dir(cache.join(folder)).unwrap().count();
    assert_eq!((count("failures"), count("projects"), count("probes")), (1, 1, 1));
    shim.project.jlsys(&["cache", "gc", "--max-age", "1d"]).expect_status(0);
    assert_eq!((count("failures"), count("projects"), count("probes")), (1, 1, 1));
    fs::remove_file(shim.project.path("Project.toml")).unwrap();
    fs::remove_file(shim.project.outside("julia")).unwrap();
    shim.project.jlsys(&["cache", "gc", "--max-age", "0s"]).expect_status(0);
    assert_eq!((count("failures"), count("projects"), count("probes")), (0, 0, 0));
}

#[test]
fn a_limit_in_the_settings_is_applied_after_a_build() {
    let shim = Shim::new("");
    let old = Made::new("/p", "1.0.0").commit(shim.project.cache());
    let settings = |text: &str| format!("{text}\n[cache]\nmax-size = \"1M\"\n");
    shim.project.edit("jlsys.toml", |text| settings(&text));
    // What was used within the last hour stays, however large it is; so does what was just built.
    shim.build(&["--force"], 0);
    assert!(old.folder().exists());
    used_ago(&old, DAY);
    let ran = shim.project.jlsys(&["build", "--cpu-target", "native", "--force"]).expect_status(0);
    assert!(ran.stderr().contains("removed image"), "{}", ran.stderr());
    assert!(!old.folder().exists());
    shim.project.jlsys(&["status"]).expect_status(0);
    shim.project.edit("jlsys.toml", |text| text.replace("1M", "a lot"));
    shim.project.jlsys(&["status"]).expect_refusal(&["jlsys.toml:", "\"a lot\" will not do", "\"20G\""]);
}

#[test]
fn entries_of_other_versions_are_left_alone() {
    let project = Project::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/cache");
    for format in ["older", "newer"] {
        copy(&samples.join(format), project.cache());
    }
    let ran = project.jlsys(&["cache", "list"]).expect_status(0);
    ran.expect_stdout("2 images of another version of jlsys, left alone");
    project.jlsys(&["cache", "verify", "--repair"]).expect_status(0);
    project.jlsys(&["cache", "gc", "--max-size", "0"]).expect_status(0);
    let images = || fs::read_dir(project.cache().join("images")).unwrap().flatten().map(|image| image.path());
    assert_eq!(images().count(), 2);
    for image in images() {
        let name = image.file_name().unwrap().to_str().unwrap().to_owned();
        project.jlsys(&["cache", "show", &name]).expect_refusal(&["another version of jlsys wrote"]);
    }
}

#[test]
fn the_present_format_is_read_as_it_was_first_written() {
    let project = Project::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/cache");
    copy(&samples.join("format-3"), project.cache());
    let list = project.jlsys(&["cache", "list", "--json"]).expect_status(0).json();
    let key = list["entries"][0]["key"].as_str().unwrap();
    // The image's time of change is the only thing that a checkout does not keep.
    let image = project.cache().join("images").join(key).join("sys.so");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    File::options().write(true).open(image).unwrap().set_modified(time).unwrap();
    project.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("1 image checked, nothing wrong");
    project
        .jlsys(&["cache", "show", key])
        .expect_status(0)
        .expect_stdout("something to know")
        .expect_stdout("which Tables keeps");
}

/// As a checkout has it: private, and changed just now.
fn copy(from: &Path, to: &Path) {
    for file in walkdir::WalkDir::new(from) {
        let file = file.unwrap();
        let target = to.join(file.path().strip_prefix(from).unwrap());
        if file.file_type().is_dir() {
            fs::create_dir_all(&target).unwrap();
            chmod(&target, 0o700);
        } else {
            fs::copy(file.path(), &target).unwrap();
            chmod(&target, 0o600);
        }
    }
}

/// A cache that somebody else filled, and a project that finds its image there.
fn shared() -> (Shim, PathBuf) {
    let shim = Shim::new("");
    let operators = shim.project.outside("operators-cache");
    let build = shim
        .project
        .command(&["build", "--cpu-target", "native"])
        .env("JLSYS_CACHE_DIR", &operators)
        .output();
    assert!(build.unwrap().status.success());
    assert!(!shim.project.cache().exists());
    (Shim { project: shim.project.env("JLSYS_CACHE_PATH", &operators) }, operators)
}

#[test]
fn a_shared_cache_serves_and_is_only_read() {
    let (shim, operators) = shared();
    let before = tree(&operators);
    let project = &shim.project;
    project.jlsys(&["status"]).expect_status(0).expect_stdout("operators-cache");
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    let image = project.jlsys(&["path"]).expect_status(0).stdout();
    let code = "print(unsafe_string(Base.JLOptions().image_file))";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), (image.trim(), ""));
    let list = project.jlsys(&["cache", "list", "--json"]).expect_status(0).json();
    assert_eq!(list["entries"][0]["shared"], true);
    project.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("1 image checked");
    project.jlsys(&["cache", "rm", "."]).expect_refusal(&["only read"]);
    project.jlsys(&["cache", "gc", "--max-size", "0"]).expect_status(0).expect_stdout("0 images");
    // What was built for the project goes to the user's own cache, which then wins.
    shim.build(&["--force"], 0);
    project.jlsys(&["status"]).expect_status(0).expect_stdout(&project.cache().display().to_string());
    assert_eq!(tree(&operators), before);
}

fn tree(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    files.map(|file| (file.path().to_owned(), file.metadata().unwrap().modified().unwrap())).collect()
}

#[test]
fn who_names_a_shared_cache_believes_its_owner_and_nobody_else() {
    if !is_root() {
        eprintln!("skipped: only root can make files of other users");
        return;
    }
    let (shim, operators) = shared();
    let give = |path: &Path, owner: u32| {
        for file in walkdir::WalkDir::new(path) {
            lchown(file.unwrap().path(), Some(owner), None).unwrap();
        }
    };
    give(&operators, 4242);
    shim.project.jlsys(&["status"]).expect_status(0);
    give(&operators.join("images"), 4343);
    shim.project.jlsys(&["status"]).expect_status(1).expect_stdout("belongs to another user (id 4343)");
    let ran = shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
    give(&operators, 4242);
    chmod(&operators, 0o775);
    shim.project.jlsys(&["status"]).expect_status(1);
    chmod(&operators, 0o755);
    shim.project.jlsys(&["status"]).expect_status(0);
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

#[test]
fn a_build_that_hits_needs_no_cache_that_can_be_written_to() {
    if !is_root() {
        eprintln!("skipped: only root can mount");
        return;
    }
    let shim = Shim::new("");
    shim.project.edit("jlsys.toml", |text| format!("cpu-target = \"native\"\n{text}"));
    shim.project.jlsys(&["build"]).expect_status(0);
    // Root may write to everything but what is mounted so that nobody may.
    let script = "mount --bind -o ro \"$JLSYS_CACHE_DIR\" \"$JLSYS_CACHE_DIR\" && exec \"$@\"";
    let jlsys = |args: &[&str]| {
        let run = ["-m", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_jlsys")];
        support::Ran(shim.project.command_for("unshare", &[&run[..], args].concat()).output().unwrap())
    };
    jlsys(&["build"]).expect_status(0).expect_stderr("found");
    // The flag, which changes nothing, cannot be kept with the project.
    jlsys(&["build", "--cpu-target", "native"]).expect_status(0).expect_stderr("found");
    let ran = jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("1", ""));
    jlsys(&["cache", "rm", "."]).expect_refusal(&["Read-only file system"]);
}

#[test]
fn the_last_use_is_noted_at_most_once_an_hour_and_by_one_rank() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    let listed = shim.project.jlsys(&["cache", "list", "--json"]).json();
    let image = PathBuf::from(listed["entries"][0]["image"].as_str().unwrap());
    let used = image.with_file_name("used");
    let note = |before: SystemTime, variables: &[(&str, &str)]| {
        File::options().write(true).open(&used).unwrap().set_modified(before).unwrap();
        let mut run = shim.project.command(&["run", "--", "-e", "0"]);
        assert!(run.envs(variables.iter().copied()).status().unwrap().success());
        used.metadata().unwrap().modified().unwrap() != before
    };
    let ago = |seconds: u64| SystemTime::now() - Duration::from_secs(seconds);
    assert!(!note(ago(600), &[]));
    assert!(note(ago(4000), &[]));
    assert!(!note(ago(4000), &[("SLURM_PROCID", "17")]));
    assert!(note(ago(4000), &[("SLURM_PROCID", "0")]));
    // A clock was wrong: a use in the future would keep the image for ever.
    assert!(note(SystemTime::now() + DAY * 400, &[]));
    File::options().write(true).open(&used).unwrap().set_modified(SystemTime::now() + DAY).unwrap();
    let listed = shim.project.jlsys(&["cache", "list", "--json"]).json();
    let last_used: jiff::Timestamp = listed["entries"][0]["last_used"].as_str().unwrap().parse().unwrap();
    assert!(last_used <= jiff::Timestamp::now());
}

#[test]
fn the_folder_is_printed() {
    let project = Project::new();
    let ran = project.jlsys(&["cache", "dir"]).expect_status(0);
    assert_eq!(ran.stdout().trim(), project.cache().display().to_string());
    let ran = Command::new(env!("CARGO_BIN_EXE_jlsys"))
        .args(["cache", "dir"])
        .env_clear()
        .env("JULIA_DEPOT_PATH", "/d")
        .output();
    assert_eq!(ran.unwrap().stdout, b"/d/jlsys\n");
}
