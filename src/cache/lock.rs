//! One builder per key.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::{Cache, CacheError};
use crate::key::Key;

/// The right to build a key; given up when dropped, and by the system when its holder dies.
#[derive(Debug)]
pub struct BuildLock {
    /// Held until dropped. Absent on a filesystem without locks: there, two builders both build, and the
    /// second to commit finds the first's entry.
    _file: Option<File>,
}

impl Cache {
    /// Takes the right to build `key`; `None` while somebody else has it.
    pub fn try_lock(&self, key: &Key) -> Result<Option<BuildLock>, CacheError> {
        let path = self.folder("locks").join(key.to_string());
        let file = open_private(&path).map_err(|source| CacheError::Write { path, source })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(BuildLock { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(_)) => Ok(Some(BuildLock { _file: None })),
        }
    }
}

/// Opens a file for locking; its content does not matter.
pub(super) fn open_private(path: &PathBuf) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}
