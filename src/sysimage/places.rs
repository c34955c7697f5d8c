//! Finding out which packages of an image keep a place.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::julia::{Driver, Drivers, write_packages};
use crate::plan::Plan;
use crate::process;
use crate::world::{KeptPlace, Places};

/// Looking through the code of some hundred packages takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// An image that is to be looked at.
#[derive(Debug)]
pub struct Look<'a> {
    /// What looks, in the project that it is for.
    pub drivers: Drivers<'a>,
    /// What is in it.
    pub plan: &'a Plan,
    /// The image.
    pub image: &'a Path,
    /// A folder for this alone.
    pub folder: &'a Path,
    /// What Julia prints.
    pub log: &'a Path,
}

impl Look<'_> {
    /// Starts a Julia with the image and has it look for `places`. `None` when that did not work.
    ///
    /// The depots, the project and the home folder are called something else there, as they are for another user: what `__init__` asks for in
    /// each session is no place that the image keeps.
    pub async fn find(&self, depots: &[PathBuf], places: &Places) -> Option<(Vec<KeptPlace>, Option<u64>)> {
        let Drivers { julia, project_file, .. } = self.drivers;
        let elsewhere = self.folder.join("elsewhere");
        let files = ["packages", "places", "found"].map(|name| self.folder.join(format!("places-{name}")));
        let [packages, list, found] = &files;
        let prepare = || -> io::Result<OsString> {
            write_packages(
                packages,
                self.plan.modules().filter(|(module, _)| !julia.has_base_module(module.package)),
            )?;
            // The image may still lie in the build's folder, and in its own at other times: both are jlsys's.
            places.write(list, &[self.folder, &elsewhere])?;
            std::fs::create_dir_all(&elsewhere)?;
            let links = depots.iter().enumerate().map(|(index, depot)| {
                let is_own = julia.facts.bundled_depots.contains(depot) || !depot.is_dir();
                if is_own { Ok(depot.clone()) } else { link(depot, &elsewhere, &format!("depot-{index}")) }
            });
            std::env::join_paths(links.collect::<io::Result<Vec<_>>>()?).map_err(io::Error::other)
        };
        let depot_path = prepare().ok()?;
        let project = link(project_file.parent()?, &elsewhere, "project").ok()?;
        let home = std::env::home_dir().and_then(|home| link(&home, &elsewhere, "home").ok());
        let command = julia
            .command(&project.join(project_file.file_name()?))
            .option("--sysimage=", self.image)
            .arg(self.drivers.path(Driver::PLACES))
            .args(&files)
            .directory(self.folder)
            .envs([("JULIA_DEPOT_PATH", depot_path)])
            .envs(home.map(|home| ("HOME", home.into_os_string())));
        let finished = process::run(&command, Some(PATIENCE), self.log).await.ok()?;
        let results = std::fs::read(found).ok().filter(|_| finished.ending.is_success())?;
        places.read(&String::from_utf8_lossy(&results))
    }
}

fn link(folder: &Path, into: &Path, name: &str) -> io::Result<PathBuf> {
    let path = into.join(name);
    symlink(folder, &path)?;
    Ok(path)
}
