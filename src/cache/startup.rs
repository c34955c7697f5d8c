//! A startup package's way from its build into an entry.
//!
//! Julia's caches know their sources by path, and an entry moves when it is committed. So the package is built by way of a
//! link in `startup/`, which leads to the build's folder first, and to the entry's afterwards.

use std::fs::{File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::contents::Contents;
use super::entry::{ImageFile, StartupFiles};
use super::staging::set_mode;
use super::{Cache, create_private};
use crate::file::Stamp;

/// The folder of a startup package in its entry, and of the links in the cache.
pub(super) const FOLDER: &str = "startup";

/// The file in a startup package's folder that names its link.
const LINK_NAME: &str = "link";

/// Makes the folder of a startup package, and a link to it, whose path is returned.
pub(super) fn link(cache: &Cache, folder: &Path) -> io::Result<PathBuf> {
    create_private(folder)?;
    let link = tempfile::Builder::new()
        .prefix("")
        .rand_bytes(12)
        .make_in(cache.folder(FOLDER), |path| symlink(folder, path))?;
    // What is left of a build that comes to nothing leads nowhere, and is swept.
    let path = link.into_temp_path().keep().map_err(|error| error.error)?;
    let name = path.file_name().unwrap_or_default();
    std::fs::write(folder.join(LINK_NAME), name.as_encoded_bytes())?;
    Ok(path)
}

/// Makes the link of the startup package in a committed entry, if it has one, lead there.
pub(super) fn lead_to(cache: &Cache, entry: &Path) -> io::Result<()> {
    let folder = entry.join(FOLDER);
    let name = match std::fs::read_to_string(folder.join(LINK_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        name => name?,
    };
    let links = cache.folder(FOLDER);
    let new = tempfile::Builder::new().prefix(".new-").make_in(&links, |path| symlink(&folder, path))?;
    new.into_temp_path().persist(links.join(name)).map_err(|error| error.error)
}

/// Whether the link of this name leads to the startup package of the entry in `folder`.
pub(super) fn leads_to(folder: &Path, name: &str) -> bool {
    let is_plain = Path::new(name).components().eq([Component::Normal(name.as_ref())]);
    let Some(root) = folder.parent().and_then(Path::parent).filter(|_| is_plain) else { return false };
    let real = |path: PathBuf| path.canonicalize().ok();
    let (link, startup) = (real(root.join(FOLDER).join(name)), real(folder.join(FOLDER)));
    link.is_some() && link == startup
}

/// Removes links that lead nowhere any more.
pub(super) fn sweep(cache: &Cache) {
    for link in std::fs::read_dir(cache.folder(FOLDER)).into_iter().flatten().flatten() {
        let path = link.path();
        if path.is_symlink() && !path.exists() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The files of the startup package in the entry that is being written in `folder`, if it has one.
pub(super) fn files(folder: &Path, contents: &Contents) -> io::Result<Option<StartupFiles>> {
    let link = match std::fs::read_to_string(folder.join(FOLDER).join(LINK_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        link => link?,
    };
    let own = contents.0.iter().filter(|(name, _)| name.starts_with(FOLDER));
    let files = own.map(|(name, record)| {
        let stamp = Stamp::of(&folder.join(name))?;
        let name = name.to_str().ok_or_else(|| io::Error::other("a file's name is no text"))?;
        Ok(ImageFile { name: name.to_owned(), stamp, sha256: record.sha256 })
    });
    Ok(Some(StartupFiles { link, files: files.collect::<io::Result<_>>()? }))
}

/// Takes everybody else's rights to the files in a folder, which Julia and its linker gave by the umask.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    for file in WalkDir::new(folder) {
        let file = file?;
        set_mode(file.path(), if file.file_type().is_dir() { 0o700 } else { 0o600 })?;
    }
    Ok(())
}

/// Copies a folder with the files' times of change, by which Julia knows sources again.
pub(super) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for file in WalkDir::new(from) {
        let file = file?;
        let target = to.join(file.path().strip_prefix(from).unwrap_or(file.path()));
        if file.file_type().is_dir() {
            create_private(&target)?;
        } else {
            std::fs::copy(file.path(), &target)?;
            let modified = file.metadata()?.modified()?;
            File::options().append(true).open(&target)?.set_times(FileTimes::new().set_modified(modified))?;
        }
    }
    Ok(())
}
