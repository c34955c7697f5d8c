//! Whether a file may be believed: an image is code that will be executed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file or folder is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// It belongs to somebody else than this user and root.
    Owner(PathBuf, u32),
    /// Others may write to it.
    Writable(PathBuf, u32),
    /// It cannot be looked at.
    Unreadable(PathBuf, String),
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Owner(path, owner) => write!(f, "{} belongs to another user (id {owner})", path.display()),
            Self::Writable(path, mode) => {
                write!(f, "others may write to {} (mode {:o})", path.display(), mode & 0o7777)
            }
            Self::Unreadable(path, error) => write!(f, "{} cannot be looked at: {error}", path.display()),
        }
    }
}

/// Checks that no other user could have written `path`: it is owned by this user or root, and only its owner may write
/// to it. Symbolic links are not followed: one in the cache was not put there by jlsys.
pub fn check(path: &Path) -> Result<(), Doubt> {
    let metadata =
        path.symlink_metadata().map_err(|error| Doubt::Unreadable(path.to_owned(), error.to_string()))?;
    let owner = metadata.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(Doubt::Owner(path.to_owned(), owner));
    }
    // The mode of a symbolic link says nothing.
    if metadata.mode() & 0o022 != 0 && !metadata.is_symlink() {
        return Err(Doubt::Writable(path.to_owned(), metadata.mode()));
    }
    Ok(())
}
