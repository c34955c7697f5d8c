//! What a person reads who types: help, estimates, what comes next, and what is wrong with what was typed. A shim stands in for
//! the steps that take minutes.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::entries::Made;
use support::shim::Shim;
use support::{Project, Ran, says};

/// Every command, and every command of a command.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["build"],
    &["run"],
    &["status"],
    &["path"],
    &["trace"],
    &["postbuild"],
    &["doctor"],
    &["init"],
    &["completions"],
    &["cache", "list"],
    &["cache", "show"],
    &["cache", "verify"],
    &["cache", "gc"],
    &["cache", "rm"],
    &["cache", "clean"],
    &["cache", "push"],
    &["cache", "pull"],
    &["cache", "keygen"],
    &["cache", "dir"],
    &["kernel", "install"],
    &["kernel", "list"],
    &["kernel", "remove"],
];

/// Files in a folder, however deep.
fn files_in(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(files_in(&entry.path())),
            false => files.push(entry.path().display().to_string()),
        }
    }
    files
}

#[test]
fn every_help_has_examples_and_they_are_commands() {
    let project = Project::new();
    for command in COMMANDS {
        let help = project.jlsys(&[command, &["--help"][..]].concat()).expect_status(0).stdout();
        let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{command:?}: {help}"));
        let calls = examples.lines().filter_map(|line| line.trim().strip_prefix("jlsys "));
        for call in calls {
            // What stands behind two spaces says what it does.
            let words = call.split("  ").next().unwrap().split_whitespace();
            let words: Vec<&str> = words.take_while(|word| !matches!(*word, ">" | "|")).collect();
            let depth = if matches!(words[0], "cache" | "kernel") { 2 } else { 1 };
            assert!(COMMANDS.contains(&&words[..depth]), "{call}");
            let known = project.jlsys(&[&words[..depth], &["--help"][..]].concat()).expect_status(0).stdout();
            let options = words[depth..].iter().take_while(|word| **word != "--");
            for option in options.filter(|word| word.starts_with("--")) {
                assert!(known.contains(option), "{call}: {option}");
            }
        }
    }
}

#[test]
fn a_commands_own_options_come_first() {
    let project = Project::new();
    for (command, own) in
        [("status", "--explain"), ("build", "--dry-run"), ("trace", "--output"), ("doctor", "--json")]
    {
        let help = project.jlsys(&[command, "--help"]).expect_status(0).stdout();
        let at = |words: &str| help.find(words).unwrap_or_else(|| panic!("{words} is not in {help}"));
        assert!(at(own) < at("What the image is:") && at("--include") < at("Project and Julia:"), "{help}");
        assert!(at("Project and Julia:") < at("--project") && at("--project") < at("Examples:"), "{help}");
    }
}

#[test]
fn values_that_are_not_understood_are_refused_in_our_words() {
    let project = Project::new().stdlib("Random").write();
    for (args, words) in [
        (&["build", "--jobs", "0"][..], "write a number from 1 on"),
        (&["build", "--jobs", "many"], "write a number from 1 on"),
        (&["build", "--time-budget", "20"], "write a time of a second or more with its unit, as in `90s`"),
        (&["build", "--time-limit", "0s"], "write a time of a second or more with its unit, as in `90s`"),
        (&["cache", "gc", "--keep", "few"], "write a number, such as `3`"),
        (&["cache", "gc", "--max-size", "20"], "write a size with its unit, such as `20G`"),
        (&["cache", "pull", "--key", "3f2a"], "write the whole key, 64 hexadecimal digits"),
    ] {
        project.jlsys(args).expect_status(1).expect_stderr(words);
    }
    let project = project.settings("[workloads]\nkinds = [\"test\"]\n").write();
    project
        .jlsys(&["status"])
        .expect_refusal(&["jlsys.toml:2:", "there is no `test`; there are `load`, `tests`"]);
    let project = project.settings("time-budget = 20m\n").write();
    project.jlsys(&["build"]).expect_refusal(&["jlsys.toml:1:", "20m must stand in quotes: \"20m\""]);
}

#[test]
fn a_switch_with_another_value_is_said_and_means_plain_julia() {
    let shim = Shim::new("");
    shim.build(&["--no-sessions"], 0);
    let run = |value: &str| {
        let ran = shim.project.jlsys_with(&[("JLSYS_DISABLE", value)], &["run", "-e", "print(1)"]);
        ran.expect_status(0).expect_stdout("1").stderr()
    };
    assert_eq!((run("0"), run(""), run("1")), (String::new(), String::new(), String::new()));
    assert_eq!(run("yes"), "jlsys: plain Julia: JLSYS_DISABLE=yes is neither 1 (plain Julia) nor 0\n");
    // The project is the same.
    let code = ["run", "--", "-e", "print(Base.active_project())"];
    let project = shim.project.jlsys(&code).expect_status(0).stdout();
    shim.project.jlsys_with(&[("JLSYS_DISABLE", "1")], &code).expect_status(0).expect_stdout(&project);
}

#[test]
fn a_dry_run_says_what_would_run_and_writes_nothing() {
    let shim = Shim::new("");
    let project = &shim.project;
    // What a Julia is, is asked once.
    project.jlsys(&["status"]);
    let before = files_in(project.cache());
    let dry =
        |args: &[&str]| project.jlsys(&[&["build", "--cpu-target", "native", "--dry-run"], args].concat());
    let said = dry(&[]).expect_status(0).stdout();
    for words in [
        "would build an image for ",
        "because      no image yet for ",
        "for native CPUs",
        "workloads    1 of 1 to run, 1 at once, each for 1 min at most",
        "precompile.jl: never ran here",
        "image        this Julia has written none here yet",
        "how long that takes is not known yet",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let found = dry(&["--json", "--time-budget", "20m"]).expect_status(0).json();
    assert_eq!((&found["schema"], &found["outcome"]), (&1.into(), &"build".into()), "{found:#}");
    assert_eq!(
        (&found["estimate"], &found["time_budget"]),
        (&serde_json::Value::Null, &1200.0.into()),
        "{found:#}"
    );
    assert_eq!(found["workloads"][0]["kept"], false);
    assert_eq!(files_in(project.cache()), before);
    assert_eq!(shim.attempts().len(), 0);

    shim.build(&["--no-sessions"], 0);
    let said = dry(&[]).expect_status(0).stdout();
    assert!(said.starts_with("nothing to build: ") && said.contains("(tier full)"), "{said}");
    assert_eq!(dry(&["--json"]).expect_status(0).json()["outcome"], "hit");

    // Another plan, for which earlier builds tell how long it takes.
    let before = files_in(project.cache());
    let said = dry(&["--exclude", "Sockets", "--time-budget", "20m"]).expect_status(0).stdout();
    for words in [
        "left out     Sockets: `exclude` names it",
        "precompile.jl: kept from an earlier run",
        "as the last build of this project",
        "(the time budget is 20 min)",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    dry(&["--force"]).expect_status(0).expect_stdout(" s when it last ran");
    let found = dry(&["--force", "--json"]).expect_status(0).json();
    assert!(
        found["estimate"].as_f64().unwrap() > 0.0 && found["earlier"]["of_this_project"] == true,
        "{found:#}"
    );
    assert_eq!(files_in(project.cache()), before);

    // What a build would refuse is refused here, too.
    dry(&["--exclude", "Nope"]).expect_refusal(&["`exclude` names Nope"]);
}

#[test]
fn a_build_says_how_far_it_is_what_it_gave_and_what_comes_next() {
    let shim = Shim::new("").without_startup();
    let project =
        shim.project.file("precompile_more.jl", "using Random\nrandstring(3)\nerror(\"no data today\")\n");
    let build = |args: &[&str]| {
        let ran = project.jlsys(&[&["build", "--cpu-target", "native", "--no-sessions"], args].concat());
        ran.expect_status(0).stderr()
    };
    let said = build(&["--verbose", "--jobs", "1"]);
    for words in [
        "2 workloads to run, 1 at once, each for 1 min at most, then the image: how long that takes is not known yet",
        "precompile.jl begins (1 min at most)",
        "1 of 2, ",
        "2 of 2, ",
        "precompile_more.jl failed: no data today (log: ",
        "next: `jlsys run script.jl` runs a script with it",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    // One number of statements, from the trace to the image.
    let number = |before: &str, after: &str| {
        let (head, _) = said.split_once(after).unwrap_or_else(|| panic!("{after} is not in {said}"));
        head.rsplit_once(before).unwrap().1.to_owned()
    };
    let statements = number(": ", " statements to compile");
    assert_eq!(number("packages and ", " statements into an image"), statements, "{said}");
    assert!(said.contains(&format!("{statements} of {statements} statements compiled, tier full")), "{said}");

    // What is there is found, and what failed when it was built is no news.
    let said = build(&[]);
    assert!(said.contains("found ") && said.contains("next: `jlsys run script.jl`"), "{said}");
    assert!(!said.contains("no data today") && !said.contains("to run"), "{said}");
    let said = build(&["--force", "--project", "."]);
    assert!(said.contains("as the last build of this project") && said.contains("precompile.jl"), "{said}");
    assert!(said.contains("next: `jlsys run --project . script.jl`"), "{said}");
    let shown = project.jlsys(&["cache", "show"]).expect_status(0).stdout();
    assert!(shown.contains("precompile_more.jl: failed (no data today)"), "{shown}");
}

#[test]
fn notebooks_are_named_where_there_are_kernels() {
    let project = Shim::new("").project;
    let folder = project.outside("home/.local/share/jupyter/kernels/julia-1.5");
    fs::create_dir_all(&folder).unwrap();
    let spec = serde_json::json!({"argv": [support::julia(), "{connection_file}"], "display_name": "Julia", "language": "julia"});
    fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    let build = ["build", "--cpu-target", "native", "--no-sessions"];
    project.jlsys(&build).expect_status(0).expect_stderr("`jlsys kernel install` has notebooks use it");
    project.jlsys(&["kernel", "install"]).expect_status(0);
    project.jlsys(&build).expect_status(0).expect_stderr("so do notebooks with a kernel of jlsys's");
}

#[test]
fn what_is_as_it_should_be_is_said_once() {
    let project = Shim::new("").without_startup().project;
    let name = says("print(\"v\", VERSION.major, '.', VERSION.minor)");
    let default = project.depot().join("environments").join(name);
    fs::create_dir_all(&default).unwrap();
    let uuid = "7073ff75-c697-5162-941a-fcdaad2a7d2a";
    fs::write(default.join("Project.toml"), format!("[deps]\nIJulia = \"{uuid}\"\n")).unwrap();
    let tree = "1".repeat(40);
    let manifest =
        format!("[[IJulia]]\nuuid = \"{uuid}\"\nversion = \"1.24.0\"\ngit-tree-sha1 = \"{tree}\"\n");
    fs::write(default.join("Manifest.toml"), manifest).unwrap();
    let words = "note: IJulia is not taken into the image: IJulia 1.24.0 is not installed";
    let build = |args: &[&str]| {
        let ran = project.jlsys(&[&["build", "--cpu-target", "native", "--no-sessions"], args].concat());
        let said = ran.expect_status(0).stderr();
        assert!(!said.contains("warning: IJulia"), "{said}");
        said.matches(words).count()
    };
    assert_eq!(build(&[]), 1);
    // Neither when it is found, nor when another is built.
    assert_eq!((build(&[]), build(&["--exclude", "Sockets"])), (0, 0));
    let shown = project.jlsys(&["cache", "show"]).expect_status(0).stdout();
    assert!(shown.contains("note         IJulia is not taken"), "{shown}");
}

#[test]
fn what_is_interrupted_says_what_is_kept() {
    let shim = Shim::new("touch \"$JLSYS_CACHE_DIR/writing\"; sleep 100").without_startup();
    let mut command = shim.project.command(&["build", "--cpu-target", "native"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while !shim.project.cache().join("writing").exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "it does not come to writing the image");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran(child.wait_with_output().unwrap()).expect_status(130);
    ran.expect_stderr(
        "interrupted; 1 of 1 workload is done and kept, and the next `jlsys build` goes on from there",
    );
    shim.expect_nothing_left();
    let said = shim.project.jlsys(&["build", "--dry-run"]).expect_status(0).stdout();
    assert!(said.contains("precompile.jl: kept from an earlier run"), "{said}");
}

#[test]
fn the_answer_comes_first_and_packages_behind_a_flag() {
    let project = Shim::new("").project;
    project.jlsys(&["build", "-q", "--cpu-target", "native", "--no-sessions"]).expect_status(0);
    let explained = project.jlsys(&["status", "--explain"]).expect_status(0).stdout();
    assert!(explained.starts_with("ready: "), "{explained}");
    assert!(explained.contains("workloads    loading the packages, precompile.jl\n"), "{explained}");
    assert!(
        explained.contains("(--packages lists them)") && !explained.contains("package      Random"),
        "{explained}"
    );
    let all = project.jlsys(&["status", "--packages"]).expect_status(0).stdout();
    assert!(all.starts_with("ready: ") && all.contains("package      Random "), "{all}");
    let shown = project.jlsys(&["cache", "show"]).expect_status(0).stdout();
    let first = shown.lines().next().unwrap();
    assert!(
        first.starts_with("image of ") && first.contains("(tier full): ") && first.contains("; built "),
        "{first}"
    );
    assert!(!shown.contains("package      Random") && !shown.contains("not kept"), "{shown}");
    let all = project.jlsys(&["cache", "show", "--packages"]).expect_status(0).stdout();
    assert!(all.contains("package      Random ") && all.contains("not kept"), "{all}");
}

#[test]
fn cleaning_removes_all_that_is_kept() {
    let project = Project::new().stdlib("Random").file("precompile.jl", "rand(3)\n");
    let project = project.settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n").write();
    // Nothing is there, and nothing is made.
    project.jlsys(&["cache", "clean", "--yes"]).expect_status(0).expect_stdout("removed 0 images (0 B)");
    assert!(!project.cache().exists());
    Made::new("/home/ann/plots", "1.10.0").commit(project.cache());
    project.jlsys(&["trace", "-q"]).expect_status(0);
    let records = ["images", "traces", "probes", "measured"];
    let is_empty = |name: &&str| files_in(&project.cache().join(name)).is_empty();
    assert!(!records.iter().any(&is_empty), "{:?}", files_in(project.cache()));
    // Without a terminal nobody is there to be asked.
    let ran = project.jlsys(&["cache", "clean"]).expect_status(0);
    ran.expect_stdout("would remove 1 image (1.00 MiB) and ").expect_stdout("; `--yes` removes them");
    assert!(!records.iter().any(&is_empty), "{:?}", files_in(project.cache()));
    let ran = project.jlsys(&["cache", "clean", "--yes"]).expect_status(0);
    ran.expect_stdout("removed 1 image (1.00 MiB) and ");
    assert!(records.iter().all(is_empty), "{:?}", files_in(project.cache()));
    // And the next command begins as the first did.
    project.jlsys(&["status"]).expect_status(1).expect_stdout("no image yet for ");
}
