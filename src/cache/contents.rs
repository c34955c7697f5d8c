//! What an entry's files are, so that each can be checked later.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::file::Sha256Digest;

/// The name of the file that lists the others.
pub(super) const FILE: &str = "contents.json";

/// Every file of an entry as it was when it was committed, by its path within the entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contents(pub BTreeMap<PathBuf, FileRecord>);

/// A file as it was when its entry was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub sha256: Sha256Digest,
}

impl Contents {
    /// The files in `folder` and below. Those whose content is `known` are not read.
    pub(super) fn of(folder: &Path, known: &BTreeMap<PathBuf, Sha256Digest>) -> io::Result<Self> {
        let mut contents = BTreeMap::new();
        for file in WalkDir::new(folder) {
            let file = file?;
            if !file.file_type().is_file() {
                continue;
            }
            let name = file.path().strip_prefix(folder).unwrap_or(file.path()).to_owned();
            let sha256 = match known.get(&name) {
                Some(digest) => *digest,
                None => Sha256Digest::of_file(file.path())?,
            };
            let record = FileRecord { size: file.metadata()?.len(), sha256 };
            contents.insert(name, record);
        }
        Ok(Self(contents))
    }

    /// The size of all of them, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|file| file.size).sum()
    }
}
