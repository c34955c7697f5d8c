//! What came so far of a pull, so that one that breaks off goes on where it ended.

use std::io;
use std::path::PathBuf;

use super::trust::Trust;
use super::{Cache, CacheError, create_private, write_atomically};
use crate::file::Sha256Digest;
use crate::key::Key;

/// A folder in `tmp/` with the pieces of one image that have arrived, each under its digest.
///
/// It has no lock beside it, so the sweep removes it when nothing was added for an hour.
#[derive(Debug, Clone)]
pub struct Download {
    folder: PathBuf,
}

impl Cache {
    /// The download of an image: a new one, or one that broke off.
    pub fn download(&self, key: &Key) -> Result<Download, CacheError> {
        let folder = self.folder("tmp").join(format!("pull-{key}"));
        create_private(&folder).map_err(|source| CacheError::Write { path: folder.clone(), source })?;
        Trust::OWN
            .check(&folder)
            .map_err(|doubt| CacheError::Untrusted { path: folder.clone(), reason: doubt.to_string() })?;
        Ok(Download { folder })
    }
}

impl Download {
    /// The piece with this digest, if it has arrived. Whether it is whole is left to the caller.
    pub fn piece(&self, digest: &Sha256Digest) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(digest.to_string())).ok()
    }

    /// Keeps a piece that has arrived.
    pub fn keep(&self, digest: &Sha256Digest, bytes: &[u8]) -> Result<(), CacheError> {
        let path = self.folder.join(digest.to_string());
        write_atomically(&path, bytes).map_err(|source| CacheError::Write { path, source })
    }

    /// Removes everything that has arrived, now that it has been put together.
    pub fn finish(self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.folder)
    }
}
