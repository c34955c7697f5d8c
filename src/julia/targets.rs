//! For which CPUs a Julia generates code, in its own words.

use super::{Facts, JuliaInstall};
use crate::cpu::CpuTarget;
use crate::process::Command;
use crate::version::Version;

/// What the official binaries are built for, as far as they do not say it themselves: from 1.13 on `Sys.sysimage_target` does
/// (<https://github.com/JuliaLang/julia/pull/58970>).
///
/// `utilities/build_envs.sh` of JuliaCI/julia-buildkite lists them. It has had those that are called newer here since fe8b26e (8 March 2024, between
/// 1.10.2 and 1.10.3), and those of macOS since b8414d8 (9 June 2024, between 1.10.4 and 1.10.5); 32-bit x86 has had one alone since
/// 3e412d4 (20 June 2023; 1.9 was built from a branch without it).
fn official(arch: &str, os: &str, version: &Version) -> &'static str {
    let since = |minor, patch| (version.major, version.minor, version.patch) >= (1, minor, patch);
    match (arch, os) {
        ("x86_64", _) if since(10, 3) => {
            "generic;sandybridge,-xsaveopt,clone_all;haswell,-rdrnd,base(1);x86-64-v4,-rdrnd,base(1)"
        }
        ("x86_64", _) => "generic;sandybridge,-xsaveopt,clone_all;haswell,-rdrnd,base(1)",
        ("i686", _) if since(10, 0) => "pentium4",
        ("i686", _) => "pentium4;sandybridge,-xsaveopt,clone_all",
        ("aarch64", "Darwin") if since(10, 5) => "generic;apple-m1,clone_all",
        ("aarch64", _) if since(10, 3) => {
            "generic;cortex-a57;thunderx2t99;carmel,clone_all;apple-m1,base(3);neoverse-512tvb,base(3)"
        }
        ("aarch64", _) => "generic;cortex-a57;thunderx2t99;carmel",
        // The architecture's baseline.
        _ => "generic",
    }
}

impl Facts {
    /// What `--cpu-target` and `JULIA_CPU_TARGET` take for these CPUs. Portable code is for what Julia's own image is for, where it says so, as
    /// package images can be for no others (<https://github.com/JuliaLang/julia/issues/55157>); else for what official binaries are for.
    pub fn target<'t>(&'t self, cpus: &'t CpuTarget) -> &'t str {
        match cpus {
            CpuTarget::Native => "native",
            CpuTarget::Portable => match self.image_target.as_deref() {
                Some(target) if target != "native" => target,
                _ => official(&self.arch, &self.os, &self.version),
            },
            CpuTarget::Julia(target) => target,
        }
    }

    /// The same as a session takes it: the first of several targets. A process that generates code for several starts with the code that images
    /// have for this one (`sysimg_init_cb` in src/processor_x86.cpp and its like). Sessions take neither several targets nor what is
    /// about generating code (`check_cmdline` in src/processor.cpp; 1.5 crashes).
    pub fn first_target(&self, cpus: &CpuTarget) -> String {
        let first = self.target(cpus).split(';').next().unwrap_or_default();
        let is_for_sessions = |word: &&str| {
            let word = word.trim_start_matches(['+', '-']);
            !(matches!(word, "clone_all" | "opt_size" | "min_size") || word.starts_with("base("))
        };
        first.split(',').filter(is_for_sessions).collect::<Vec<_>>().join(",")
    }
}

impl JuliaInstall {
    /// Has a process take and make the caches of packages that are right for these CPUs, and no others. With the code of the first target Julia
    /// refuses what was made for this machine's CPU alone, as a session on another CPU does; what is missing it precompiles for all of them
    /// (`create_expr_cache` in base/loading.jl). Where there are no package images caches have no native code.
    pub fn caches_for(&self, cpus: &CpuTarget, command: Command) -> Command {
        if *cpus == CpuTarget::Native || !self.differences().has_package_images() {
            return command;
        }
        command
            .option("--cpu-target=", self.facts.first_target(cpus))
            .env("JULIA_CPU_TARGET", self.facts.target(cpus))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: &str, arch: &str) -> Facts {
        Facts { version: version.parse().unwrap(), arch: arch.to_owned(), ..Facts::unknown() }
    }

    #[test]
    fn portable_is_what_the_official_binary_of_the_version_is() {
        let portable = |version, arch| facts(version, arch).target(&CpuTarget::Portable).to_owned();
        let older = "generic;sandybridge,-xsaveopt,clone_all;haswell,-rdrnd,base(1)";
        assert_eq!(portable("1.5.3", "x86_64"), older);
        assert_eq!(portable("1.10.2", "x86_64"), older);
        assert_eq!(portable("1.12.5", "x86_64"), format!("{older};x86-64-v4,-rdrnd,base(1)"));
        assert!(portable("1.10.2", "aarch64").ends_with(";carmel"));
        assert!(portable("1.11.0", "aarch64").contains(";neoverse-512tvb,"));
        assert_eq!(portable("1.12.5", "powerpc64le"), "generic");
    }

    #[test]
    fn what_julia_says_of_itself_counts() {
        let with =
            |target: &str| Facts { image_target: Some(target.to_owned()), ..facts("1.13.0", "x86_64") };
        assert_eq!(with("generic;znver4").target(&CpuTarget::Portable), "generic;znver4");
        // Such a one has no code for others: the portable target is asked for, and refused.
        assert!(with("native").target(&CpuTarget::Portable).starts_with("generic;"));
        assert_eq!(with("generic;znver4").target(&CpuTarget::Native), "native");
        assert_eq!(with("generic").target(&CpuTarget::Julia("haswell".to_owned())), "haswell");
    }

    #[test]
    fn a_session_takes_the_first_target_without_what_is_for_images() {
        for (targets, expected) in [
            ("portable", "generic"),
            ("haswell", "haswell"),
            ("haswell,-rdrnd,clone_all;skylake,base(0)", "haswell,-rdrnd"),
            ("generic,-clone_all,+cx16", "generic,+cx16"),
        ] {
            assert_eq!(facts("1.10.2", "x86_64").first_target(&targets.parse().unwrap()), expected);
        }
    }
}
