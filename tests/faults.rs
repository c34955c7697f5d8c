//! Faults that a real Julia and a real system produce: what the ladder, the cache and the supervisor promise.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Project, Ran, package};

const NATIVE: &[&str] = &["build", "--cpu-target", "native", "--json"];

/// The processes whose command line or environment names this folder.
fn processes_of(project: &Project) -> Vec<String> {
    let mark = project.outside("").display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let all = [String::from_utf8_lossy(&command), String::from_utf8_lossy(&environment)].concat();
        all.contains(mark.trim_end_matches('/')).then(|| String::from_utf8_lossy(&command).replace('\0', " "))
    });
    commands.filter(|command| !command.is_empty()).collect()
}

fn expect_no_processes(project: &Project) {
    for _ in 0..50 {
        if processes_of(project).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("still running: {:#?}", processes_of(project));
}

fn expect_nothing_half_done(project: &Project) {
    let images = project.cache().join("images");
    for entry in std::fs::read_dir(images).into_iter().flatten().flatten() {
        assert!(entry.path().join("entry.json").is_file(), "{} is half an entry", entry.path().display());
    }
}

#[test]
#[ignore = "builds images"]
fn packages_that_break_are_left_out_and_the_rest_is_in_the_image() {
    let suite = |name: &str, then: &str| {
        package(name, "value(x) = [x, x]").tests(&format!("using {name}\n{name}.value(1.5)\n{then}\n"))
    };
    let project = Project::new()
        .package(suite("Fine", ""))
        .package(suite("Failing", "error(\"a failing test\")"))
        .package(suite("Crashing", "ccall(:abort, Cvoid, ())"))
        .package(package("Throws", "error(\"not today\")"))
        .package(package("Dependent", "using Throws").depends_on("Throws"))
        .package(package("BadInit", "__init__() = error(\"no display\")"))
        .package(package("Noisy", "println(\"printed while loading\"); const N = 1; __init__() = (println(\"init\"); nothing)"))
        .package(package("Busy", "const TASK = Ref{Any}(); __init__() = (TASK[] = @async sleep(0.01); Timer(t -> nothing, 0.05); nothing)"))
        .settings("julia-args = [\"-O0\", \"-g0\"]\n")
        .write();
    let report = project.jlsys(&[NATIVE, &["--strict"]].concat()).expect_status(2).json();
    assert_eq!(report["tier"], "reduced", "{report:#}");
    let names = |list: &str| {
        let packages = report["packages"][list].as_array().unwrap().iter();
        let mut names: Vec<&str> = packages.map(|package| package["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names("included"), ["Busy", "Crashing", "Failing", "Fine", "Noisy"], "{report:#}");
    assert_eq!(names("dropped"), ["BadInit", "Dependent", "Throws"], "{report:#}");
    let warnings = report["warnings"].to_string();
    for words in ["Throws is left out: it does not load: not today", "BadInit is left out: it does not load"]
    {
        assert!(warnings.contains(words), "{words:?} is not in {warnings}");
    }
    let outcome = |name: &str| {
        let workloads = report["workloads"].as_array().unwrap().iter();
        workloads
            .filter(|w| w["name"] == name)
            .map(|w| w["outcome"].as_str().unwrap().to_owned())
            .next()
            .unwrap()
    };
    assert_eq!([outcome("Fine"), outcome("Failing"), outcome("Crashing")], ["ok", "failed", "crashed"]);
    for name in ["Fine", "Failing", "Crashing"] {
        assert!(report["statements"]["by_package"][name].as_u64().unwrap() > 0, "{report:#}");
    }

    // A session sees what it would see without the image.
    let code = "using Fine, Noisy, Busy; print(Fine.value(1.5), Noisy.N, isdefined(Main, :JlsysReplay), \
                try (@eval using BadInit); catch; \"refused\" end)";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert!(ran.stdout().ends_with("[1.5, 1.5]1falserefused"), "{}\n{}", ran.stdout(), ran.stderr());
    project.jlsys(&["status"]).expect_status(0).expect_stdout("(reduced)");
}

#[test]
#[ignore = "builds images"]
fn a_package_that_breaks_only_in_an_image_is_left_out() {
    // The image of an attempt, as the process that was started with it sees it.
    let only_from_image = "
        function __init__()
            image = unsafe_string(Base.JLOptions().image_file)
            occursin(\"attempt-\", image) && error(\"not from this image\")
        end";
    let project = Project::new()
        .package(package("Fine", "value(x) = [x, x]"))
        .package(package("OnlyFromImage", only_from_image))
        .package(package("OnTop", "using OnlyFromImage").depends_on("OnlyFromImage"))
        .settings("julia-args = [\"-O0\", \"-g0\"]\n")
        .write();
    let report = project.jlsys(NATIVE).expect_status(0).json();
    assert_eq!(report["tier"], "reduced", "{report:#}");
    let included = report["packages"]["included"].as_array().unwrap();
    assert_eq!(included.len(), 1, "{report:#}");
    assert_eq!(included[0]["name"], "Fine");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("OnlyFromImage is left out"), "{warnings}");
    // The image that is tried says whose `__init__` it was.
    let phases = report["phases"].as_array().unwrap().iter();
    let written = phases.filter(|phase| phase["name"] == "link").count();
    assert_eq!(written, 2, "{report:#}");
    assert!(warnings.contains("OnTop is left out: it depends on OnlyFromImage"), "{warnings}");
    project.jlsys(&["run", "--", "-e", "using Fine; print(1)"]).expect_status(0).expect_stdout("1");
}

#[test]
#[ignore = "takes minutes"]
fn killed_at_any_moment_it_leaves_no_process_and_no_half_entry() {
    let project = Project::new()
        .package(package("Slow", "value() = 1").tests("using Slow; Slow.value(); run(`sleep 5`)"))
        .settings("julia-args = [\"-O0\", \"-g0\"]\n")
        .write();
    // Spread over the phases; the clock decides, so no two runs are alike.
    let mut jitter = u64::from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_micros());
    for round in 0..20 {
        let mut command = project.command(NATIVE);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        jitter = jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(round * 700 + (jitter >> 33) % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        expect_no_processes(&project);
        expect_nothing_half_done(&project);
    }
    let report = project.jlsys(NATIVE).expect_status(0).json();
    assert_eq!((&report["outcome"], &report["tier"]), (&"built".into(), &"full".into()));
    assert_eq!(std::fs::read_dir(project.cache().join("tmp")).unwrap().count(), 0);
}

#[test]
#[ignore = "takes a minute"]
fn interrupted_it_stops_everything_and_says_so() {
    let mark = std::process::id();
    let tests = format!("using Slow; run(`sh -c \"trap '' TERM; sleep 100 # {mark}\"`)");
    let project = Project::new().package(package("Slow", "value() = 1").tests(&tests)).write();
    for signal in ["INT", "TERM", "HUP"] {
        let mut command = project.command(NATIVE);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(8));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let ran = Ran(child.wait_with_output().unwrap()).expect_status(130);
        assert!(ran.stderr().contains("interrupted"), "{}", ran.stderr());
        expect_no_processes(&project);
        expect_nothing_half_done(&project);
        assert_eq!(std::fs::read_dir(project.cache().join("tmp")).unwrap().count(), 0, "{signal}");
    }
}

#[test]
fn without_a_compiler_plain_julia_stays() {
    let project = Project::new().stdlib("Mmap").write();
    if support::julia_is_since(9) {
        println!("skipped: this Julia has a linker of its own, with which tests/build.rs builds");
        return;
    }
    let tools = support::tools_without_compiler(&project);
    let run = |args: &[&str]| {
        let mut command = project.command(args);
        Ran(command.env("PATH", &tools).output().unwrap())
    };
    let ran = run(NATIVE).expect_status(3);
    assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains("no C compiler found") && ran.stderr().contains("gcc"), "{}", ran.stderr());
    run(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    let mut command = project.command(NATIVE);
    Ran(command.env("JULIA_CC", "/no/compiler").output().unwrap())
        .expect_refusal(&["JULIA_CC", "/no/compiler"]);
}

#[test]
#[ignore = "starts to compile two images"]
fn a_limit_on_memory_is_recognised_when_tracing_and_when_building() {
    let eats = "using Eats; Eats.value(1.5); x = Any[]; while true; push!(x, zeros(2^24)); end";
    let project = Project::new()
        .package(package("Eats", "value(x) = [x, x]").tests(eats))
        // An allocation that fails in LLVM can leave Julia waiting for a lock that its own thread holds.
        .settings("julia-args = [\"-O0\"]\nstall-limit = \"30s\"\n")
        .write();
    // Enough for Julia to start and to load; not enough for the tests, nor for an image.
    let limited = |args: &[&str], kilobytes: u64| {
        let jlsys = project.command(args);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"")])
            .arg(jlsys.get_program())
            .args(jlsys.get_args())
            .current_dir(project.path(""))
            .env_clear();
        for (name, value) in jlsys.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Ran(command.output().unwrap())
    };
    let (tier, status) = support::without_image();
    let report = limited(NATIVE, 2_000_000).expect_status(status).json();
    assert_eq!(report["tier"], tier, "{report:#}");
    let tests = report["workloads"].as_array().unwrap().iter().find(|w| w["name"] == "Eats").unwrap();
    assert_ne!(tests["outcome"], "ok");
    assert!(report["statements"]["by_package"]["Eats"].as_u64().unwrap() > 0, "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("tests of Eats ran out of memory"), "{warnings}");
    assert!(warnings.contains("give it more memory"), "{warnings}");
    project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
}

/// A control group of its own with this limit; `None` where this user may not make one.
fn memory_group(bytes: u64) -> Option<MemoryGroup> {
    let name = format!("jlsys-test-{}", std::process::id());
    let (v1, v2) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
    let (folder, limit) =
        if v1.is_dir() { (v1.join(name), "memory.limit_in_bytes") } else { (v2.join(name), "memory.max") };
    std::fs::create_dir(&folder).ok()?;
    let group = MemoryGroup(folder);
    std::fs::write(group.0.join(limit), bytes.to_string()).ok()?;
    Some(group)
}

struct MemoryGroup(std::path::PathBuf);

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "starts to compile two images"]
fn a_control_groups_limit_on_memory_is_recognised_when_tracing_and_when_building() {
    let Some(group) = memory_group(500 << 20) else {
        println!("skipped: a control group needs the right to make one");
        return;
    };
    let eats = "using Hungry; Hungry.value(1.5); x = Any[]; while true; push!(x, ones(2^20)); end";
    let project = Project::new()
        .package(package("Hungry", "value(x) = [x, x]").tests(eats))
        .settings("julia-args = [\"-O0\"]\n")
        .write();
    let jlsys = [&["-c", "echo $$ >\"$1/cgroup.procs\" && shift && exec \"$@\"", "sh"][..]].concat();
    let group = group.0.display().to_string();
    let args = [&jlsys[..], &[&group, env!("CARGO_BIN_EXE_jlsys")], NATIVE].concat();
    let (tier, status) = support::without_image();
    let report = Ran(project.command_for("sh", &args).output().unwrap()).expect_status(status).json();
    assert_eq!(report["tier"], tier, "{report:#}");
    let tests = report["workloads"].as_array().unwrap().iter().find(|w| w["name"] == "Hungry").unwrap();
    assert_ne!(tests["outcome"], "ok");
    assert!(report["statements"]["by_package"]["Hungry"].as_u64().unwrap() > 0, "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("tests of Hungry ran out of memory"), "{warnings}");
    assert!(warnings.contains("most likely for want of memory"), "{warnings}");
    expect_nothing_half_done(&project);
    project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
}

/// Programs on a CPU of 2008, with a Julia that notes each of its starts there; `None` where there is no emulator.
struct OldCpu {
    julia: std::path::PathBuf,
    starts: std::path::PathBuf,
}

const EMULATOR: &[&str] = &["qemu-x86_64", "-cpu", "Nehalem"];

impl OldCpu {
    fn new(project: &Project) -> Option<Self> {
        if !Command::new(EMULATOR[0]).arg("--version").output().is_ok_and(|ran| ran.status.success()) {
            println!("skipped: no qemu-x86_64 (Debian's qemu-user)");
            return None;
        }
        let (julia, starts) = (project.outside("julia-on-old-cpu"), project.outside("starts"));
        let program = emulated_program()?;
        let text = format!(
            "#!/bin/sh\necho >>'{}'\nexec {} {program} \"$@\"\n",
            starts.display(),
            EMULATOR.join(" ")
        );
        std::fs::write(&julia, text).unwrap();
        std::fs::set_permissions(&julia, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Some(Self { julia, starts })
    }

    fn jlsys(&self, project: &Project, args: &[&str]) -> Ran {
        let args = [&EMULATOR[1..], &[env!("CARGO_BIN_EXE_jlsys")], args].concat();
        let mut command = project.command_for(EMULATOR[0], &args);
        Ran(command.env("JULIA", &self.julia).output().unwrap())
    }

    /// How often Julia was started since this was asked last.
    fn starts(&self) -> usize {
        let starts = std::fs::read_to_string(&self.starts).unwrap_or_default().lines().count();
        let _ = std::fs::remove_file(&self.starts);
        starts
    }
}

/// What the Julia under test comes down to: only a program can be emulated, and it may be a wrapper script.
fn emulated_program() -> Option<String> {
    let julia = support::julia();
    if std::fs::read(julia).ok()?.starts_with(b"\x7fELF") {
        return Some(format!("'{}'", julia.display()));
    }
    let trace = Command::new("sh").arg("-x").arg(julia).arg("--version").output().ok()?;
    let trace = String::from_utf8_lossy(&trace.stderr).into_owned();
    let program = trace.lines().find_map(|line| line.strip_prefix("+ exec "))?;
    program.strip_suffix("--version").map(str::to_owned)
}

#[test]
#[ignore = "builds an image"]
fn an_image_for_cpus_above_this_one_is_tried_once_and_not_used() {
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: the CPUs are chosen for x86_64");
        return;
    }
    let project = Project::new()
        .package(package("Above", "value(x) = [x, x]"))
        .settings("cpu-target = \"haswell\"\njulia-args = [\"-O0\", \"-g0\"]\n")
        .write();
    let Some(old_cpu) = OldCpu::new(&project) else { return };
    let its_image_has_code =
        Command::new(support::julia()).args(["-C", "haswell", "-e", "0"]).output().unwrap();
    if !its_image_has_code.status.success() {
        // A Julia that was built on this machine for this machine.
        project.jlsys(&["build"]).expect_refusal(&["this Julia's own image has no code for haswell CPUs"]);
        println!("skipped: this Julia's own image has no code for haswell CPUs");
        return;
    }
    project.jlsys(&["build"]).expect_status(0);
    let code = "print(Sys.CPU_NAME, ' ', unsafe_string(Base.JLOptions().image_file))";
    let here = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert!(here.stderr().is_empty() && here.stdout().contains("/images/"), "{}", here.stderr());

    let run = || old_cpu.jlsys(&project, &["run", "--", "-e", code]).expect_status(0);
    for starts in [3, 1] {
        // The first time Julia is asked what it is, and the image is tried.
        let there = run();
        assert!(
            there.stdout().starts_with("nehalem ") && !there.stdout().contains("/images/"),
            "{}",
            there.stdout()
        );
        assert_eq!(there.stderr().lines().count(), 1, "{}", there.stderr());
        assert!(there.stderr().contains("built for other CPUs (haswell)"), "{}", there.stderr());
        assert_eq!(old_cpu.starts(), starts);
    }
    old_cpu.jlsys(&project, &["status"]).expect_status(1).expect_stdout("built for other CPUs");
    project.jlsys(&["status"]).expect_status(0);
    // Julia itself can be told to stay below what this CPU can do.
    let below = project.jlsys(&["run", "--", "-C", "nehalem", "-e", code]).expect_status(0);
    assert!(!below.stdout().contains("/images/"), "{}", below.stdout());
    assert!(below.stderr().contains("--cpu-target"), "{}", below.stderr());
}

#[test]
#[ignore = "builds two images at once"]
fn builders_of_one_key_build_once_and_of_another_beside_it() {
    let project = |name: &str| {
        Project::new()
            .package(package(name, "value(x) = [x, x]"))
            .settings("julia-args = [\"-O0\", \"-g0\"]\n[workloads]\nkinds = [\"load\"]\n")
            .write()
    };
    let (one, other) = (project("Same"), project("Other"));
    let start = |of: &Project| {
        let mut command = of.command(NATIVE);
        command.env("JLSYS_CACHE_DIR", one.cache()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let same = [(); 8].map(|()| start(&one));
    let beside = start(&other);
    let outcome = |child: std::process::Child| {
        let report = Ran(child.wait_with_output().unwrap()).expect_status(0).json();
        report["outcome"].as_str().unwrap().to_owned()
    };
    let mut outcomes = same.map(outcome);
    outcomes.sort();
    assert_eq!(outcomes[..], [&["built"][..], &["hit"; 7]].concat());
    assert_eq!(outcome(beside), "built");
    one.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("2 images checked, nothing wrong");
    expect_nothing_half_done(&one);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_said() {
    build_on_a_disk_of("64k");
}

#[test]
fn a_disk_that_fills_while_workloads_run_is_said() {
    build_on_a_disk_of("256k");
}

#[test]
#[ignore = "compiles an image"]
fn a_disk_without_room_for_the_object_is_said() {
    build_on_a_disk_of("12m");
}

#[test]
#[ignore = "compiles an image"]
fn a_disk_without_room_for_the_image_is_said() {
    build_on_a_disk_of("200m");
}

/// Builds with the cache on a disk of its own, too small for some phase, and an entry there from before.
fn build_on_a_disk_of(size: &str) {
    let tests = "using Tiny; Tiny.value(1.5); println('x'^400_000)";
    let project = Project::new()
        .package(package("Tiny", "value(x) = [x, x]").tests(tests))
        .settings("julia-args = [\"-O0\", \"-g0\"]\n")
        .write();
    let disk = project.outside("disk");
    std::fs::create_dir(&disk).unwrap();
    let options = format!("size={size},mode=700");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a disk of {size} needs the right to mount");
        return;
    }
    let _unmount = Unmount(disk.clone());
    let old = disk.join("cache/images/old");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("entry.json"), "{}").unwrap();
    for folder in [disk.join("cache"), disk.join("cache/images")] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder, mode).unwrap();
    }
    let mut command = project.command(NATIVE);
    let ran = Ran(command.env("JLSYS_CACHE_DIR", disk.join("cache")).output().unwrap()).expect_status(1);
    let said = ran.stderr();
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("disk is full") || last.contains("No space left"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let left = |folder: &str| std::fs::read_dir(disk.join("cache").join(folder)).map_or(0, Iterator::count);
    // A startup package that is there by then is one more, and stays of use.
    let startup = usize::from(said.contains("until the image is there"));
    assert_eq!((left("tmp"), left("images"), left("failures")), (0, 1 + startup, 0), "{said}");
    assert_eq!(std::fs::read_to_string(old.join("entry.json")).unwrap(), "{}");
}

#[test]
fn a_depot_without_room_is_said_and_no_package_blamed() {
    let project = Project::new();
    let options = "size=24k,mode=755";
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(project.depot()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a disk for the depot needs the right to mount");
        return;
    }
    let _unmount = Unmount(project.depot().to_owned());
    let value = format!("value() = {:?}", "x".repeat(8000));
    let project = project.package(package("Small", &value)).write();
    let said = project.jlsys(NATIVE).expect_status(1).stderr();
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("the disk with the depot") && last.contains("is full"), "{said}");
    assert!(!said.contains("Small is left out"), "{said}");
    project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
