//! Which Julia kernelspecs there are.

use std::path::{Path, PathBuf};

use super::spec::FILE_NAME;
use super::{JupyterFolders, KernelError, KernelSpec, Mark};

/// Where the kernelspec that ours took the place of is kept, in the same folder.
pub(super) const KEPT: &str = "kernel.before-jlsys.json";

/// A Julia kernelspec.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The name that Jupyter knows it by: its folder's, in lower case.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What its `kernel.json` says.
    pub spec: KernelSpec,
    /// Whose it is.
    pub state: State,
    /// Whether another of the same name comes before it, so that Jupyter does not see it.
    pub hidden: bool,
}

/// Whose a kernelspec is.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It starts Julia directly.
    Plain,
    /// jlsys wrote it, into a folder of its own.
    Ours(Mark),
    /// jlsys wrote it in the place of another, which is kept.
    Replaced {
        /// What jlsys wrote into it.
        mark: Mark,
        /// The one that was there before.
        original: Box<KernelSpec>,
    },
}

impl State {
    /// What jlsys wrote into it, if it did.
    pub fn mark(&self) -> Option<&Mark> {
        match self {
            Self::Plain => None,
            Self::Ours(mark) | Self::Replaced { mark, .. } => Some(mark),
        }
    }
}

/// All Julia kernelspecs, in the order in which Jupyter searches.
#[derive(Debug, Default)]
pub struct Kernels {
    /// The kernelspecs.
    pub found: Vec<Found>,
    /// What could not be read.
    pub problems: Vec<KernelError>,
}

impl Kernels {
    /// Looks for them. A folder that is not there has none.
    pub fn find(folders: &JupyterFolders) -> Self {
        let mut kernels = Self::default();
        let mut names = std::collections::BTreeSet::new();
        for parent in folders.kernels() {
            let Ok(entries) = std::fs::read_dir(&parent) else { continue };
            let mut specs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            specs.sort();
            for folder in specs.into_iter().filter(|folder| folder.join(FILE_NAME).is_file()) {
                let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
                let name = name.to_lowercase();
                let hidden = !names.insert(name.clone());
                match read(&folder) {
                    Ok((spec, state)) if spec.is_julia() => {
                        kernels.found.push(Found { name, folder, spec, state, hidden });
                    }
                    Ok(_) => {}
                    Err(problem) => kernels.problems.push(problem),
                }
            }
        }
        kernels
    }

    /// Those that Jupyter sees.
    pub fn visible(&self) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(|kernel| !kernel.hidden)
    }

    /// Those that can be wrapped: what Jupyter sees, or would see if one of ours did not hide it.
    pub fn originals(&self) -> impl Iterator<Item = &Found> {
        let is_ours = |kernel: &Found| matches!(kernel.state, State::Ours(_));
        let hidden_by_ours =
            move |kernel: &Found| self.visible().any(|other| other.name == kernel.name && is_ours(other));
        self.found.iter().filter(move |kernel| !is_ours(kernel) && (!kernel.hidden || hidden_by_ours(kernel)))
    }

    /// The one of this name among some of them.
    pub(super) fn named<'a>(
        &'a self,
        name: &str,
        among: impl Iterator<Item = &'a Found>,
    ) -> Result<&'a Found, KernelError> {
        let among: Vec<&Found> = among.collect();
        among.iter().find(|kernel| kernel.name == name.to_lowercase()).copied().ok_or_else(|| {
            KernelError::Unknown {
                name: name.to_owned(),
                known: among.iter().map(|kernel| kernel.name.clone()).collect(),
            }
        })
    }
}

fn read(folder: &Path) -> Result<(KernelSpec, State), KernelError> {
    let spec = KernelSpec::read(&folder.join(FILE_NAME))?;
    let kept = folder.join(KEPT);
    let state = match Mark::of(&spec) {
        None => State::Plain,
        Some(mark) if kept.is_file() => {
            State::Replaced { mark, original: Box::new(KernelSpec::read(&kept)?) }
        }
        Some(mark) => State::Ours(mark),
    };
    Ok((spec, state))
}
