//! Julia's pidfiles: whoever precompiles a package holds one, and others wait for it (1.10 and later, `maybe_cachefile_lock` in
//! base/loading.jl).

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// A holder on another machine touches its pidfile every few seconds (`stale_age` is 10 s there).
const FRESH: Duration = Duration::from_secs(60);

/// A pidfile with the process that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pidfile {
    /// The process, on this machine or another.
    pub pid: Pid,
    /// The other machine's name.
    pub elsewhere: Option<String>,
    /// The package.
    pub package: String,
    /// The file.
    pub path: PathBuf,
}

impl Pidfile {
    /// A pidfile below these folders (`compiled/` of depots) that a living process holds, other than those that `is_own` tells.
    pub fn held_by_others(compiled: &[PathBuf], is_own: impl Fn(Pid) -> bool) -> Option<Self> {
        // compiled/v1.10/NAME/SLUG.ji.pidfile
        let files =
            compiled.iter().flat_map(|it| within(it)).flat_map(|it| within(&it)).flat_map(|it| within(&it));
        files
            .filter_map(|file| Self::read(&file))
            .find(|file| file.is_held() && !(file.elsewhere.is_none() && is_own(file.pid)))
    }

    fn read(path: &Path) -> Option<Self> {
        if path.extension()? != "pidfile" {
            return None;
        }
        // The process and the machine (`write_pidfile`, stdlib/FileWatching/src/pidfile.jl).
        let text = std::fs::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        let pid = Pid::from_raw(words.next()?.parse().ok().filter(|&pid| pid > 0)?);
        let here = gethostname().unwrap_or_default();
        let elsewhere = words.next().filter(|machine| here != *machine).map(str::to_owned);
        let package = path.parent()?.file_name()?.to_string_lossy().into_owned();
        Some(Self { pid, elsewhere, package, path: path.to_owned() })
    }

    fn is_held(&self) -> bool {
        if self.elsewhere.is_some() {
            let changed = self.path.metadata().and_then(|metadata| metadata.modified());
            return changed
                .is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < FRESH));
        }
        !matches!(kill(self.pid, None), Err(Errno::ESRCH))
    }
}

/// What is in a folder; nothing where it is none.
fn within(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

impl std::fmt::Display for Pidfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(machine) = &self.elsewhere {
            write!(f, " on {machine}")?;
        }
        write!(f, ", which precompiles {} (pidfile {})", self.package, self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pidfile(depot: &Path, package: &str, holder: &str) {
        let folder = depot.join("v1.10").join(package);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("slug.ji.pidfile"), holder).unwrap();
    }

    #[test]
    fn a_living_process_that_is_not_ours_holds_one() {
        let depot = tempfile::tempdir().unwrap();
        let compiled = [depot.path().to_owned()];
        let here = gethostname().unwrap().into_string().unwrap();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        pidfile(depot.path(), "Dead", &format!("{} {here}", dead.id()));
        pidfile(depot.path(), "Broken", "no number");
        std::fs::write(depot.path().join("v1.10/Dead/slug.ji"), format!("{} {here}", std::process::id()))
            .unwrap();
        assert_eq!(Pidfile::held_by_others(&compiled, |_| false), None);

        pidfile(depot.path(), "Alive", &format!("{} {here}", std::process::id()));
        let held = Pidfile::held_by_others(&compiled, |_| false).unwrap();
        assert_eq!((held.package.as_str(), held.elsewhere.as_deref()), ("Alive", None));
        assert_eq!(Pidfile::held_by_others(&compiled, |pid| pid == Pid::this()), None);
    }

    #[test]
    fn on_another_machine_a_fresh_file_tells() {
        let depot = tempfile::tempdir().unwrap();
        pidfile(depot.path(), "There", "1 another-machine");
        let held = Pidfile::held_by_others(&[depot.path().to_owned()], |_| true).unwrap();
        assert!(
            held.to_string().starts_with("process 1 on another-machine, which precompiles There"),
            "{held}"
        );
        let file = std::fs::File::options().write(true).open(&held.path).unwrap();
        file.set_modified(SystemTime::now() - 2 * FRESH).unwrap();
        assert_eq!(Pidfile::held_by_others(&[depot.path().to_owned()], |_| true), None);
    }
}
