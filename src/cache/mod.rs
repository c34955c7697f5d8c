//! The cache folder: the only module that touches it.
//!
//! ```text
//! images/KEY/     entry.json and world.json (what `run` needs), contents.json, key.json, report.json, statements.jl, logs/, sys.so,
//!                 cpus/ (on which CPUs it was tried since), used (its time of change is the last use)
//! traces/KEY/     what a workload was seen to compile: trace.json, key.json, trace.jl.zst, log.zst, used
//! failures/KEY/   report.json and logs/ of a build that came to nothing
//! projects/       which entry a project used last, and with which flags
//! measured/       what `jlsys trace` last measured of a project
//! logs/PROJECT/   what a project's own scripts and notebooks printed that failed
//! probes/         what each Julia said of itself
//! targets/        for which CPUs each Julia can generate code
//! startup/        the sources of startup packages, by which their caches know them
//! stuck/          packages that were stuck, and are not waited for again
//! locks/          one file a key: who builds it
//! tmp/            builds under way, each with a lock file that its builder holds; what came so far of a pull
//! ```
//!
//! Looking an entry up takes no lock and writes nothing. An entry appears by one rename, complete or not at all.
//!
//! Beside the user's own folder there may be shared ones, which are only read.

mod clean;
mod condition;
mod contents;
mod download;
mod entry;
mod failures;
mod gc;
mod health;
mod image_file;
mod listing;
mod lock;
mod logs;
mod mapped;
mod measured;
mod probes;
mod project;
mod sessions;
mod staging;
mod startup;
mod stuck;
mod targets;
mod tidy;
mod traces;
mod trust;
mod usage;
mod verdict;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub use condition::Condition;
pub use download::Download;
pub use entry::{Entry, EntryHeader, Unusable};
pub use gc::{Collection, Limits, Over};
pub use image_file::ImageFile;
pub use listing::{Damaged, ListedEntry, Listing, Lookup, LookupError};
pub use lock::BuildLock;
pub use project::{FailedBuild, ProjectRecord};
pub use staging::Staging;
pub use startup::{Foundation, RestsOn, StaleGroups, StartupFiles, StartupGroup, keep_rests_on};
pub use stuck::StuckIn;
pub use traces::{KeptTrace, TraceUsage};
pub use verdict::Verdict;

use serde::de::DeserializeOwned;
use trust::Trust;

use crate::file::Sha256Digest;
use crate::key::Key;
use crate::world::{Here, is_noexec};

// Entries of another version are left alone: never read, never removed.
pub use crate::key::CACHE_FORMAT as FORMAT;

/// The folder with the entries.
const IMAGES: &str = "images";

/// The name of a build's report, in an entry and in a failure.
const REPORT: &str = "report.json";

/// The cache. Its folder need not exist.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// Caches of other users, only read, the first that has an entry wins.
    shared: Vec<PathBuf>,
}

/// What the environment says about where the cache is.
#[derive(Debug, Clone, Default)]
pub struct CacheVariables {
    /// `JLSYS_CACHE_DIR`: the user's own cache.
    pub own: Option<PathBuf>,
    /// `JLSYS_CACHE_PATH`: shared caches, separated as in `PATH`.
    pub shared: Option<OsString>,
}

/// A folder with entries, and whose files are believed there.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    root: &'a Path,
    trust: Trust,
}

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Something cannot be written.
    #[error("cannot write to the cache at {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An image that was to be removed is not in the user's own cache.
    #[error("image {key} is not in your own cache, and a shared one is only read")]
    NotOwn {
        /// Its key.
        key: String,
    },
    /// An image that was to be removed is mapped by a running process.
    #[error("a running Julia uses image {key}; `--force` removes it all the same")]
    Mapped {
        /// Its key.
        key: String,
    },
    /// An image that was to be removed is being built.
    #[error("image {key} is being built")]
    BeingBuilt {
        /// Its key.
        key: String,
    },
    /// There is no folder to put the cache in.
    #[error("no folder for the cache: set JLSYS_CACHE_DIR, JULIA_DEPOT_PATH or HOME")]
    NoFolder,
    /// No image can be loaded from the folder.
    #[error("no image can be loaded from the cache at {}, which is on a filesystem that is mounted noexec: set JLSYS_CACHE_DIR to a folder on another one", .path.display())]
    NoExec {
        /// The folder.
        path: PathBuf,
    },
    /// Julia cannot write an image to the folder.
    #[error("no image can be built in the cache at {}: Julia's compiler takes a % in a path for a random digit: set JLSYS_CACHE_DIR to a folder without one", .path.display())]
    Percent {
        /// The folder.
        path: PathBuf,
    },
    /// The folder belongs to somebody else, or others may write to it.
    #[error("the cache is not used, since an image is code that will be executed: {reason}: make {} yours alone (chmod 700), or set JLSYS_CACHE_DIR", .path.display())]
    Untrusted {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Cache {
    /// The cache in the folder that `JLSYS_CACHE_DIR` names, else in `jlsys/` in the first depot.
    pub fn locate(variables: CacheVariables, first_depot: Option<&Path>) -> Result<Self, CacheError> {
        let named = variables.own.filter(|path| !path.as_os_str().is_empty());
        let root =
            named.or_else(|| first_depot.map(|depot| depot.join("jlsys"))).ok_or(CacheError::NoFolder)?;
        let absolute =
            |path: PathBuf| std::path::absolute(&path).map_err(|source| CacheError::Write { path, source });
        let root = absolute(root)?;
        let shared = variables.shared.unwrap_or_default();
        let shared = std::env::split_paths(&shared).filter(|path| !path.as_os_str().is_empty());
        let shared = shared.map(absolute).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { shared: shared.into_iter().filter(|path| *path != root).collect(), root })
    }

    /// The user's own cache folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folders to look for something in, the user's own first. A shared one that others could have written to is
    /// passed over.
    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let shared = self.shared.iter().filter_map(|root| {
            let trust = Trust::of_shared(root).ok()?;
            Some(Place { root, trust })
        });
        std::iter::once(Place { root: &self.root, trust: Trust::OWN }).chain(shared)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn entry_folder(&self, key: &Key) -> PathBuf {
        self.folder(IMAGES).join(key.to_string())
    }

    /// Makes the cache's folders, private to this user, and checks that nobody else can write to them.
    pub fn prepare(&self) -> Result<(), CacheError> {
        let folders = [
            "",
            IMAGES,
            traces::FOLDER,
            "failures",
            "projects",
            "probes",
            "locks",
            startup::FOLDER,
            stuck::FOLDER,
            "tmp",
        ];
        for name in folders {
            let folder = self.folder(name);
            create_private(&folder).map_err(|source| CacheError::Write { path: folder.clone(), source })?;
            Trust::OWN
                .check(&folder)
                .map_err(|reason| CacheError::Untrusted { path: folder, reason: reason.to_string() })?;
        }
        self.sweep();
        Ok(())
    }

    /// Whether images can be loaded from the folder, which is there.
    pub fn check_for_images(&self) -> Result<(), CacheError> {
        if is_noexec(&self.root) { Err(CacheError::NoExec { path: self.root.clone() }) } else { Ok(()) }
    }

    /// Whether Julia can write images there.
    ///
    /// LLVM writes an archive, and its linker whatever it writes, to a temporary file beside it, and takes each `%` in that
    /// file's path for a random digit (`createUniqueFile` in its `Path.cpp`): in a folder that is not there.
    pub fn check_for_builds(&self) -> Result<(), CacheError> {
        if self.root.as_os_str().as_encoded_bytes().contains(&b'%') {
            return Err(CacheError::Percent { path: self.root.clone() });
        }
        self.check_for_images()
    }

    /// Removes what is of no use to anybody any more.
    fn sweep(&self) {
        staging::sweep(&self.folder("tmp"));
        self.bound_traces(traces::OLDEST, traces::LARGEST);
        self.bound_logs(traces::OLDEST);
    }

    /// The entry of a key, if there is one whose files are what was committed.
    pub fn entry(&self, key: &Key) -> Result<Entry, Unusable> {
        self.entry_that(key, |_| Ok(()))
    }

    /// The entry of a key, if there is one that may be used here.
    pub fn entry_for(&self, key: &Key, here: &Here<'_>) -> Result<Entry, Unusable> {
        self.entry_that(key, |entry| entry.check_world(here))
    }

    fn entry_that(
        &self,
        key: &Key,
        check: impl Fn(&Entry) -> Result<(), Unusable>,
    ) -> Result<Entry, Unusable> {
        let mut unusable = Unusable::Missing;
        for place in self.places() {
            let entry = Entry::open(place.entry_folder(key), place.trust);
            match entry.and_then(|entry| check(&entry).map(|()| entry)) {
                Ok(entry) => return Ok(entry),
                Err(reason) if unusable == Unusable::Missing => unusable = reason,
                Err(_) => {}
            }
        }
        Err(unusable)
    }
}

impl Place<'_> {
    fn entry_folder(&self, key: &Key) -> PathBuf {
        self.root.join(IMAGES).join(key.to_string())
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folders in a folder; none where it is not there.
fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// The file name for what is known about something with a long or unsafe name of its own, such as a path.
fn file_name_for(subject: impl AsRef<[u8]>) -> String {
    let digits = Sha256Digest::of(subject).to_string();
    format!("{}.json", &digits[..32])
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Writes a small file so that a reader sees the old content or the new, never a part.
fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}
