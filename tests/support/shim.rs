//! A stand-in for the two steps of a build that take minutes: no real object is written, and the "linked" image is a copy
//! of the stock one. Everything else is real, also the Julia that tries the image.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{Project, julia};

/// A project on packages that are in every stock image, with a shim for Julia and one for the compiler.
pub struct Shim {
    pub project: Project,
}

impl Shim {
    /// `fault` is shell code in the place of writing the object: `$packages` and `$statements` name the files that say
    /// what goes into it, `crash_at LINE` dies as compiling that statement would, and `replayed` notes that all were.
    pub fn new(fault: &str) -> Self {
        Self::with_compiler(fault, "cp \"$base\" \"$out\"")
    }

    pub fn with_compiler(fault: &str, compile: &str) -> Self {
        let project = Project::new()
            .stdlib("Random")
            .stdlib("Sockets")
            .settings("[workloads]\ntime-limit = \"60s\"\nkinds = [\"load\", \"scripts\"]\n")
            .file(
                "precompile.jl",
                "using Random, Sockets\nshuffle(1:3); shuffle([1.5]); sort([ip\"::2\", ip\"::1\"]); string.([ip\"1.1.1.1\"])",
            );
        Self::of(project, fault, compile)
    }

    /// For another project.
    pub fn of(project: Project, fault: &str, compile: &str) -> Self {
        let project = project.write();
        let log = project.outside("attempts");
        let shim = format!(
            "#!/bin/sh
            out=
            for arg; do case $arg in --output-o=*) out=${{arg#--output-o=}} ;; esac; done
            # Whether it generates code for some CPUs: it does, since it generates none.
            case $* in *--output-o=*) ;; *--cpu-target=*) exit 0 ;; esac
            [ -n \"$out\" ] || exec '{}' \"$@\"
            shift $(($# - 6))
            packages=$2 statements=$3 all_given=$4 loaded=$5 replayed=$6
            until [ -e $all_given ]; do sleep 0.05; done
            echo \"$(wc -l <$packages) $(wc -l <$statements)\" >>'{}'
            sed 's/\\t.*/\\tok/' $packages >$loaded
            replayed() {{
                n=$(wc -l <$statements)
                printf 'line %010d\\nfinished 1\\ncompiled %d\\nfalse 0\\nthrew 0\\nseconds 0.1\\n' $n $n >$replayed
            }}
            crash_at() {{ printf 'line %010d\\n' $1 >$replayed; kill -SEGV $$; }}
            {fault}
            replayed
            echo object >$out
            ",
            julia().display(),
            log.display(),
        );
        let compiler = format!(
            "#!/bin/sh
            base='{}'
            while [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done
            {compile}
            ",
            base_image().display()
        );
        for (name, text) in [("julia", shim), ("cc", compiler)] {
            let path = project.outside(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (julia, cc) = (project.outside("julia"), project.outside("cc"));
        Self { project: project.env("JULIA", julia).env("JULIA_CC", cc) }
    }

    /// With no startup package either, so that what is left is the same on every version: from 1.9 on it would be
    /// better than packages without statements, and than nothing.
    pub fn without_startup(self) -> Self {
        self.first("case $* in */startup.jl*) echo 'no startup package' >&2; exit 1 ;; esac");
        self
    }

    /// Has the shim for Julia run this shell code before anything else.
    pub fn first(&self, code: &str) {
        let path = self.project.outside("julia");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("out=\n", &format!("out=\n{code}\n"), 1)).unwrap();
    }

    pub fn build(&self, args: &[&str], status: i32) -> Value {
        let args: Vec<&str> =
            ["build", "--cpu-target", "native", "--json"].into_iter().chain(args.iter().copied()).collect();
        self.project.jlsys(&args).expect_status(status).json()
    }

    /// How many packages and statements each attempt had.
    pub fn attempts(&self) -> Vec<(u64, u64)> {
        let text = std::fs::read_to_string(self.project.outside("attempts")).unwrap_or_default();
        let numbers = |line: &str| line.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<u64>>();
        text.lines().map(numbers).map(|line| (line[0], line[1])).collect()
    }

    pub fn expect_nothing_left(&self) {
        assert_eq!(std::fs::read_dir(self.project.cache().join("tmp")).unwrap().count(), 0);
    }
}

/// The image that the Julia under test starts with.
pub fn base_image() -> PathBuf {
    let code = "print(unsafe_string(Base.JLOptions().image_file))";
    let output = Command::new(julia()).args(["--startup-file=no", "-e", code]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().into()
}
