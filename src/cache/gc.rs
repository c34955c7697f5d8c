//! Keeping the cache within bounds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::listing::Damaged;
use super::mapped::MappedFiles;
use super::trust::Trust;
use super::{Cache, CacheError, Entry, ListedEntry, measured, read_json, targets, usage};
use crate::key::Key;

/// What the cache may hold. Without any limit it may hold everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The size of all entries together, in bytes.
    pub max_size: Option<u64>,
    /// How long ago an entry may have been used last.
    pub max_age: Option<Duration>,
    /// How many entries of one project there may be.
    pub keep: Option<usize>,
}

/// An entry that is over a limit.
#[derive(Debug, Clone)]
pub struct Over {
    /// The entry.
    pub entry: Entry,
    /// Why it goes, or why it stays all the same, as a sentence without its end.
    pub reason: String,
}

/// The entries that are over a limit.
#[derive(Debug, Default)]
pub struct Collection {
    /// Those that are to go, or went.
    pub going: Vec<Over>,
    /// Those that stay, being in use.
    pub staying: Vec<Over>,
}

impl Limits {
    /// Which of the user's own `entries` (the one used last first) are over a limit.
    fn exceeded_by(self, entries: &[ListedEntry], now: Timestamp) -> Vec<Over> {
        let mut over = Vec::new();
        let mut per_project: BTreeMap<&Path, usize> = BTreeMap::new();
        let mut size = 0;
        for ListedEntry { entry, last_used } in entries {
            let header = &entry.header;
            let of_project = per_project.entry(&header.project).or_default();
            let age = now.duration_since(*last_used);
            let is_old = self
                .max_age
                .is_some_and(|limit| SignedDuration::try_from(limit).is_ok_and(|limit| age > limit));
            let reason = if is_old {
                Some("it was not used for longer than the greatest age".to_owned())
            } else if self.keep.is_some_and(|keep| *of_project >= keep) {
                Some(format!("its project has {of_project} that were used later"))
            } else if self.max_size.is_some_and(|limit| size + header.bytes > limit) {
                Some("the ones used later fill the greatest size".to_owned())
            } else {
                None
            };
            match reason {
                Some(reason) => over.push(Over { entry: entry.clone(), reason }),
                None => {
                    *of_project += 1;
                    size += header.bytes;
                }
            }
        }
        over
    }
}

impl Cache {
    /// Which of the user's own entries are over a limit.
    pub fn over(&self, limits: Limits) -> Collection {
        let mut own: Vec<_> =
            self.list().entries.into_iter().filter(|listed| listed.entry.is_own()).collect();
        own.sort_by_key(|listed| Reverse((listed.last_used, listed.entry.header.created)));
        let over = limits.exceeded_by(&own, Timestamp::now());
        let mut collection = Collection::default();
        if over.is_empty() {
            return collection;
        }
        let mapped = MappedFiles::detect();
        for Over { entry, reason } in over {
            match in_use(&entry, &mapped) {
                None => collection.going.push(Over { entry, reason }),
                Some(reason) => collection.staying.push(Over { entry, reason }),
            }
        }
        collection
    }

    /// Removes the entries that are to go. What cannot be removed is among those that stay, afterwards.
    pub fn collect(&self, collection: &mut Collection) {
        let mapped = MappedFiles::detect();
        for over in std::mem::take(&mut collection.going) {
            match self.remove_unless(&over.entry.header.key, &mapped) {
                Ok(()) => collection.going.push(over),
                Err(error) => {
                    collection.staying.push(Over { entry: over.entry, reason: error.to_string() });
                }
            }
        }
    }

    /// Removes an entry of the user's own that is not being built, and that no running process has mapped unless `force`.
    pub fn remove(&self, key: &Key, force: bool) -> Result<(), CacheError> {
        let mapped = if force { MappedFiles::default() } else { MappedFiles::detect() };
        self.remove_unless(key, &mapped)
    }

    fn remove_unless(&self, key: &Key, mapped: &MappedFiles) -> Result<(), CacheError> {
        let folder = self.entry_folder(key);
        if !folder.exists() {
            return Err(CacheError::NotOwn { key: key.short() });
        }
        if let Ok(entry) = Entry::read(folder.clone(), Trust::OWN)
            && is_mapped(&entry, mapped)
        {
            return Err(CacheError::Mapped { key: key.short() });
        }
        let Some(_lock) = self.try_lock(key)? else {
            return Err(CacheError::BeingBuilt { key: key.short() });
        };
        self.discard(&folder)?;
        // A later build may have failed at being as good.
        self.forget_failure(key);
        Ok(())
    }

    /// Removes a folder that is no entry.
    pub fn remove_damaged(&self, damaged: &Damaged) -> Result<(), CacheError> {
        self.discard(&damaged.folder)
    }

    /// Removes failures that are older than `max_age`, traces that were not used for that long, and what is known of projects and Julias that are gone.
    pub fn forget_the_past(&self, max_age: Option<Duration>) {
        let is_old = |path: &Path| {
            let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
            let age = changed.ok().and_then(|time| time.elapsed().ok());
            max_age.is_some_and(|limit| age.is_some_and(|age| age > limit))
        };
        for folder in children(&self.folder("failures")).filter(|folder| is_old(folder)) {
            let _ = self.discard(&folder);
        }
        if let Some(max_age) = max_age {
            self.bound_traces(max_age, u64::MAX);
            self.bound_logs(max_age);
        }
        let records = ["projects", "probes", targets::FOLDER, measured::FOLDER];
        let records = records.map(|name| children(&self.folder(name)));
        for record in records.into_iter().flatten() {
            // One that cannot be read is from another version, or is nothing of jlsys's.
            if read_json::<Subject>(&record).is_ok_and(|subject| !subject.path.exists()) {
                let _ = std::fs::remove_file(record);
            }
        }
        self.sweep();
    }

    /// Moves a folder out of sight before it is removed, so that nobody sees half of it.
    pub(super) fn discard(&self, folder: &Path) -> Result<(), CacheError> {
        let write = |source| CacheError::Write { path: folder.to_owned(), source };
        let staging = self.stage()?;
        std::fs::rename(folder, staging.work().join("removed")).map_err(write)?;
        drop(staging);
        Ok(())
    }
}

/// What a record in `projects/`, `probes/`, `targets/` or `measured/` is about.
#[derive(Deserialize)]
struct Subject {
    #[serde(alias = "project_file", alias = "command")]
    path: PathBuf,
}

/// Why an entry must not go now, if there is a reason.
fn in_use(entry: &Entry, mapped: &MappedFiles) -> Option<String> {
    if is_mapped(entry, mapped) {
        return Some("a running Julia uses it".to_owned());
    }
    // Between `run`'s look at the image and Julia's own there is a moment in which nothing shows.
    let age = Timestamp::now().duration_since(entry.last_used());
    (age.unsigned_abs() < usage::GRAIN).then(|| "it was used within the last hour".to_owned())
}

pub(super) fn is_mapped(entry: &Entry, mapped: &MappedFiles) -> bool {
    let startup = entry.header.startup.iter().flat_map(|startup| &startup.files);
    let startup = startup.map(|file| entry.folder().join(&file.name));
    entry.image().into_iter().chain(startup).any(|file| mapped.contains(&file))
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
