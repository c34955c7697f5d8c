//! Undoing what `install` did.

use std::path::PathBuf;

use super::list::KEPT;
use super::spec::FILE_NAME;
use super::{Found, JupyterFolders, KernelError, Kernels, State};

/// A kernelspec of ours that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether the one that was there before is back in its place.
    pub restored: bool,
}

/// Removes kernelspecs of ours: those with these names, or all. What they took the place of comes back.
///
/// # Errors
///
/// A name is unknown or not ours, or a file cannot be changed.
pub fn remove(folders: &JupyterFolders, names: &[String]) -> Result<Vec<Removed>, KernelError> {
    let kernels = Kernels::find(folders);
    let chosen: Vec<&Found> = if names.is_empty() {
        kernels.found.iter().filter(|kernel| kernel.state.mark().is_some()).collect()
    } else {
        names.iter().map(|name| kernels.named(name, kernels.visible())).collect::<Result<_, _>>()?
    };
    chosen.into_iter().map(remove_one).collect()
}

fn remove_one(kernel: &Found) -> Result<Removed, KernelError> {
    let Found { name, folder, .. } = kernel;
    let restored = match &kernel.state {
        State::Plain => {
            return Err(KernelError::NotOurs { name: name.clone(), folder: folder.clone() });
        }
        State::Ours(_) => {
            std::fs::remove_dir_all(folder).map_err(KernelError::file(folder))?;
            false
        }
        State::Replaced { .. } => {
            let file = folder.join(FILE_NAME);
            std::fs::rename(folder.join(KEPT), &file).map_err(KernelError::file(&file))?;
            true
        }
    };
    Ok(Removed { name: name.clone(), folder: folder.clone(), restored })
}
