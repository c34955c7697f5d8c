//! Depots: the folders that packages are installed in.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::package::{Package, Source, TreeHash};
use super::paths;

use crate::uuid::Uuid;
use crate::version::Version;

/// From this version on, an empty entry means the bundled depots without the user's (`init_depot_path`).
const BUNDLED_ONLY: (u32, u32) = (1, 11);

/// The depots, as `DEPOT_PATH` has them: the user's first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depots(Vec<PathBuf>);

/// What `JULIA_DEPOT_PATH` and its defaults are made of.
#[derive(Debug, Clone, Copy)]
pub struct DepotSettings<'a> {
    /// The value of `JULIA_DEPOT_PATH`.
    pub variable: Option<&'a OsStr>,
    /// The user's home folder: its `.julia` is the default user depot.
    pub home: Option<&'a Path>,
    /// The working folder, which relative entries are relative to.
    pub cwd: &'a Path,
    /// Julia's own depots; see [`bundled`].
    pub bundled: &'a [PathBuf],
    /// The Julia in use.
    pub julia: &'a Version,
}

/// The depots that come with Julia, given the folder of its executable (`append_bundled_depot_path!`).
pub fn bundled(bindir: &Path) -> Vec<PathBuf> {
    ["../local/share/julia", "../share/julia"].map(|depot| paths::resolve(bindir, Path::new(depot))).into()
}

impl Depots {
    /// Depots that are known already.
    pub fn new(depots: Vec<PathBuf>) -> Self {
        Self(depots)
    }

    /// The depots that a Julia process would have (`init_depot_path` in `base/initdefs.jl`).
    pub fn from_settings(settings: DepotSettings<'_>) -> Self {
        let user: Vec<PathBuf> = settings.home.map(|home| home.join(".julia")).into_iter().collect();
        let default = [user.as_slice(), settings.bundled].concat();
        let Some(variable) = settings.variable else {
            return Self(unique(default));
        };
        // Set but empty: no depot at all.
        if variable.is_empty() {
            return Self(Vec::new());
        }
        let bundled_only = (settings.julia.major, settings.julia.minor) >= BUNDLED_ONLY;
        let mut depots = Vec::new();
        let mut named = false;
        for entry in env::split_paths(variable) {
            if !entry.as_os_str().is_empty() {
                let entry = paths::expand_home(&entry, settings.home);
                depots.push(paths::resolve(settings.cwd, &entry));
                named = true;
            } else if bundled_only {
                depots.extend_from_slice(settings.bundled);
            } else {
                depots.extend_from_slice(&default);
            }
        }
        // `JULIA_DEPOT_PATH=:` still has the user's depot.
        if bundled_only && !named {
            depots.splice(0..0, user);
        }
        Self(unique(depots))
    }

    /// Their folders, in order.
    pub fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// Whether a file is in one of them.
    pub fn have(&self, file: &Path) -> bool {
        let is_in = |file: &Path, depot: &Path| file.starts_with(depot);
        if self.0.iter().any(|depot| is_in(file, depot)) {
            return true;
        }
        // A depot may be named in another way than when the file was found there.
        file.canonicalize().is_ok_and(|file| {
            self.0.iter().any(|depot| depot.canonicalize().is_ok_and(|depot| is_in(&file, &depot)))
        })
    }

    /// The folder of a package, if it is installed (`explicit_manifest_entry_path` in `base/loading.jl`).
    ///
    /// `stdlib_dir` is `Sys.STDLIB`. For a package by path this may be a lone file, as it may for Julia.
    pub fn package_dir(&self, package: &Package, stdlib_dir: &Path) -> Option<PathBuf> {
        let tree = match &package.source {
            Source::Stdlib => return existing(stdlib_dir.join(&package.name)),
            Source::Path(path) => return existing(path.clone()),
            Source::Tree(tree) | Source::Repo { tree, .. } => tree,
        };
        // Julia up to 1.2 used four characters, and such folders are still found.
        [5, 4].into_iter().find_map(|length| {
            let slug = version_slug(package.uuid, *tree, length);
            self.0
                .iter()
                .map(|depot| depot.join("packages").join(&package.name).join(&slug))
                .find(|folder| folder.exists())
        })
    }

    /// The file that `using` a package would load, if it is there (`entry_path` in `base/loading.jl`).
    pub fn entry_file(&self, package: &Package, stdlib_dir: &Path) -> Option<PathBuf> {
        let folder = self.package_dir(package, stdlib_dir)?;
        if folder.is_file() {
            return Some(folder);
        }
        let usual = Path::new("src").join(format!("{}.jl", package.name));
        let files = match &package.entry_file {
            // Before 1.12 what is `entryfile` now could be a folder with the package in it.
            Some(own) => vec![folder.join(own), folder.join(own).join(usual)],
            None => vec![folder.join(usual)],
        };
        files.into_iter().find(|file| file.is_file())
    }

    /// Those of the packages that Julia would not find.
    pub fn missing_packages<'a>(
        &self,
        packages: impl IntoIterator<Item = &'a Package>,
        stdlib_dir: &Path,
    ) -> Vec<&'a Package> {
        packages.into_iter().filter(|package| self.entry_file(package, stdlib_dir).is_none()).collect()
    }
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

/// Each path once, where it is first.
fn unique(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut unique = Vec::with_capacity(paths.len());
    for path in paths {
        if !unique.contains(&path) {
            unique.push(path);
        }
    }
    unique
}

/// The name of an installed package's folder (`Base.version_slug`).
///
/// A CRC-32C over the UUID, which Julia holds as one number and hashes as it lies in memory (least significant byte
/// first on every platform Julia supports), then over the tree; written in base 62, the lowest digit first.
pub fn version_slug(uuid: Uuid, tree: TreeHash, length: usize) -> String {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut memory = *uuid.as_bytes();
    memory.reverse();
    let mut rest = crc32c::crc32c_append(crc32c::crc32c(&memory), tree.as_bytes());
    let mut slug = String::with_capacity(length);
    for _ in 0..length {
        slug.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by `Base.version_slug(uuid, tree)` and `Base.version_slug(uuid, tree, 4)` of Julia 1.5.3.
    #[test]
    fn slugs_are_julias() {
        for (uuid, tree, slug) in [
            ("7876af07-990d-54b4-ab0e-23690620f79a", "46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc", "aqsx3"),
            ("7876af07-990d-54b4-ab0e-23690620f79a", "8eb7b4d4ca487caade9ba3e85932e28ce6d6e1f8", "kH44X"),
            ("34da2185-b29b-5c13-b0c7-acf172513d20", "3a3dfb30697e96a440e4149c8c51bf32f818c0f3", "t4ViZ"),
            ("a8cc5b0e-0ffa-5ad4-8c14-923d3ee1735f", "9f3adcb26c79d6270eb678f3c61bf44cc6b7077e", "4kzgG"),
            ("a93c6f00-e57d-5684-b7b6-d8193f3e46c0", "0000000000000000000000000000000000000000", "6yPbO"),
        ] {
            let (uuid, tree) = (uuid.parse().unwrap(), tree.parse().unwrap());
            assert_eq!(version_slug(uuid, tree, 5), slug);
            assert_eq!(version_slug(uuid, tree, 4), slug[..4]);
        }
    }
}
