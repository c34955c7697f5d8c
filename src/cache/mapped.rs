//! Which images running processes use, without a daemon: the kernel lists the files that each process has mapped.
//!
//! That shows this user's processes (root's view shows all) on this machine. Elsewhere than on Linux nothing is seen,
//! and on local disks nothing has to be: a file that is removed stays until the last process that has it mapped ends.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The files that running processes have mapped.
#[derive(Debug, Default)]
pub(super) struct MappedFiles(BTreeSet<PathBuf>);

impl MappedFiles {
    #[cfg(target_os = "linux")]
    pub(super) fn detect() -> Self {
        use procfs::process::{MMapPath, all_processes};

        let mut files = BTreeSet::new();
        // Processes end while this looks, and other users' cannot be looked into.
        for process in all_processes().into_iter().flatten().flatten() {
            for map in process.maps().into_iter().flatten() {
                if let MMapPath::Path(path) = map.pathname {
                    files.insert(path);
                }
            }
        }
        Self(files)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn detect() -> Self {
        Self::default()
    }

    /// Whether a process has `path` mapped.
    pub(super) fn contains(&self, path: &std::path::Path) -> bool {
        // The kernel names files without symbolic links.
        path.canonicalize().is_ok_and(|path| self.0.contains(&path))
    }
}
