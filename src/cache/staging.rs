//! A build under way: a folder that becomes an entry by one rename, or goes away.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::{self, Entry, Known};
use super::trust::Trust;
use super::{Cache, CacheError, lock, startup};
use crate::cpu::HostCpu;
use crate::file::{Sha256Digest, set_mode};
use crate::key::{KeyInputs, OwnInputs};
use crate::report::Report;
use crate::sysimage::IMAGE_NAME;
use crate::world::World;

/// A folder in `tmp/` for one build. Dropping it removes it.
///
/// A lock file beside it is held while the build lives, so that the next build can tell what a killed one left.
#[derive(Debug)]
pub struct Staging {
    folder: tempfile::TempDir,
    lock_path: PathBuf,
    _lock: File,
    known: BTreeMap<PathBuf, Sha256Digest>,
    world: World,
    own: Option<OwnInputs>,
}

impl Cache {
    /// Makes a folder for a build.
    pub fn stage(&self) -> Result<Staging, CacheError> {
        let parent = self.folder("tmp");
        let make = || -> io::Result<Staging> {
            let folder = tempfile::Builder::new().prefix("build-").tempdir_in(&parent)?;
            let lock_path = lock_path(folder.path());
            let lock = lock::open_private(&lock_path)?;
            // Where locks are not supported the sweep cannot take one either, and leaves the folder alone.
            let _ = lock.try_lock();
            for name in ["entry", "entry/logs", "work"] {
                super::create_private(&folder.path().join(name))?;
            }
            let (known, world) = (BTreeMap::new(), World::default());
            Ok(Staging { folder, lock_path, _lock: lock, known, world, own: None })
        };
        make().map_err(|source| CacheError::Write { path: parent.clone(), source })
    }
}

impl Staging {
    /// Where the entry's files are put together.
    pub fn entry(&self) -> PathBuf {
        self.folder.path().join("entry")
    }

    /// The logs that stay with the entry.
    pub fn logs(&self) -> PathBuf {
        self.entry().join("logs")
    }

    /// Where the image is to be.
    pub fn image(&self) -> PathBuf {
        self.entry().join(IMAGE_NAME)
    }

    /// Where the startup package is to be.
    pub fn startup(&self) -> PathBuf {
        self.entry().join(startup::FOLDER)
    }

    /// Makes room for another startup package than the one that is there.
    pub fn set_startup_aside(&self) -> Result<(), CacheError> {
        self.rename(&self.startup(), &self.startup_aside())
    }

    /// Undoes [`set_startup_aside`](Self::set_startup_aside).
    pub fn take_startup_back(&self) -> Result<(), CacheError> {
        let _ = std::fs::remove_dir_all(self.startup());
        self.rename(&self.startup_aside(), &self.startup())
    }

    fn startup_aside(&self) -> PathBuf {
        self.work().join(startup::FOLDER)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), CacheError> {
        std::fs::rename(from, to).map_err(|source| CacheError::Write { path: to.to_owned(), source })
    }

    /// Commits an entry with what is there so far, as [`commit`](Self::commit) does, while the build goes on.
    pub fn commit_copy(
        &self,
        cache: &Cache,
        inputs: &KeyInputs,
        report: &mut Report,
        tried_on: Option<HostCpu>,
    ) -> Result<Entry, CacheError> {
        let mut copy = cache.stage()?;
        copy.set_world(self.world.clone());
        copy.set_own(self.own.clone());
        let (from, to) = (self.entry(), copy.entry());
        startup::copy_folder(&from, &to).map_err(|source| CacheError::Write { path: to.clone(), source })?;
        if copy.image().exists() {
            // An image has all that is in a startup package.
            let _ = std::fs::remove_dir_all(copy.startup());
        }
        report.relocate(&from, &to);
        copy.commit(cache, inputs, report, tried_on)
    }

    /// Files that are of no use after the build.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Tells what must still be true where the image is used.
    pub fn set_world(&mut self, world: World) {
        self.world = world;
    }

    /// Tells what the project's own packages are that the entry has groups for.
    pub fn set_own(&mut self, own: Option<OwnInputs>) {
        self.own = own;
    }

    /// Keeps the statements about the project's own packages with an image.
    pub fn keep_own_statements(&self, statements: &[String]) -> Result<(), CacheError> {
        let path = self.entry().join(entry::OWN_STATEMENTS);
        let lines = statements.iter().map(|statement| format!("{statement}\n"));
        std::fs::write(&path, lines.collect::<String>()).map_err(|source| CacheError::Write { path, source })
    }

    /// Tells what a file of the entry was just found to contain, so that it is not read again.
    pub fn know(&mut self, name: impl Into<PathBuf>, digest: Sha256Digest) {
        self.known.insert(name.into(), digest);
    }

    /// Makes the folder an entry of `cache`, replacing one that is damaged, and returns it.
    ///
    /// `tried_on` is the CPU that the image was tried on, if it was.
    pub fn commit(
        self,
        cache: &Cache,
        inputs: &KeyInputs,
        report: &mut Report,
        tried_on: Option<HostCpu>,
    ) -> Result<Entry, CacheError> {
        let target = cache.entry_folder(&inputs.key());
        self.commit_to(target, cache, inputs, report, tried_on)
    }

    /// Puts a startup package for the project's own packages beside the image of an entry, in the place of one that is there.
    pub fn commit_beside(
        self,
        image: &Entry,
        cache: &Cache,
        inputs: &KeyInputs,
        report: &mut Report,
    ) -> Result<Entry, CacheError> {
        self.commit_to(image.folder().join(entry::OWN), cache, inputs, report, Some(HostCpu::detect()))
    }

    fn commit_to(
        self,
        target: PathBuf,
        cache: &Cache,
        inputs: &KeyInputs,
        report: &mut Report,
        tried_on: Option<HostCpu>,
    ) -> Result<Entry, CacheError> {
        let mut commit = || -> io::Result<()> {
            let image = self.image();
            report.relocate(&self.entry(), &target);
            if image.exists() {
                set_mode(&image, 0o600)?;
                let file = File::open(&image)?;
                file.sync_all()?;
                report.image_bytes = file.metadata()?.len();
                report.image = Some(target.join(IMAGE_NAME));
            }
            if self.startup().exists() {
                startup::make_private(&self.startup())?;
                report.startup = Some(target.join(startup::FOLDER));
            }
            let sources = startup::sources_in(cache);
            let (own, digests) = (self.own.as_ref(), &self.known);
            let known = Known { digests, world: &self.world, own, sources: &sources };
            Entry::write(&self.entry(), inputs, report, tried_on.clone(), known)?;
            // An entry that is there goes into the build's folder, to be removed with it.
            put_in_place(&self.entry(), &target)
        };
        commit().map_err(|source| CacheError::Write { path: target.clone(), source })?;
        Entry::open(target.clone(), Trust::OWN).map_err(|_| CacheError::Write {
            path: target,
            source: io::Error::other("what was just written is not there"),
        })
    }
}

/// Renames a folder to `target`. What is there takes the folder's place.
pub(super) fn put_in_place(folder: &Path, target: &Path) -> io::Result<()> {
    // On a filesystem without locks another builder may be at the same; each turn is one step of either.
    for turn in 0..100 {
        match std::fs::rename(folder, target) {
            Err(error) if is_others_work(&error) => {}
            result => return result,
        }
        match exchange(folder, target, turn) {
            Err(error) if is_others_work(&error) => {}
            result => return result,
        }
    }
    Err(io::Error::other("other builders put theirs there again and again"))
}

fn is_others_work(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound)
}

/// Swaps two folders in one step, so that nobody ever finds none.
fn exchange(entry: &Path, target: &Path, turn: u32) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    match renameat_with(CWD, entry, CWD, target, RenameFlags::EXCHANGE) {
        // Some network filesystems cannot.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => set_aside(entry, target, turn),
        result => Ok(result?),
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The folder goes by its own drop; were the lock file left, the sweep would find it.
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

/// Swaps two folders in two steps.
fn set_aside(entry: &Path, target: &Path, turn: u32) -> io::Result<()> {
    let aside = entry.with_added_extension(format!("replaced-{turn}"));
    std::fs::rename(target, &aside)?;
    std::fs::rename(entry, target)
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_added_extension("lock")
}

/// Removes what builds that no longer run left in `tmp/`: folders whose lock nobody holds.
pub(super) fn sweep(tmp: &Path) {
    let Ok(entries) = std::fs::read_dir(tmp) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let lock_path = lock_path(&folder);
        let is_abandoned = match File::open(&lock_path).map(|lock| lock.try_lock()) {
            Ok(Ok(())) => true,
            Ok(Err(TryLockError::WouldBlock)) => false,
            // Without locks nothing tells but time; no build takes that long.
            Ok(Err(TryLockError::Error(_))) => is_older_than(&folder, Duration::from_secs(2 * 86_400)),
            // Between making the folder and its lock a builder has a moment without one.
            Err(_) => is_older_than(&folder, Duration::from_secs(3600)),
        };
        if is_abandoned {
            let _ = std::fs::remove_dir_all(&folder);
            let _ = std::fs::remove_file(&lock_path);
        }
    }
}

fn is_older_than(folder: &Path, limit: Duration) -> bool {
    let age = folder.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    matches!(age, Ok(Ok(age)) if age > limit)
}
