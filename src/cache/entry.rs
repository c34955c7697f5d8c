//! A cached image with what is known of it.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FORMAT, REPORT, read_json, trust};
use crate::file::{Sha256Digest, Stamp};
use crate::key::{Key, KeyInputs};
use crate::report::{Report, Tier};
use crate::sysimage::HostCpu;

/// The part of an entry that starting Julia needs; small, since it is read at every start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntryHeader {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The key that the entry was built for.
    pub key: Key,
    /// How much of the plan it holds.
    pub tier: Tier,
    /// The image; absent at a tier without one.
    pub image: Option<ImageFile>,
    /// The CPU that it was tried on.
    pub tried_on: HostCpu,
    /// When it was committed.
    pub created: Timestamp,
}

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

/// A cached image that may be used.
#[derive(Debug, Clone)]
pub struct Entry {
    folder: PathBuf,
    /// What it is.
    pub header: EntryHeader,
}

/// Why there is no entry to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// There is none.
    Missing,
    /// There is one, and something is wrong with it.
    Damaged(String),
}

const HEADER: &str = "entry.json";
const KEY_INPUTS: &str = "key.json";

impl Entry {
    /// Opens the entry in `folder` and checks, by a few `stat`s, that its image is the one that was committed.
    pub(super) fn open(folder: PathBuf) -> Result<Self, Unusable> {
        let file = folder.join(HEADER);
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                return Err(Unusable::Missing);
            }
            Err(error) => {
                return Err(Unusable::Damaged(format!("{} cannot be read: {error}", file.display())));
            }
        };
        let header: EntryHeader = serde_json::from_slice(&text)
            .map_err(|_| Unusable::Damaged(format!("{} is not an entry's description", file.display())))?;
        if header.format != FORMAT {
            return Err(Unusable::Damaged(format!("another version of jlsys wrote {}", folder.display())));
        }
        let entry = Self { folder, header };
        entry.check_image()?;
        Ok(entry)
    }

    fn check_image(&self) -> Result<(), Unusable> {
        let damaged = |what: String| Err(Unusable::Damaged(what));
        let Some(image) = &self.header.image else { return Ok(()) };
        if Path::new(&image.name).components().count() != 1 || image.name.starts_with('.') {
            return damaged(format!("{} names an image outside of it", self.folder.display()));
        }
        let path = self.folder.join(&image.name);
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => return damaged(format!("{} cannot be read: {error}", path.display())),
        };
        if !metadata.is_file() {
            return damaged(format!("{} is not a regular file", path.display()));
        }
        if !Stamp::from(&metadata).same_content(&image.stamp) {
            return damaged(format!("{} is not the file that was built", path.display()));
        }
        for path in [&path, &self.folder] {
            if let Err(doubt) = trust::check(path) {
                return damaged(doubt.to_string());
            }
        }
        Ok(())
    }

    /// The image; none at a tier without one.
    pub fn image(&self) -> Option<PathBuf> {
        self.header.image.as_ref().map(|image| self.folder.join(&image.name))
    }

    /// The entry's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the build had to say.
    pub fn report(&self) -> io::Result<Report> {
        read_json(&self.folder.join(REPORT))
    }

    /// What the entry was built from.
    pub fn key_inputs(&self) -> io::Result<KeyInputs> {
        read_json(&self.folder.join(KEY_INPUTS))
    }

    /// Writes everything but the image into a folder that is to become an entry.
    pub(super) fn write(
        folder: &Path,
        header: &EntryHeader,
        inputs: &KeyInputs,
        report: &Report,
    ) -> io::Result<()> {
        std::fs::write(folder.join(KEY_INPUTS), serde_json::to_vec_pretty(inputs)?)?;
        std::fs::write(folder.join(REPORT), serde_json::to_vec_pretty(report)?)?;
        std::fs::write(folder.join(HEADER), serde_json::to_vec_pretty(header)?)
    }
}
