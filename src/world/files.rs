//! Files that were read while packages were compiled, and are not part of the key.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Here;
use crate::environment::Source;
use crate::file::{Sha256Digest, Stamp};
use crate::julia::Identity;
use crate::key::is_source;
use crate::uuid::Uuid;

/// A file, or a folder, as it was when it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadFile {
    /// The package that it lies in, or else that read it.
    package: Uuid,
    /// Its path in the package's folder; absolute when it is elsewhere.
    path: PathBuf,
    /// Whether Julia takes it for another when its time of change is another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_time: bool,
    /// What there was.
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "content")]
enum Content {
    /// Nothing.
    Absent,
    /// It changed while the image was built: what the image has of it is not known.
    Changed,
    /// This.
    Known { stamp: Stamp, sha256: Sha256Digest },
}

/// A larger file with another time of change is taken for another: reading it would take a start too long.
const LARGEST: u64 = 16 << 20;

impl ReadFile {
    /// Compares it with what is here. `Ok(true)`: its time of change is another, its content the same.
    pub fn compare(&mut self, here: &Here<'_>) -> Result<bool, String> {
        let path = match here.folder(self.package) {
            _ if self.path.is_absolute() => self.path.clone(),
            Some(folder) => folder.join(&self.path),
            None => return Err(self.say(here, "is gone")),
        };
        let today = Stamp::of(&path);
        match (&mut self.content, today) {
            (Content::Absent, Err(_)) => Ok(false),
            (Content::Absent, Ok(_)) => Err(self.say(here, "is new")),
            (Content::Changed, _) => Err(self.say(here, "changed while the image was built")),
            (Content::Known { .. }, Err(_)) => Err(self.say(here, "is gone")),
            (Content::Known { stamp, sha256 }, Ok(today)) => {
                if stamp.same_file(&today) && today.has_time() {
                    return Ok(false);
                }
                let is_same = !(self.by_time && today.has_time())
                    && today.size <= LARGEST
                    && digest(&path).is_ok_and(|today| today == *sha256);
                if !is_same {
                    return Err(self.say(here, "changed since it was read"));
                }
                let is_new = !stamp.same_file(&today);
                *stamp = today;
                Ok(is_new)
            }
        }
    }

    fn say(&self, here: &Here<'_>, what: &str) -> String {
        format!("{}: {} {what}", here.name(self.package), self.path.display())
    }
}

/// A file's content, or the names in a folder: those count where Julia is told to depend on one.
fn digest(path: &Path) -> io::Result<Sha256Digest> {
    if !path.is_dir() {
        return Sha256Digest::of_file(path);
    }
    let names = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Sha256Digest::of(names.join("\0".as_ref()).as_encoded_bytes()))
}

/// What is known of the sources of packages by path that an image was compiled from.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// Whether they are still the same.
    pub are_as_read: bool,
    /// When the newest of them had changed before it was read, in seconds since 1970.
    pub newest: i64,
}

/// The files that were read for an image, as `julia/reads.jl` lists them.
#[derive(Debug, Default)]
pub struct FilesRead(Vec<Line>);

#[derive(Debug, Clone, PartialEq)]
struct Line {
    package: Uuid,
    size: u64,
    mtime: i64,
    path: PathBuf,
    by_time: bool,
}

impl FilesRead {
    /// Reads the list.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(Line::parse).collect())
    }

    /// Takes in a line of `julia/groups.jl`, without its first word.
    pub fn add_judged(&mut self, line: &str) {
        let Some((judged, line)) = line.split_once('\t') else { return };
        self.0.extend(Line::parse(line).map(|line| Line { by_time: judged == "time", ..line }));
    }

    /// Those that the key does not cover, as they are now: it does not know the sources of packages that are `outside` of the image.
    pub fn beyond_the_key(&self, here: &Here<'_>, outside: impl Fn(Uuid) -> bool) -> Vec<ReadFile> {
        let mut files = BTreeMap::new();
        for line in &self.0 {
            if line.path.starts_with(&here.julia.facts.stdlib) {
                continue;
            }
            let (package, path) = self.place_of(line, here);
            // A checkout gives the code of a package by path other times.
            let counts_by_time = line.by_time && here.has_by_path(package);
            if counts_by_time || outside(package) || !is_covered(here, package, &path) {
                files.entry((package, path)).or_insert(line);
            }
        }
        let file = |((package, path), line): ((Uuid, PathBuf), &Line)| ReadFile {
            package,
            path,
            by_time: line.by_time,
            content: line.content(),
        };
        files.into_iter().map(file).collect()
    }

    /// Whether the sources of packages by path are now what they were when they were read.
    pub fn sources(&self, here: &Here<'_>) -> Sources {
        let is_own = |line: &&Line| {
            let (package, path) = self.place_of(line, here);
            here.has_by_path(package) && is_source(&path)
        };
        let own: Vec<&Line> = self.0.iter().filter(is_own).collect();
        let is_as_read = own.iter().all(|line| matches!(line.content(), Content::Known { .. }));
        Sources {
            are_as_read: is_as_read,
            newest: own.iter().map(|line| line.mtime).max().unwrap_or_default(),
        }
    }

    /// In which package's folder a file lies; elsewhere it is named by its whole path.
    fn place_of(&self, line: &Line, here: &Here<'_>) -> (Uuid, PathBuf) {
        let within = |uuid: Uuid| {
            let folder = here.folder(uuid)?;
            let real = || {
                line.path
                    .canonicalize()
                    .ok()?
                    .strip_prefix(folder.canonicalize().ok()?)
                    .map(Path::to_owned)
                    .ok()
            };
            let inside = line.path.strip_prefix(&folder).map(Path::to_owned).ok().or_else(real)?;
            Some((uuid, inside))
        };
        let others = self.0.iter().map(|line| line.package);
        std::iter::once(line.package)
            .chain(others)
            .find_map(within)
            .unwrap_or_else(|| (line.package, line.path.clone()))
    }
}

/// Whether a change of the file changes the key.
fn is_covered(here: &Here<'_>, package: Uuid, path: &Path) -> bool {
    if path.is_absolute() {
        return false;
    }
    match here.environment.package(package).map(|package| &package.source) {
        // What else is in the tree cannot be known: much is written beside it.
        Some(Source::Tree(_) | Source::Repo { .. }) => path.starts_with("src") || path.starts_with("ext"),
        Some(Source::Path(_)) => is_source(path),
        Some(Source::Stdlib) => true,
        None => false,
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, '\t');
        let identity: Identity = fields.next()?.parse().ok()?;
        let (size, mtime) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let path = fields.next()?.into();
        Some(Self { package: identity.package, size, mtime, path, by_time: false })
    }

    fn content(&self) -> Content {
        let known =
            || -> io::Result<(Stamp, Sha256Digest)> { Ok((Stamp::of(&self.path)?, digest(&self.path)?)) };
        match known() {
            // Folders have no size that Julia and everybody else agree about.
            Ok((stamp, sha256))
                if stamp.mtime == self.mtime && (stamp.size == self.size || self.path.is_dir()) =>
            {
                Content::Known { stamp, sha256 }
            }
            Err(_) if self.mtime == 0 && self.size == 0 => Content::Absent,
            _ => Content::Changed,
        }
    }
}
