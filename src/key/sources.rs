//! A digest of the files that a path package is made of.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::file::{Sha256Digest, Stamp};

/// The sources of a package that is to go into the image cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the sources of {package} in '{}': {source}", .folder.display())]
pub struct SourcesError {
    package: String,
    folder: PathBuf,
    source: std::io::Error,
}

/// A digest of what the package's code is, names and contents, in the order of names: Julia files in `src`, `ext` and `test` and
/// directly in `deps`, and the files that make it a package. A file that is alone is a package too.
///
/// Whatever else is read while the package is compiled is no part of the key: it is compared by itself (see
/// [`World`](crate::world::World)). A result or a log beside the code changes nothing, and no data is read at a start.
pub(super) fn digest(package: &str, folder: &Path) -> Result<Sha256Digest, SourcesError> {
    let is_wanted = |entry: &DirEntry| {
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        match entry.file_type().is_dir() {
            true => entry.depth() == 0 || may_hold_source(path),
            false => entry.depth() == 0 || is_source(path),
        }
    };
    digest_of(folder, is_wanted, whole).map_err(|source| SourcesError {
        package: package.to_owned(),
        folder: folder.to_owned(),
        source,
    })
}

/// The files that make a folder a package, and say what it needs.
const OF_A_PACKAGE: &[&str] = &["Project.toml", "JuliaProject.toml", "Artifacts.toml", "JuliaArtifacts.toml"];

/// Whether a file, by its path in a package's folder, is part of a digest of its sources.
pub fn is_source(path: &Path) -> bool {
    let is_julia = path.extension().is_some_and(|ending| ending == "jl");
    match path.parent() {
        Some(folder) if folder == Path::new("") => OF_A_PACKAGE.iter().any(|name| path == Path::new(name)),
        Some(folder) => is_julia && may_hold_source(folder),
        None => false,
    }
}

/// Whether a folder, by its path in a package's folder, can hold source.
fn may_hold_source(folder: &Path) -> bool {
    let mut parts = folder.components().map(|part| part.as_os_str().as_encoded_bytes());
    let is_place = match parts.next() {
        Some(b"src" | b"ext" | b"test") => true,
        // What a build puts into folders there is no code, and may be much.
        Some(b"deps") => return parts.next().is_none(),
        _ => false,
    };
    is_place && parts.all(|name| !name.starts_with(b"."))
}

/// Larger files hold data rather than code.
const LARGEST_SOURCE: u64 = 16 << 20;

/// The same for a package that stays outside of the image, and may have gigabytes of data in its folder: a large file
/// is known by its size and time of change. `None` when the folder cannot be read.
pub(super) fn digest_of_outsider(folder: &Path) -> Option<Sha256Digest> {
    let content = |file: &DirEntry| {
        let metadata = file.path().metadata()?;
        if metadata.len() > LARGEST_SOURCE {
            return Ok(format!("{:?}", Stamp::from(&metadata)));
        }
        whole(file)
    };
    digest_of(folder, takes_part, content).ok()
}

/// In a folder with more files and folders than this somebody keeps other things than a project.
const MOST_FILES: usize = 20_000;

/// A digest of the Julia files in a project's folder, any of which its scripts and notebooks may include, but for those of `packages`. `None` when
/// the folder cannot be read, or is very full.
pub(super) fn digest_of_scripts(folder: &Path, packages: &[&Path]) -> Option<Sha256Digest> {
    let is_package = |entry: &DirEntry| {
        let is_source = |within: &Path| entry.file_type().is_dir() && may_hold_source(within);
        packages.iter().any(|package| entry.path().strip_prefix(package).is_ok_and(is_source))
    };
    let seen = Cell::new(0);
    let is_script = |entry: &DirEntry| {
        seen.set(seen.get() + 1);
        let name = entry.file_name().as_encoded_bytes();
        let is_wanted = entry.file_type().is_dir() || name.ends_with(b".jl");
        seen.get() <= MOST_FILES
            && is_wanted
            && (entry.depth() == 0 || !name.starts_with(b".") && !is_package(entry))
    };
    digest_of(folder, is_script, whole).ok().filter(|_| seen.get() <= MOST_FILES)
}

/// A digest of what lies directly in the `deps` folder of an installed package, of which a build wrote a part; large files are no
/// code. `None` when there is no such folder.
pub(super) fn digest_of_built(folder: &Path) -> Option<Sha256Digest> {
    let folder = folder.join("deps");
    let is_wanted = |entry: &DirEntry| {
        entry.depth() == 0
            || entry.file_type().is_file() && entry.metadata().is_ok_and(|file| file.len() <= 1 << 20)
    };
    if folder.is_dir() { digest_of(&folder, is_wanted, whole).ok() } else { None }
}

/// A digest of the files that make an environment out of a folder; `None` when they cannot be read.
pub(super) fn digest_of_environment(folder: &Path) -> Option<Sha256Digest> {
    let is_project = |entry: &DirEntry| {
        let is_toml = entry.file_name().as_encoded_bytes().ends_with(b".toml");
        entry.depth() == 0 || entry.file_type().is_file() && is_toml
    };
    digest_of(folder, is_project, whole).ok()
}

/// A file as all of its bytes.
fn whole(file: &DirEntry) -> io::Result<String> {
    Sha256Digest::of_file(file.path()).map(|digest| digest.to_string())
}

/// A digest of names and what `content` says of each file, in the order of names.
fn digest_of(
    folder: &Path,
    takes_part: impl FnMut(&DirEntry) -> bool,
    content: impl Fn(&DirEntry) -> io::Result<String>,
) -> io::Result<Sha256Digest> {
    // Sorted afterwards: a folder whose entries are to come in order is read to its end before it can be passed over.
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).into_iter().filter_entry(takes_part) {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.push(entry);
        }
    }
    files.sort_by(|a, b| a.path().cmp(b.path()));
    let mut hasher = Sha256::new();
    for entry in files {
        // A link that leads nowhere, a socket: nothing that code can come from.
        let Ok(content) = content(&entry) else { continue };
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(content);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    Ok(digest.into())
}

fn takes_part(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    let is_other = name.starts_with(b".")
        || entry.depth() == 1 && name == b"docs"
        // Jupyter saves them every few minutes, whatever they are a part of.
        || name.ends_with(b".ipynb");
    entry.depth() == 0 || !is_other
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, FileTimes};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_folder_that_holds_no_source_is_not_read() {
        let package = tempfile::tempdir().unwrap();
        let data = package.path().join("data");
        fs::create_dir_all(&data).unwrap();
        fs::create_dir_all(package.path().join("src")).unwrap();
        fs::write(package.path().join("src/Own.jl"), "").unwrap();
        // Reading a folder is noted as its time of access, unless the file system is mounted otherwise.
        let forget = || {
            File::open(&data)
                .unwrap()
                .set_times(FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH))
                .unwrap();
        };
        let was_read = || data.metadata().unwrap().accessed().unwrap() != SystemTime::UNIX_EPOCH;
        forget();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
        if !was_read() {
            println!("skipped: times of access are not kept here");
            return;
        }
        forget();
        digest("Own", package.path()).unwrap();
        assert!(!was_read());
    }

    /// A folder with these files, each with its own path as its content.
    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            write(folder.path(), file, file);
        }
        folder
    }

    fn write(folder: &Path, file: &str, text: &str) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Which of the files change a digest when they are written.
    fn seen<'a>(
        folder: &Path,
        files: &[&'a str],
        digest: impl Fn(&Path) -> Option<Sha256Digest>,
    ) -> Vec<&'a str> {
        let mut seen = Vec::new();
        for &file in files {
            let before = digest(folder).unwrap();
            write(folder, file, "changed");
            if digest(folder).unwrap() != before {
                seen.push(file);
            }
        }
        seen
    }

    const FILES: &[&str] = &[
        "Project.toml",
        "JuliaProject.toml",
        "Artifacts.toml",
        "JuliaArtifacts.toml",
        "src/Own.jl",
        "src/inner/more.jl",
        "ext/Extension.jl",
        "test/runtests.jl",
        "deps/build.jl",
        // What is no source:
        "Manifest.toml",
        "script.jl",
        "src/data.csv",
        "src/.hidden/more.jl",
        "deps/inner/more.jl",
        "docs/make.jl",
        "notes/more.jl",
    ];

    #[test]
    fn a_packages_sources_are_its_julia_files_and_what_makes_it_a_package() {
        let folder = folder_with(FILES);
        let sources = seen(folder.path(), FILES, |folder| digest("Own", folder).ok());
        assert_eq!(sources, FILES[..9]);
        let named: Vec<&str> = FILES.iter().copied().filter(|file| is_source(Path::new(file))).collect();
        assert_eq!(named, sources);
        assert!(!is_source(Path::new("")));
    }

    #[test]
    fn a_file_that_is_alone_is_a_package() {
        let folder = folder_with(&["Own.jl"]);
        let file = folder.path().join("Own.jl");
        let before = digest("Own", &file).unwrap();
        fs::write(&file, "changed").unwrap();
        assert_ne!(digest("Own", &file).unwrap(), before);
        let missing = digest("Own", &folder.path().join("Gone.jl")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read the sources of Own in "), "{missing}");
    }

    #[test]
    fn of_an_outsider_everything_counts_but_documents_notebooks_and_hidden_files() {
        let files =
            ["src/Own.jl", "data/table.csv", "src/docs/text.md", "docs/index.md", "notes.ipynb", ".git/HEAD"];
        let folder = folder_with(&files);
        assert_eq!(seen(folder.path(), &files, digest_of_outsider), files[..3]);
        assert_eq!(digest_of_outsider(&folder.path().join("gone")), None);
    }

    #[test]
    fn a_large_file_of_an_outsider_is_known_by_its_stamp() {
        let folder = folder_with(&["src/Own.jl"]);
        let data = folder.path().join("data.bin");
        // Beside it, one that is read as a whole.
        for (length, is_read) in [(LARGEST_SOURCE, true), (LARGEST_SOURCE + 1, false)] {
            let file = File::create(&data).unwrap();
            file.set_len(length).unwrap();
            let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
            file.set_times(times).unwrap();
            let before = digest_of_outsider(folder.path()).unwrap();
            file.set_times(FileTimes::new().set_modified(SystemTime::now())).unwrap();
            assert_eq!(digest_of_outsider(folder.path()).unwrap() == before, is_read, "{length}");
        }
    }

    #[test]
    fn scripts_are_the_julia_files_of_a_project() {
        let files = ["run.jl", "inner/more.jl", "data.csv", ".hidden.jl", ".git/more.jl"];
        let folder = folder_with(&files);
        assert_eq!(seen(folder.path(), &files, |folder| digest_of_scripts(folder, &[])), files[..2]);
    }

    #[test]
    fn what_a_packages_sources_are_is_no_script() {
        let files = ["run.jl", "src/Own.jl", "Model/src/Model.jl", "Model/ext/Other.jl", "Model/run.jl"];
        let folder = folder_with(&files);
        let packages = [folder.path().join("Model"), folder.path().to_owned()];
        let packages: Vec<&Path> = packages.iter().map(|folder| folder.as_path()).collect();
        let digest = |folder: &Path| digest_of_scripts(folder, &packages);
        assert_eq!(seen(folder.path(), &files, digest), ["run.jl", "Model/run.jl"]);
    }

    #[test]
    fn a_folder_with_very_many_files_is_no_project() {
        let folder = folder_with(&["run.jl"]);
        // The folder itself and the script are two.
        for number in 0..MOST_FILES - 2 {
            File::create(folder.path().join(number.to_string())).unwrap();
        }
        assert!(digest_of_scripts(folder.path(), &[]).is_some());
        File::create(folder.path().join("one-more")).unwrap();
        assert_eq!(digest_of_scripts(folder.path(), &[]), None);
    }

    #[test]
    fn of_what_a_build_wrote_the_small_files_count() {
        let files = ["deps/deps.jl", "deps/usr/lib.so", "src/Own.jl"];
        let folder = folder_with(&files);
        assert_eq!(seen(folder.path(), &files, digest_of_built), files[..1]);
        for (length, counts) in [(1 << 20, true), ((1 << 20) + 1, false)] {
            let before = digest_of_built(folder.path()).unwrap();
            File::create(folder.path().join("deps/log")).unwrap().set_len(length).unwrap();
            let with_it = digest_of_built(folder.path()).unwrap();
            fs::remove_file(folder.path().join("deps/log")).unwrap();
            assert_eq!(with_it != before, counts, "{length}");
        }
        assert_eq!(digest_of_built(&folder.path().join("src")), None);
    }

    #[test]
    fn an_environment_is_its_toml_files() {
        let files = ["Project.toml", "Manifest.toml", "notes.md", "inner/Project.toml"];
        let folder = folder_with(&files);
        assert_eq!(seen(folder.path(), &files, digest_of_environment), files[..2]);
    }
}
