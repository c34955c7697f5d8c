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
    /// Takes the right to build `key`. Calls `on_wait` once if somebody else has it, and waits until it is free.
    pub fn lock(&self, key: &Key, on_wait: impl FnOnce()) -> Result<BuildLock, CacheError> {
        let path = self.folder("locks").join(key.to_string());
        let file = open_private(&path).map_err(|source| CacheError::Write { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                on_wait();
                file.lock().map_err(|source| CacheError::Write { path, source })?;
            }
            Err(TryLockError::Error(_)) => return Ok(BuildLock { _file: None }),
        }
        Ok(BuildLock { _file: Some(file) })
    }
}

/// Opens a file for locking; its content does not matter.
pub(super) fn open_private(path: &PathBuf) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}
