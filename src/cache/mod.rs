//! The cache folder: the only module that touches it.
//!
//! ```text
//! images/KEY/     entry.json (what `run` needs), key.json, report.json, statements.jl, logs/, sys.so, cpus/
//! failures/KEY/   report.json and logs/ of a build that came to nothing
//! projects/       which entry a project used last, and with which flags
//! probes/         what each Julia said of itself
//! locks/          one file a key: who builds it
//! tmp/            builds under way, each with a lock file that its builder holds
//! ```
//!
//! Looking an entry up takes no lock and writes nothing. An entry appears by one rename, complete or not at all.

mod entry;
mod failures;
mod lock;
mod probes;
mod project;
mod staging;
mod trust;
mod verdict;

use std::io;
use std::path::{Path, PathBuf};

pub use entry::{Entry, EntryHeader, ImageFile, Unusable};
pub use lock::BuildLock;
pub use project::ProjectRecord;
pub use staging::Staging;
pub use verdict::Verdict;

use serde::de::DeserializeOwned;

use crate::file::Sha256Digest;
use crate::key::Key;

/// The version of the cache's format. Entries of another version are left alone: never read, never removed.
pub const FORMAT: u32 = 1;

/// The name of a build's report, in an entry and in a failure.
const REPORT: &str = "report.json";

/// The cache folder. It need not exist.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
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
    /// There is no folder to put the cache in.
    #[error("no folder for the cache: set JLSYS_CACHE_DIR, JULIA_DEPOT_PATH or HOME")]
    NoFolder,
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
    pub fn locate(variable: Option<PathBuf>, first_depot: Option<&Path>) -> Result<Self, CacheError> {
        let named = variable.filter(|path| !path.as_os_str().is_empty());
        let root =
            named.or_else(|| first_depot.map(|depot| depot.join("jlsys"))).ok_or(CacheError::NoFolder)?;
        let root = std::path::absolute(&root).map_err(|source| CacheError::Write { path: root, source })?;
        Ok(Self { root })
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn entry_folder(&self, key: &Key) -> PathBuf {
        self.folder("images").join(key.to_string())
    }

    /// Makes the cache's folders, private to this user, and checks that nobody else can write to them.
    pub fn prepare(&self) -> Result<(), CacheError> {
        for name in ["", "images", "failures", "projects", "probes", "locks", "tmp"] {
            let folder = self.folder(name);
            create_private(&folder).map_err(|source| CacheError::Write { path: folder.clone(), source })?;
            trust::check(&folder)
                .map_err(|reason| CacheError::Untrusted { path: folder, reason: reason.to_string() })?;
        }
        staging::sweep(&self.folder("tmp"));
        Ok(())
    }

    /// The entry of a key, if there is one that may be used.
    pub fn entry(&self, key: &Key) -> Result<Entry, Unusable> {
        Entry::open(self.entry_folder(key))
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
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
