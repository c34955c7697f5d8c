//! Where repo2docker, which builds Binder's containers, looks for things in a repository.

use std::path::{Path, PathBuf};

/// The folder that it takes the project, `postBuild` and all else from: `.binder/` or `binder/` if there is one, else the
/// repository's own (`binder_dir` in its `buildpacks/base.py`).
pub fn folder(repository: &Path) -> PathBuf {
    let folders = [".binder", "binder"].map(|name| repository.join(name));
    folders.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| repository.to_owned())
}
