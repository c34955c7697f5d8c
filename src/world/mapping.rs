//! Whether the system lets Julia map an image as code.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};

/// Whether a folder is on a filesystem that no code can be mapped from.
pub fn is_noexec(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return nix::sys::statvfs::statvfs(folder)
        .is_ok_and(|disk| disk.flags().contains(nix::sys::statvfs::FsFlags::ST_NOEXEC));
    #[cfg(not(target_os = "linux"))]
    false
}

/// Why Julia could not start with an image in `folder`, if so: it would end with an error of the system's, and no Julia
/// would start at all. `needed` is the address space of a Julia that started with it, in bytes.
pub fn why_not_mapped(folder: &Path, needed: Option<u64>) -> Option<String> {
    if is_noexec(folder) {
        return Some(format!(
            "{} is on a filesystem that is mounted noexec, from which no code can be loaded: set JLSYS_CACHE_DIR to a \
             folder on another one",
            folder.display()
        ));
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_AS).ok()?;
    let needed = needed.filter(|needed| *needed > limit)?;
    Some(format!(
        "a session with the image takes {} of address space, and the limit (ulimit -v) is {}",
        indicatif::HumanBytes(needed),
        indicatif::HumanBytes(limit)
    ))
}
