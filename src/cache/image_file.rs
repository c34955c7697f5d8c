//! A file of an entry.

use serde::{Deserialize, Serialize};

use crate::file::{Sha256Digest, Stamp};

/// An image's file as it was when it was committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageFile {
    /// Its name within the entry.
    pub name: String,
    /// Its size and time of change.
    pub stamp: Stamp,
    /// Its content.
    pub sha256: Sha256Digest,
}
