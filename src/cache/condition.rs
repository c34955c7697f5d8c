//! Whether the cache can be used, found out without writing to it.

use std::path::{Path, PathBuf};

use super::trust::Trust;
use super::{Cache, CacheError};
use crate::file::room_in;
use crate::world::is_noexec;

/// What the cache's folders are like.
#[derive(Debug)]
pub struct Condition {
    /// Why a build could not use the user's own folder, if so.
    pub problem: Option<CacheError>,
    /// Shared caches, each with why nothing in it is used, if so.
    pub shared: Vec<(PathBuf, Option<String>)>,
}

impl Cache {
    /// Looks at the user's own folder, as [`Cache::prepare`] would, and at shared ones.
    pub fn condition(&self) -> Condition {
        let shared = self
            .shared
            .iter()
            .map(|root| (root.clone(), Trust::of_shared(root).err().map(|doubt| doubt.to_string())));
        Condition { problem: self.problem(), shared: shared.collect() }
    }

    /// How many bytes can be written to its disk, where the system says.
    pub fn free_bytes(&self) -> Option<u64> {
        room_in(self.nearest_folder())
    }

    /// A folder that is not there yet is made in the nearest one that is.
    fn nearest_folder(&self) -> &Path {
        self.root.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
    }

    fn problem(&self) -> Option<CacheError> {
        use nix::unistd::{AccessFlags, access};
        let there = self.nearest_folder();
        let write = |source: std::io::Error| CacheError::Write { path: there.to_owned(), source };
        if !there.is_dir() {
            return Some(write(std::io::ErrorKind::NotADirectory.into()));
        }
        if let Err(error) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
            return Some(write(error.into()));
        }
        if is_noexec(there) {
            return Some(CacheError::NoExec { path: there.to_owned() });
        }
        if let Err(error @ CacheError::Percent { .. }) = self.check_for_builds() {
            return Some(error);
        }
        // Folders that are yet to be made will be private.
        let doubt = Trust::OWN.check(there).err().filter(|_| there == self.root)?;
        Some(CacheError::Untrusted { path: there.to_owned(), reason: doubt.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache(root: &Path) -> Cache {
        Cache { root: root.to_owned(), shared: vec![root.join("shared")] }
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        assert!(cache.condition().problem.is_none());
        assert!(cache.free_bytes().is_some_and(|bytes| bytes > 0));
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(cache.condition().problem, Some(CacheError::Untrusted { .. })));
    }

    #[test]
    fn a_folder_that_is_not_there_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("depot/jlsys");
        assert!(cache(&root).condition().problem.is_none());
        assert!(!folder.path().join("depot").exists(), "nothing is written");
        std::fs::write(folder.path().join("depot"), "").unwrap();
        assert!(matches!(cache(&root).condition().problem, Some(CacheError::Write { .. })));
    }

    #[test]
    fn a_shared_cache_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let condition = cache(folder.path()).condition();
        assert_eq!(condition.shared[0].0, folder.path().join("shared"));
        assert!(condition.shared[0].1.is_some());
    }
}
