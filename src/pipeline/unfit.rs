//! Caches that a build leaves behind and no session can use: workloads precompile for the builder's CPU what they alone load.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use walkdir::WalkDir;

use super::startup::files_of;
use crate::cpu::CpuTarget;
use crate::julia::{Driver, Drivers};
use crate::prepare::Prepared;
use crate::process;

/// Reading how hundreds of caches begin takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// The caches that were there before a build, in the depot that Julia writes to.
#[derive(Debug)]
pub struct CachesBefore {
    folder: PathBuf,
    caches: BTreeSet<PathBuf>,
}

impl CachesBefore {
    /// What is there now; `None` where caches are for this machine, or have no native code.
    pub fn of(prepared: &Prepared) -> Option<Self> {
        let julia = &prepared.julia;
        let has_unfit =
            prepared.plan.cpu_target != CpuTarget::Native && julia.differences().has_package_images();
        let depot = prepared.depots.paths().first().filter(|_| has_unfit)?;
        let folder = depot.join("compiled").join(format!("v{}", julia.facts.version.major_minor()));
        Some(Self { caches: caches_in(&folder).collect(), folder })
    }

    /// Removes those that came since and that Julia does not take on the plan's CPUs; how many bytes that were. Those of the packages with
    /// these names stay, which have no other. What was there before is not the build's: Julia passes over it on other CPUs, and where it can be
    /// used there may be other projects that rest on it.
    pub async fn remove_unfit(self, prepared: &Prepared, keep: &[String]) -> u64 {
        let is_kept = |cache: &Path| {
            let package = cache.parent().and_then(Path::file_name).unwrap_or_default();
            keep.iter().any(|name| package == name.as_str())
        };
        let new = caches_in(&self.folder).filter(|cache| !self.caches.contains(cache) && !is_kept(cache));
        let new: Vec<String> = new.filter_map(|cache| cache.into_os_string().into_string().ok()).collect();
        if new.is_empty() {
            return 0;
        }
        let unfit = ask(prepared, &new).await.unwrap_or_default();
        let files = unfit.iter().flat_map(|cache| files_of(cache));
        let removed = files.filter_map(|file| {
            let bytes = file.metadata().ok()?.len();
            std::fs::remove_file(file).ok()?;
            Some(bytes)
        });
        removed.sum()
    }
}

/// Those of packages with a UUID have a folder for each name.
fn caches_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let files = WalkDir::new(folder).max_depth(2).into_iter().flatten();
    files.map(walkdir::DirEntry::into_path).filter(|file| file.extension().is_some_and(|it| it == "ji"))
}

/// Which of these caches Julia does not take on the plan's CPUs; `None` when it does not say.
async fn ask(prepared: &Prepared, caches: &[String]) -> Option<Vec<PathBuf>> {
    let Prepared { julia, environment, plan, .. } = prepared;
    let folder = tempfile::tempdir().ok()?;
    let file = |name: &str| folder.path().join(name);
    let (list, results) = (file("caches"), file("unfit"));
    std::fs::write(&list, caches.join("\n")).ok()?;
    Driver::write_all(folder.path()).ok()?;
    let drivers = Drivers { julia, project_file: &environment.project_file, folder: folder.path() };
    let command = julia.caches_for(&plan.cpu_target, drivers.command());
    let command = command.arg(drivers.path(Driver::UNFIT)).args([&list, &results]);
    let finished = process::run(&command, Some(PATIENCE), &file("log")).await.ok()?;
    let text = std::fs::read_to_string(&results).ok()?;
    let unfit = text.strip_suffix("end\n").filter(|_| finished.ending.is_success())?;
    Some(unfit.lines().map(PathBuf::from).collect())
}
