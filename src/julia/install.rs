//! A Julia installation.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Differences;
use crate::environment::LoadPath;
use crate::file::Sha256Digest;
use crate::process::Command;
use crate::uuid::Uuid;
use crate::version::Version;

/// The word in [`Facts::link_command`] that stands for the object.
pub const LINK_OBJECT: &str = "{object}";

/// The word in [`Facts::link_command`] that stands for the image.
pub const LINK_IMAGE: &str = "{image}";

/// A Julia that answered the probe.
#[derive(Debug, Clone)]
pub struct JuliaInstall {
    /// What to execute. It may be a wrapper script that prepares the environment of the real executable,
    /// so only this path is ever started.
    pub command: PathBuf,
    /// What it said of itself.
    pub facts: Facts,
    /// The load path for work of jlsys's own, where the user set one.
    pub load_path: Option<LoadPath>,
}

/// What a Julia says of itself; see `julia/probe.jl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// `VERSION`.
    pub version: Version,
    /// The commit it was built from; empty where the distribution does not say.
    pub commit: String,
    /// The real executable behind [`JuliaInstall::command`].
    pub executable: PathBuf,
    /// The stock image.
    pub base_image: PathBuf,
    /// What the stock image contains.
    pub base_image_sha256: Sha256Digest,
    /// `libjulia` and, from 1.6 on, `libjulia-internal`.
    pub libraries: Vec<PathBuf>,
    /// The folder of the standard library's packages.
    pub stdlib: PathBuf,
    /// The command with which Julia 1.9 and later links package images, with the `lld` that it comes with. The words
    /// [`LINK_OBJECT`] and [`LINK_IMAGE`] stand for the files. Empty where there is no such linker.
    pub link_command: Vec<String>,
    /// `Sys.KERNEL`, such as `Linux`.
    pub os: String,
    /// `Sys.ARCH`, such as `x86_64`.
    pub arch: String,
    /// The CPUs that the stock image is for, as Julia writes them, where it says so (1.13 and later).
    #[serde(default)]
    pub image_target: Option<String>,
    /// The depots behind the user's own, which are searched last.
    pub bundled_depots: Vec<PathBuf>,
    /// The packages that are in the stock image.
    pub base_modules: Vec<BaseModule>,
}

/// A package that is in the stock image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModule {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name, which is also its module's.
    pub name: String,
}

#[cfg(test)]
impl Facts {
    /// Of a Julia of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self {
            version: Version::new(1, 10, 0),
            commit: String::new(),
            executable: PathBuf::new(),
            base_image: PathBuf::new(),
            base_image_sha256: Sha256Digest::of(""),
            libraries: Vec::new(),
            stdlib: PathBuf::new(),
            link_command: Vec::new(),
            os: "Linux".to_owned(),
            arch: String::new(),
            image_target: None,
            bundled_depots: Vec::new(),
            base_modules: Vec::new(),
        }
    }
}

impl JuliaInstall {
    /// What this version does differently from others.
    pub fn differences(&self) -> Differences {
        Differences::of(&self.facts.version)
    }

    /// A command that starts this Julia for work of jlsys's own: no startup file, no history, and none of the variables that
    /// would make it another Julia than the one that was asked for.
    ///
    /// There are no colours, since output goes to a pipe. Asking for none by `--color=no` would make standard output an
    /// `IOContext` from 1.6 on (`reinit_stdio` in base/libuv.jl): workloads would then be seen to print to one, as no session does.
    pub fn command(&self, project: &Path) -> Command {
        let command = Command::new(&self.command)
            .args(["--startup-file=no", "--history-file=no"])
            .option("--project=", project)
            .env_remove("JULIA_PROJECT")
            .env_remove("JULIA_NUM_THREADS");
        match &self.load_path {
            Some(load_path) => command.env("JULIA_LOAD_PATH", load_path.value()),
            None => command.env_remove("JULIA_LOAD_PATH"),
        }
    }

    /// Whether a package is in the stock image.
    pub fn has_base_module(&self, uuid: Uuid) -> bool {
        self.facts.base_modules.iter().any(|module| module.uuid == uuid)
    }
}
