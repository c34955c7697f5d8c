//! A digest of the files that a path package is made of.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::file::Sha256Digest;

/// The sources of a package that is to go into the image cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the sources of {package} in '{}': {source}", .folder.display())]
pub struct SourcesError {
    package: String,
    folder: PathBuf,
    source: std::io::Error,
}

/// A digest of everything in the package's folder that can become code: names and contents, in the order of names.
///
/// Hidden files (`.git` above all), documentation and notebooks take no part. All else does, since a package may `include` or read
/// any of its files while it is compiled. Nested packages' own environments (`Manifest.toml` and the like) do too.
pub(super) fn digest(package: &str, folder: &Path) -> Result<Sha256Digest, SourcesError> {
    let fail = |source| SourcesError { package: package.to_owned(), folder: folder.to_owned(), source };
    let mut hasher = Sha256::new();
    let files = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(takes_part);
    for entry in files {
        let entry = entry.map_err(|error| fail(error.into()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        // A link that leads nowhere, a socket: nothing that code can come from.
        let Ok(content) = Sha256Digest::of_file(entry.path()) else { continue };
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(content.to_string());
    }
    hex::encode(hasher.finalize()).parse().map_err(|_| fail(std::io::Error::other("no digest")))
}

fn takes_part(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    let is_other = name.starts_with(b".")
        || entry.depth() == 1 && name == b"docs"
        // Jupyter saves them every few minutes, whatever they are a part of.
        || name.ends_with(b".ipynb");
    entry.depth() == 0 || !is_other
}
