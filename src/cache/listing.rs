//! What is in the cache.

use std::cmp::Reverse;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Cache, Entry, IMAGES, Place, Unusable, folders_in};
use crate::key::Key;

/// Everything in `images/`.
#[derive(Debug, Default)]
pub struct Listing {
    /// The entries, the newest first.
    pub entries: Vec<ListedEntry>,
    /// Folders with something wrong: what, in words.
    pub damaged: Vec<Damaged>,
    /// How many entries an older or newer jlsys wrote.
    pub other_format: usize,
}

/// An entry in a list. Its files were not looked at.
#[derive(Debug, Clone)]
pub struct ListedEntry {
    /// The entry.
    pub entry: Entry,
    /// When it was last used, up to an hour.
    pub last_used: Timestamp,
}

/// A folder in `images/` that is no entry.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it is in the user's own cache.
    pub is_own: bool,
}

/// What a user's name for an entry leads to.
#[derive(Debug)]
pub enum Lookup {
    /// An entry, perhaps with something wrong.
    Entry(Key),
    /// A build that came to nothing.
    Failure(Key),
}

/// A name leads to no entry, or to several.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// Not the beginning of a key.
    #[error(
        "'{0}' is neither the beginning of a key (hexadecimal digits, see `jlsys cache list`) nor a folder or file"
    )]
    NoKey(String),
    /// No entry has it.
    #[error("no image in the cache has a key that begins with '{0}'; `jlsys cache list` shows what is there")]
    None(String),
    /// Several have it.
    #[error("the keys of {count} images begin with '{prefix}'; give more digits")]
    Several {
        /// What was asked for.
        prefix: String,
        /// How many there are.
        count: usize,
    },
}

impl Cache {
    /// Lists all entries, in shared caches too.
    pub fn list(&self) -> Listing {
        let mut listing = Listing::default();
        for place in self.places() {
            for folder in folders_in(&place.root.join(IMAGES)) {
                listing.add(folder, place);
            }
        }
        listing.entries.sort_by_key(|listed| Reverse((listed.entry.header.created, listed.entry.header.key)));
        listing
    }

    /// Finds the entry, or the failed build, whose key begins with `prefix`.
    pub fn look_up(&self, prefix: &str) -> Result<Lookup, LookupError> {
        let is_key = (1..=64).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_key {
            return Err(LookupError::NoKey(prefix.to_owned()));
        }
        for (folder, found) in [(IMAGES, Lookup::Entry as fn(Key) -> Lookup), ("failures", Lookup::Failure)] {
            let mut keys: Vec<Key> = self
                .places()
                .flat_map(|place| folders_in(&place.root.join(folder)))
                .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
                .filter(|key: &Key| key.to_string().starts_with(&prefix.to_ascii_lowercase()))
                .collect();
            keys.sort();
            keys.dedup();
            match keys.as_slice() {
                [] => {}
                [key] => return Ok(found(*key)),
                several => {
                    return Err(LookupError::Several { prefix: prefix.to_owned(), count: several.len() });
                }
            }
        }
        Err(LookupError::None(prefix.to_owned()))
    }

    /// The entry of a key without a look at its files: something may be wrong with it.
    pub fn entry_as_is(&self, key: &Key) -> Result<Entry, Unusable> {
        let mut folders = self.places().map(|place| (place.entry_folder(key), place.trust));
        let found = folders.find(|(folder, _)| folder.exists());
        found.map_or(Err(Unusable::Missing), |(folder, trust)| Entry::read(folder, trust))
    }
}

impl Listing {
    fn add(&mut self, folder: PathBuf, place: Place<'_>) {
        match Entry::read(folder.clone(), place.trust) {
            Ok(entry) => {
                let last_used = entry.last_used();
                self.entries.push(ListedEntry { entry, last_used });
            }
            Err(Unusable::OtherFormat(_)) => self.other_format += 1,
            Err(Unusable::Damaged(problem) | Unusable::Unmappable(problem)) => {
                let is_own = place.trust == super::Trust::OWN;
                self.damaged.push(Damaged { folder, problem, is_own });
            }
            // Removed since the folder was read; and what is another here is not looked at.
            Err(Unusable::Missing | Unusable::OtherWorld(_)) => {}
        }
    }
}
