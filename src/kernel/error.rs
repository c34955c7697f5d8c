//! What can be wrong with kernelspecs.

use std::path::PathBuf;

/// Why a kernelspec is not installed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// There is no Julia kernelspec.
    #[error(
        "no Julia kernelspec in {}: install IJulia (in Julia: `using Pkg; Pkg.add(\"IJulia\")`), or name its folder's parent in \
         JUPYTER_PATH",
        list(.folders)
    )]
    None {
        /// The folders that were looked into.
        folders: Vec<PathBuf>,
    },
    /// No kernelspec has this name.
    #[error("no Julia kernelspec is called '{name}'; there are: {}", .known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The kernelspec is not one of ours.
    #[error("'{name}' in {} was not installed by jlsys and is left alone", .folder.display())]
    NotOurs {
        /// Its name.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// The kernelspec's name is not one that Jupyter allows.
    #[error("{} is not a name for a kernelspec: Jupyter allows ASCII letters, digits, `.`, `_` and `-`", .folder.display())]
    BadName {
        /// Its folder.
        folder: PathBuf,
    },
    /// What the kernelspec starts does not answer as a Julia does.
    #[error("{} does not start Julia directly, so it cannot go through jlsys: {problem}", .file.display())]
    NotJulia {
        /// Its `kernel.json`.
        file: PathBuf,
        /// What happened when it was asked.
        problem: String,
    },
    /// A `kernel.json` cannot be understood.
    #[error("{}: {problem}", .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing that Jupyter searches can be written to.
    #[error("cannot write to {}, nor to any folder that Jupyter searches before it: set JUPYTER_DATA_DIR to one of yours", .folder.display())]
    NotWritable {
        /// The kernelspec's folder.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use '{}': {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A path cannot stand in a JSON file.
    #[error("'{}' is not valid Unicode, so it cannot stand in a kernelspec", .0.display())]
    NotUnicode(PathBuf),
}

impl KernelError {
    /// For use with `map_err`: the error of an operation on a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}
