//! Packages that were stuck, so that nobody waits for them again until that is asked for.

use super::{Cache, file_name_for, write_atomically};

/// The folder, with a file for what a package was stuck in, of a version with a Julia.
pub(super) const FOLDER: &str = "stuck";

/// What a package can be stuck in. The one need not mean the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StuckIn {
    /// Precompiling it.
    Precompiling,
    /// Loading it.
    Loading,
    /// Loading it in the process that writes an image.
    Writing,
}

impl StuckIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Precompiling, Self::Loading, Self::Writing];

    fn name_for(self, identity: &str) -> String {
        match self {
            Self::Precompiling => file_name_for(identity),
            Self::Loading => file_name_for(format!("{identity} loading")),
            Self::Writing => file_name_for(format!("{identity} writing")),
        }
    }
}

impl Cache {
    /// Whether this package, as `identity` tells it from others, was stuck.
    pub fn was_stuck(&self, identity: &str, place: StuckIn) -> bool {
        self.folder(FOLDER).join(place.name_for(identity)).exists()
    }

    /// Keeps that it was. What is not kept is waited for again.
    pub fn keep_stuck(&self, identity: &str, place: StuckIn) {
        let path = self.folder(FOLDER).join(place.name_for(identity));
        let _ = write_atomically(&path, identity.as_bytes());
    }

    /// Forgets that it was, wherever.
    pub fn forget_stuck(&self, identity: &str) {
        for place in StuckIn::ALL {
            let _ = std::fs::remove_file(self.folder(FOLDER).join(place.name_for(identity)));
        }
    }
}
