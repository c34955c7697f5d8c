//! Whether the project's own files are as they were while workloads ran.
//!
//! `julia/shadow.jl` keeps Pkg from writing them. What else a workload does, such as starting a Julia of its own, is not kept from
//! it: nobody can tell its work from the user's, who may be editing. It is said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::file::Sha256Digest;

/// `Base.preferences_names`.
const PREFERENCES: [&str; 2] = ["JuliaLocalPreferences.toml", "LocalPreferences.toml"];

/// The files that decide the environment, as they were when they were last looked at.
pub(super) struct Untouched {
    files: BTreeMap<PathBuf, Option<Sha256Digest>>,
}

impl Untouched {
    /// Looks at the files of an environment.
    pub(super) fn new(environment: &Environment) -> Self {
        let preferences = PREFERENCES.iter().map(|name| environment.project_dir().join(name));
        let files = [environment.project_file.clone(), environment.manifest_file.clone()]
            .into_iter()
            .chain(preferences);
        let files = files.map(|file| {
            let digest = digest(&file);
            (file, digest)
        });
        Self { files: files.collect() }
    }

    /// Looks again, after `running` ran; what changed, one sentence each.
    pub(super) fn look(&mut self, running: &[String]) -> Vec<String> {
        let mut changed = Vec::new();
        for (file, before) in &mut self.files {
            let now = digest(file);
            if now != *before {
                *before = now;
                changed.push(format!("{} was changed while {} ran", file.display(), running.join(", ")));
            }
        }
        changed
    }
}

/// `None` where there is no file, or one that cannot be read.
fn digest(file: &Path) -> Option<Sha256Digest> {
    Sha256Digest::of_file(file).ok()
}
