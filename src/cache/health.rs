//! Whether an entry is still what was committed: every file read and compared.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path};

use walkdir::WalkDir;

use super::contents::{self, Contents};
use super::entry::{HEADER, OWN, WORLD};
use super::{Cache, Entry, FORMAT, Unusable, read_json, sessions};
use crate::file::Sha256Digest;
use crate::key::Key;
use crate::report::SCHEMA;

/// Files and folders that change in an entry's life.
const CHANGING: &[&str] = &["cpus", "used", WORLD, HEADER, contents::FILE];

/// Those that come when the entry is committed already: what is precompiled for sessions, with its logs, and what is beside an image for the project's own packages,
/// which is an entry of its own.
const LATER: &[&str] = &[
    sessions::FILE,
    "logs/precompile-repl.log",
    "logs/precompile-sessions.log",
    "logs/precompile-pkg.log",
    OWN,
];

impl Cache {
    /// Reads every file of the entry of `key` and says what is wrong, one sentence each.
    pub fn problems(&self, key: &Key) -> Vec<String> {
        match self.entry_as_is(key) {
            Ok(entry) => entry.problems(key),
            Err(Unusable::Missing) => Vec::new(),
            Err(unusable) => vec![unusable.to_string()],
        }
    }

    /// The same for what the entry has beside its image for the project's own packages.
    pub fn problems_beside(&self, key: &Key) -> Vec<String> {
        let Ok(entry) = self.entry_as_is(key) else { return Vec::new() };
        let folder = entry.folder().join(OWN);
        if !folder.exists() {
            return Vec::new();
        }
        let problems = match Entry::read(folder, entry.trust()) {
            Ok(beside) => beside.problems(key),
            Err(unusable) => vec![unusable.to_string()],
        };
        problems.into_iter().map(|problem| format!("in {OWN}: {problem}")).collect()
    }

    /// Removes what the entry has beside its image, which the next build makes again.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove_beside(&self, key: &Key) -> io::Result<()> {
        let Ok(entry) = self.entry_as_is(key) else { return Ok(()) };
        std::fs::remove_dir_all(entry.folder().join(OWN))
    }
}

impl Entry {
    fn problems(&self, key: &Key) -> Vec<String> {
        debug_assert_eq!(self.header.format, FORMAT);
        let mut problems = Vec::new();
        if self.header.key != *key {
            problems.push(format!("{} describes another entry", self.folder().join(HEADER).display()));
        }
        match self.key_inputs() {
            Ok(inputs) if inputs.key() == *key => {}
            Ok(_) => problems.push("key.json has other inputs than the key was made of".to_owned()),
            Err(error) => problems.push(format!("key.json cannot be read: {error}")),
        }
        match self.report() {
            Ok(report) if report.schema == SCHEMA => {}
            Ok(report) => problems.push(format!("report.json has the unknown schema {}", report.schema)),
            Err(error) => problems.push(format!("report.json cannot be read: {error}")),
        }
        if let Err(error) = self.world() {
            problems.push(format!("{WORLD} cannot be read: {error}"));
        }
        match read_json::<Contents>(&self.folder().join(contents::FILE)) {
            Ok(contents) => self.compare(&contents, &mut problems),
            Err(error) => problems.push(format!("{} cannot be read: {error}", contents::FILE)),
        }
        self.check_owners(&mut problems);
        if let Err(Unusable::Damaged(problem)) = Self::open(self.folder().to_owned(), self.trust())
            && problems.is_empty()
        {
            problems.push(problem);
        }
        problems
    }

    fn compare(&self, contents: &Contents, problems: &mut Vec<String>) {
        for (name, record) in &contents.0 {
            if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                problems.push(format!("{} names {}, which is outside", contents::FILE, name.display()));
                continue;
            }
            let path = self.folder().join(name);
            let problem = match path.symlink_metadata() {
                Err(error) => format!("cannot be read: {error}"),
                Ok(metadata) if !metadata.is_file() => "is not a regular file".to_owned(),
                Ok(metadata) if metadata.len() != record.size => {
                    format!("has {} bytes instead of {}", metadata.len(), record.size)
                }
                Ok(_) => match Sha256Digest::of_file(&path) {
                    Ok(digest) if digest == record.sha256 => continue,
                    Ok(_) => "has another content than what was committed".to_owned(),
                    Err(error) => format!("cannot be read: {error}"),
                },
            };
            problems.push(format!("{} {problem}", name.display()));
        }
        if let Some(image) = &self.header.image
            && contents.0.get(Path::new(&image.name)).is_none_or(|record| record.sha256 != image.sha256)
        {
            problems.push(format!("{HEADER} and {} do not agree about the image", contents::FILE));
        }
        let known: BTreeSet<&Path> = contents.0.keys().map(|name| name.as_path()).collect();
        for file in self.files().filter(|file| file.file_type().is_file()) {
            let name = file.path().strip_prefix(self.folder()).unwrap_or(file.path());
            let changes = CHANGING.iter().chain(LATER).any(|changing| name.starts_with(changing));
            if !changes && !known.contains(name) {
                problems.push(format!("{} was not there when it was committed", name.display()));
            }
        }
    }

    fn check_owners(&self, problems: &mut Vec<String>) {
        for file in self.files() {
            if let Err(doubt) = self.trust().check(file.path()) {
                problems.push(doubt.to_string());
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = walkdir::DirEntry> {
        WalkDir::new(self.folder()).sort_by_file_name().into_iter().flatten()
    }
}
