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

/// Whose files are believed.
///
/// An image is code, so in one's own cache only this user's files and root's are. Whoever names a shared cache in
/// `JLSYS_CACHE_PATH` believes its owner too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    shared_owner: Option<u32>,
}

impl Trust {
    /// For the user's own cache.
    pub const OWN: Self = Self { shared_owner: None };

    /// For a shared cache in the folder `root`, which the user named: its owner is believed as well.
    pub fn of_shared(root: &Path) -> Result<Self, Doubt> {
        let owner = look_at(root)?.uid();
        let trust = Self { shared_owner: Some(owner) };
        trust.check(root)?;
        Ok(trust)
    }

    /// Checks that nobody else could have written `path`: it is owned by somebody who is believed, and only its owner may
    /// write to it. Symbolic links are not followed: one in the cache was not put there by jlsys.
    pub fn check(self, path: &Path) -> Result<(), Doubt> {
        let metadata = look_at(path)?;
        let owner = metadata.uid();
        let is_believed =
            owner == 0 || owner == nix::unistd::geteuid().as_raw() || Some(owner) == self.shared_owner;
        if !is_believed {
            return Err(Doubt::Owner(path.to_owned(), owner));
        }
        // The mode of a symbolic link says nothing.
        if metadata.mode() & 0o022 != 0 && !metadata.is_symlink() {
            return Err(Doubt::Writable(path.to_owned(), metadata.mode()));
        }
        Ok(())
    }
}

fn look_at(path: &Path) -> Result<std::fs::Metadata, Doubt> {
    path.symlink_metadata().map_err(|error| Doubt::Unreadable(path.to_owned(), error.to_string()))
}
