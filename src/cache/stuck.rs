//! Packages whose precompiling was stuck twice, so that nobody waits for it again until that is asked for.

use super::{Cache, file_name_for, write_atomically};

/// The folder, with a file a package, of a version with a Julia.
pub(super) const FOLDER: &str = "stuck";

impl Cache {
    /// Whether this package, as `identity` tells it from others, was stuck.
    pub fn was_stuck(&self, identity: &str) -> bool {
        self.folder(FOLDER).join(file_name_for(identity)).exists()
    }

    /// Keeps that it was. What is not kept is waited for again.
    pub fn keep_stuck(&self, identity: &str) {
        let path = self.folder(FOLDER).join(file_name_for(identity));
        let _ = write_atomically(&path, identity.as_bytes());
    }

    /// Forgets that it was.
    pub fn forget_stuck(&self, identity: &str) {
        let _ = std::fs::remove_file(self.folder(FOLDER).join(file_name_for(identity)));
    }
}
