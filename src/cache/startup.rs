//! A startup package as part of an entry.
//!
//! Julia's caches know their sources by path, and an entry moves when it is committed. So the sources, which are the same for every
//! project, lie in the cache's own `startup/`, under the digest of what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::contents::Contents;
use super::image_file::ImageFile;
use super::{Cache, CacheError, create_private, read_json, write_atomically};
use crate::file::{Stamp, copy_file, set_mode};
use crate::julia::Driver;
use crate::startup::{KnownCaches, SOURCES, package_of};
use crate::uuid::Uuid;
use crate::world::{Here, ReadFile};

/// The folder of a startup package in its entry, and of the sources in the cache.
pub(super) const FOLDER: &str = "startup";

/// What the groups of a startup package rest on, in its folder.
const RESTS_ON: &str = "rests-on.json";

/// The time of change of every source. Caches compare it, so that it must be the same whenever they are written.
const SOURCES_CHANGED: Duration = Duration::from_secs(1_700_000_000);

/// A startup package as it was when it was committed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StartupFiles {
    /// Its files, named within the entry.
    pub files: Vec<ImageFile>,
    /// The sources that its caches know.
    #[serde(default)]
    sources: Vec<KnownFile>,
    /// The native code of the packages that it rests on: Julia judges by their caches whether a group fits. (It changes the time of the caches
    /// themselves whenever it loads them.)
    #[serde(default)]
    rests_on: Vec<KnownCache>,
    /// The groups.
    #[serde(default)]
    groups: Vec<StartupGroup>,
}

/// A file outside of the entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownFile {
    path: PathBuf,
    stamp: Stamp,
}

/// What a package's cache was when a group was built that rests on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownCache {
    #[serde(flatten)]
    code: KnownFile,
    /// What it was compiled from: as soon as that is another, Julia precompiles the package again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<ReadFile>,
}

/// A group of a startup package.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartupGroup {
    /// The identity of its package.
    pub uuid: Uuid,
    /// The names of the packages that it waits for.
    pub packages: Vec<String>,
    /// Its cache, within the startup package's folder.
    pub cache: PathBuf,
    /// Where what it rests on is in the list.
    rests_on: Vec<usize>,
}

/// What all groups rest on, as the build found it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Foundation {
    /// For each group, what it rests on.
    pub groups: Vec<RestsOn>,
    /// The files that each of the caches was compiled from, but for those that the key covers.
    pub files: BTreeMap<PathBuf, Vec<ReadFile>>,
}

/// What a group rests on, as the build found it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestsOn {
    /// The identity of its package.
    pub uuid: Uuid,
    /// The names of the packages that it waits for.
    pub packages: Vec<String>,
    /// Its cache, within the startup package's folder.
    pub cache: PathBuf,
    /// The caches of the packages that are loaded with these.
    pub caches: Vec<PathBuf>,
}

impl Cache {
    /// The folder with the sources of startup packages; makes it.
    pub fn startup_sources(&self) -> Result<PathBuf, CacheError> {
        let folder = sources_in(self);
        let write = || -> io::Result<()> {
            create_private(&folder)?;
            let is_there = |source: &Driver| {
                let path = source.path_in(&folder);
                let changed = path.metadata().and_then(|metadata| metadata.modified());
                changed.is_ok_and(|time| time == SystemTime::UNIX_EPOCH + SOURCES_CHANGED)
                    && std::fs::read(path).is_ok_and(|text| text == source.text.as_bytes())
            };
            for source in SOURCES.iter().filter(|source| !is_there(source)) {
                let path = source.path_in(&folder);
                write_atomically(&path, source.text.as_bytes())?;
                let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + SOURCES_CHANGED);
                File::options().append(true).open(&path)?.set_times(times)?;
            }
            Ok(())
        };
        write().map_err(|source| CacheError::Write { path: folder.clone(), source })?;
        Ok(folder)
    }
}

/// The folder with the sources of startup packages in a cache.
pub(super) fn sources_in(cache: &Cache) -> PathBuf {
    cache.folder(FOLDER).join(format!("{:.32}", Driver::digest_of(SOURCES)))
}

/// Keeps with a startup package what its groups rest on.
pub fn keep_rests_on(folder: &Path, rests_on: &Foundation) -> io::Result<()> {
    std::fs::write(folder.join(RESTS_ON), serde_json::to_vec(rests_on)?)
}

/// The startup package in the entry that is being written in `folder`, if it has one.
pub(super) fn files(folder: &Path, sources: &Path, contents: &Contents) -> io::Result<Option<StartupFiles>> {
    if !folder.join(FOLDER).exists() {
        return Ok(None);
    }
    let own = contents.0.iter().filter(|(name, _)| name.starts_with(FOLDER));
    let files = own.map(|(name, record)| {
        let stamp = Stamp::of(&folder.join(name))?;
        let name = name.to_str().ok_or_else(|| io::Error::other("a file's name is no text"))?;
        Ok(ImageFile { name: name.to_owned(), stamp, sha256: record.sha256 })
    });
    let sources = SOURCES.iter().map(|source| KnownFile::of(source.path_in(sources)));
    let mut startup = StartupFiles {
        files: files.collect::<io::Result<_>>()?,
        sources: sources.collect::<io::Result<_>>()?,
        ..StartupFiles::default()
    };
    let Foundation { groups, mut files } = read_json(&folder.join(FOLDER).join(RESTS_ON))?;
    for RestsOn { uuid, packages, cache, caches } in groups {
        let mut rests_on = Vec::new();
        for cache in caches {
            let path = cache.with_extension(std::env::consts::DLL_EXTENSION);
            let known = startup.rests_on.iter().position(|known| known.code.path == path);
            rests_on.push(match known {
                Some(known) => known,
                None => {
                    let files = files.remove(&cache).unwrap_or_default();
                    startup.rests_on.push(KnownCache { code: KnownFile::of(path)?, files });
                    startup.rests_on.len() - 1
                }
            });
        }
        startup.groups.push(StartupGroup { uuid, packages, cache, rests_on });
    }
    Ok(Some(startup))
}

impl KnownFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let stamp = Stamp::of(&path)?;
        Ok(Self { path, stamp })
    }

    fn is_as_it_was(&self) -> bool {
        Stamp::of(&self.path).is_ok_and(|stamp| stamp.same_content(&self.stamp))
    }
}

impl KnownCache {
    /// Why Julia does not take it any more, if so.
    fn difference(&self, here: &Here<'_>) -> Option<String> {
        let path = &self.code.path;
        if !(self.code.is_as_it_was() && here.depots().have(path)) {
            return Some(format!("what Julia precompiled for {} changed", package_of(path)));
        }
        // The copies are for times that are other ones where the content is the same, which are not kept.
        self.files.iter().find_map(|file| file.clone().compare(here).err())
    }
}

impl StartupFiles {
    /// The sources outside of the entry that must be as they were.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&Path, &Stamp)> {
        self.sources.iter().map(|source| (source.path.as_path(), &source.stamp))
    }

    /// Which groups Julia would not load here, and why: a package that they rest on was precompiled again since, its cache is not in these
    /// depots, or Julia takes another one.
    pub(super) fn stale(&self, here: &Here<'_>) -> StaleGroups {
        let mut changes: Vec<Option<String>> =
            self.rests_on.iter().map(|known| known.difference(here)).collect();
        // What a package brings along Julia takes as that was built with it. So what counts is which one it takes of those that a session loads.
        let caches = self.rests_on.iter().map(|known| known.code.path.as_path());
        let caches = KnownCaches::new(here.depots(), here.julia().differences(), caches);
        let mut instead: BTreeMap<usize, Option<PathBuf>> = BTreeMap::new();
        let mut is_stale = |group: &&StartupGroup| {
            let mut is_stale = false;
            for at in &group.rests_on {
                let Some((known, change)) = self.rests_on.get(*at).zip(changes.get(*at)) else { return true };
                is_stale |= change.is_some();
                if change.is_none() && group.packages.contains(&package_of(&known.code.path)) {
                    let instead =
                        instead.entry(*at).or_insert_with(|| caches.taken_instead(&known.code.path));
                    is_stale |= instead.is_some();
                }
            }
            is_stale
        };
        let groups = self.groups.iter().filter(&mut is_stale).map(|group| group.uuid).collect();
        let mut packages = BTreeSet::new();
        for (at, other) in instead {
            let Some(other) = other else { continue };
            let name = other.file_name().unwrap_or_default().to_string_lossy();
            let package = package_of(&other);
            changes[at] = Some(format!("Julia took to another cache of {package} ({name})"));
        }
        for (known, _) in self.rests_on.iter().zip(&changes).filter(|(_, change)| change.is_some()) {
            packages.insert(package_of(&known.code.path));
        }
        let changes = changes.into_iter().flatten().collect();
        StaleGroups { groups, of: self.groups.len(), packages, changes }
    }

    /// The groups that can be taken over, each with its cache, within the startup package's folder.
    pub(super) fn fresh_groups(&self, here: &Here<'_>) -> BTreeMap<Uuid, PathBuf> {
        let stale = self.stale(here).groups;
        let fresh = self.groups.iter().filter(|group| !stale.contains(&group.uuid));
        fresh.map(|group| (group.uuid, group.cache.clone())).collect()
    }
}

/// The groups of a startup package that Julia would not load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaleGroups {
    /// The identities of their packages.
    pub groups: Vec<Uuid>,
    /// How many groups there are in all.
    pub of: usize,
    /// The names of the packages that changed.
    pub packages: BTreeSet<String>,
    /// Why: what changed, one sentence's beginning each.
    pub changes: Vec<String>,
}

impl StaleGroups {
    /// Whether nothing of the startup package can be used.
    pub fn is_all(&self) -> bool {
        self.of > 0 && self.groups.len() == self.of
    }
}

/// Takes everybody else's rights to the files in a folder, which Julia and its linker gave by the umask.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    for file in WalkDir::new(folder) {
        let file = file?;
        set_mode(file.path(), if file.file_type().is_dir() { 0o700 } else { 0o600 })?;
    }
    Ok(())
}

/// Copies a folder with the files' times of change.
pub(super) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for file in WalkDir::new(from) {
        let file = file?;
        let target = to.join(file.path().strip_prefix(from).unwrap_or(file.path()));
        if file.file_type().is_dir() {
            create_private(&target)?;
        } else {
            copy_file(file.path(), &target)?;
        }
    }
    Ok(())
}
