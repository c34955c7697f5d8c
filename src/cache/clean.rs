//! Removing all that jlsys keeps.

use super::gc::{Collection, Over, is_mapped};
use super::mapped::MappedFiles;
use super::tidy::size_of;
use super::{Cache, CacheError, Entry, logs, measured, stuck, targets, traces};

/// What goes beside images: all that is known of workloads, projects and Julias. Locks and the sources of startup packages stay, a
/// few kilobytes: somebody may be building.
const RECORDS: &[&str] = &[
    traces::FOLDER,
    "failures",
    "projects",
    measured::FOLDER,
    logs::FOLDER,
    "probes",
    targets::FOLDER,
    "preferences",
    stuck::FOLDER,
];

impl Cache {
    /// All of the user's own entries: those that can go, and those that a running Julia has mapped, unless that does not matter
    /// (`force`); with what the rest takes in bytes.
    pub fn everything(&self, force: bool) -> (Collection, u64) {
        let mapped = if force { MappedFiles::default() } else { MappedFiles::detect() };
        let mut collection = Collection::default();
        for entry in self.list().entries.into_iter().map(|listed| listed.entry).filter(Entry::is_own) {
            match is_mapped(&entry, &mapped) {
                true => collection.staying.push(Over { entry, reason: "a running Julia uses it".to_owned() }),
                false => collection.going.push(Over { entry, reason: String::new() }),
            }
        }
        (collection, RECORDS.iter().map(|name| size_of(&self.folder(name))).sum())
    }

    /// Removes the entries that are to go, and all that is known beside them. What cannot be removed is among those that stay,
    /// afterwards.
    ///
    /// # Errors
    ///
    /// The cache cannot be written to.
    pub fn clean(&self, collection: &mut Collection, force: bool) -> Result<(), CacheError> {
        for over in std::mem::take(&mut collection.going) {
            match self.remove(&over.entry.header.key, force) {
                Ok(()) => collection.going.push(over),
                Err(error) => {
                    collection.staying.push(Over { entry: over.entry, reason: error.to_string() });
                }
            }
        }
        for damaged in self.list().damaged.iter().filter(|damaged| damaged.is_own) {
            self.remove_damaged(damaged)?;
        }
        for folder in RECORDS.iter().map(|name| self.folder(name)).filter(|folder| folder.exists()) {
            self.discard(&folder)?;
        }
        Ok(())
    }
}
