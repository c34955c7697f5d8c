//! Where repo2docker, which builds Binder's containers, looks for things in a repository.

use std::path::{Path, PathBuf};

/// The folders that it takes the project, `postBuild` and all else from, if there is one (`binder_dir` in its `buildpacks/base.py`).
const FOLDERS: [&str; 2] = [".binder", "binder"];

/// The folder that it takes the project, `postBuild` and all else from: `.binder/` or `binder/` if there is one, else the
/// repository's own.
pub fn folder(repository: &Path) -> PathBuf {
    let folders = FOLDERS.map(|name| repository.join(name));
    folders.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| repository.to_owned())
}

/// A wheel of this version of jlsys in the repository, as `postBuild` names it, which runs in the repository's folder.
pub fn wheel(repository: &Path) -> Option<String> {
    let folders = std::iter::once("").chain(FOLDERS);
    let wheels = folders.filter_map(|folder| {
        let files = std::fs::read_dir(repository.join(folder)).ok()?;
        let mut names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let is_ours = |name: &String| name.starts_with(&wheel_name("")) && name.ends_with(".whl");
        let name = names.find(is_ours)?;
        Some(Path::new(".").join(folder).join(name).display().to_string())
    });
    wheels.into_iter().next()
}

/// What `postBuild` is to install where there is none yet: the wheel that `pip wheel` makes of a clone of jlsys on Linux. There is no release, and
/// so nothing on an index.
pub fn wheel_to_come() -> String {
    format!("./{}.whl", wheel_name("py3-none-linux_x86_64"))
}

fn wheel_name(tags: &str) -> String {
    format!("jlsys-{}-{tags}", env!("CARGO_PKG_VERSION"))
}
