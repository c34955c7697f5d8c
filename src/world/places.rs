//! Folders that packages keep: in a constant, or in their code.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Here;
use crate::julia::Identity;
use crate::plan::Plan;
use crate::uuid::Uuid;

/// A folder that can be another one for another user, machine or checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// That of a package.
    Package(Uuid),
    /// A depot.
    Depot,
    /// That of the project file.
    Project,
    /// The user's home.
    Home,
    /// That of Julia's executable.
    Julia,
    /// That of Julia's standard library.
    Stdlib,
}

/// A folder that packages in an image keep the name of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptPlace {
    /// What it is.
    pub place: Place,
    /// Where it was.
    pub path: PathBuf,
    /// Who keeps it.
    pub by: Vec<Keeper>,
}

/// A package that keeps a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// Its name.
    pub package: String,
    /// The first constant or function in which the place was found.
    pub at: String,
}

impl KeptPlace {
    /// Why what the packages keep is wrong here, if it is.
    pub(super) fn difference(&self, here: &Here<'_>) -> Option<String> {
        let today = match self.place {
            Place::Package(uuid) => here.folder(uuid),
            Place::Depot => {
                let is_there = here.depots.paths().iter().any(|depot| is_same(depot, &self.path));
                if is_there { return None } else { here.depots.paths().first().cloned() }
            }
            Place::Project => Some(here.environment.project_dir().to_owned()),
            Place::Home => here.home.clone(),
            Place::Julia => here.julia.facts.executable.parent().map(Path::to_owned),
            Place::Stdlib => Some(here.julia.facts.stdlib.clone()),
        };
        if today.as_deref().is_some_and(|today| is_same(today, &self.path)) {
            return None;
        }
        let keeper = self.by.first()?;
        let today = match today {
            Some(today) => format!("is {} now", today.display()),
            None => "is gone".to_owned(),
        };
        let what = match self.place {
            Place::Package(uuid) if here.name(uuid) == keeper.package => "its place, which".to_owned(),
            Place::Package(uuid) => format!("the place of {}, which", here.name(uuid)),
            Place::Depot => "the place of the depot, which".to_owned(),
            Place::Project => "the place of the project, which".to_owned(),
            Place::Home => "the place of the home folder, which".to_owned(),
            Place::Julia | Place::Stdlib => "the place of Julia, which".to_owned(),
        };
        Some(format!(
            "{} keeps {what} was {} when the image was built (in {}) and {today}",
            keeper.package,
            self.path.display(),
            keeper.at
        ))
    }
}

/// Whether two paths lead to one folder. Who keeps a name finds what is there, also by a link.
fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    a == b || id(a).is_some_and(|a| Some(a) == id(b))
}

/// The folders that are looked for in an image.
#[derive(Debug)]
pub struct Places {
    places: Vec<(Place, PathBuf)>,
    names: BTreeMap<Uuid, String>,
}

/// How the driver calls what is no harm.
const HARMLESS: &str = "-";

impl Places {
    /// Those that packages of `plan` can have seen when the image was written.
    pub fn of(here: &Here<'_>, plan: &Plan) -> Self {
        let packages = plan.packages.iter().filter(|package| !here.julia.has_base_module(package.uuid));
        let names: BTreeMap<Uuid, String> =
            packages.map(|package| (package.uuid, package.name.clone())).collect();
        let folders = names.keys().filter_map(|uuid| Some((Place::Package(*uuid), here.folder(*uuid)?)));
        let mut places: Vec<(Place, PathBuf)> = folders.collect();
        places.extend(here.depots.paths().iter().map(|depot| (Place::Depot, depot.clone())));
        let julia = &here.julia.facts;
        places.extend([
            (Place::Project, here.environment.project_dir().to_owned()),
            (Place::Stdlib, julia.stdlib.clone()),
        ]);
        places.extend(julia.executable.parent().map(|folder| (Place::Julia, folder.to_owned())));
        places.extend(here.home.clone().map(|home| (Place::Home, home)));
        Self { places, names }
    }

    /// Writes them as `julia/places.jl` reads them, with folders of jlsys's own, which are `harmless`.
    pub fn write(&self, file: &Path, harmless: &[&Path]) -> io::Result<()> {
        let mut lines = String::new();
        let mut line = |name: &str, path: &Path| {
            // A path that is no text, or `/`, is in no text of a package.
            if let Some(path) = path.to_str().filter(|path| path.len() > 1 && !path.contains(['\t', '\n'])) {
                // Writing to a string cannot fail.
                let _ = writeln!(lines, "{name}\t{path}");
            }
        };
        for folder in harmless {
            line(HARMLESS, folder);
        }
        for (index, (_, path)) in self.places.iter().enumerate() {
            line(&index.to_string(), path);
            // Packages may ask for the real path.
            if let Some(real) = path.canonicalize().ok().filter(|real| real != path) {
                line(&index.to_string(), &real);
            }
        }
        std::fs::write(file, lines)
    }

    /// What the driver found, with the address space; `None` when it did not come to its end.
    pub fn read(&self, results: &str) -> Option<(Vec<KeptPlace>, Option<u64>)> {
        let mut found: BTreeMap<Place, KeptPlace> = BTreeMap::new();
        let (mut address_space, mut is_complete) = (None, false);
        for line in results.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["end"] => is_complete = true,
                ["address-space", bytes] => address_space = bytes.parse().ok(),
                [identity, place, at, _text] => {
                    let identity: Identity = identity.parse().ok()?;
                    // Its own is meant where the code asks for it.
                    let (place, path) = match *place {
                        "own" => self.own(identity.package)?,
                        index => self.places.get(index.parse::<usize>().ok()?)?,
                    };
                    let package = self.names.get(&identity.package).cloned().unwrap_or_default();
                    let kept = found.entry(*place).or_insert_with(|| KeptPlace {
                        place: *place,
                        path: path.clone(),
                        by: Vec::new(),
                    });
                    if kept.by.iter().all(|keeper| keeper.package != package) {
                        kept.by.push(Keeper { package, at: (*at).to_owned() });
                    }
                }
                _ => return None,
            }
        }
        is_complete.then(|| (found.into_values().collect(), address_space))
    }

    fn own(&self, uuid: Uuid) -> Option<&(Place, PathBuf)> {
        self.places.iter().find(|(place, _)| *place == Place::Package(uuid))
    }

    /// What is to be taken for true when it could not be found out: every package keeps its place.
    pub fn all(&self) -> Vec<KeptPlace> {
        let kept = self.places.iter().filter_map(|(place, path)| {
            let Place::Package(uuid) = place else { return None };
            let keeper =
                Keeper { package: self.names.get(uuid)?.clone(), at: "it could not be looked at".to_owned() };
            Some(KeptPlace { place: *place, path: path.clone(), by: vec![keeper] })
        });
        kept.collect()
    }
}
