//! Removing what a container's image need not carry.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use walkdir::WalkDir;

use super::contents::{self, Contents, FileRecord};
use super::{Cache, IMAGES, folders_in, read_json, staging, write_atomically};
use crate::file::Sha256Digest;

impl Cache {
    /// Removes what killed builds left behind, and shortens logs to `log_limit` bytes: of each the end stays, where errors
    /// stand. Returns how many bytes that freed.
    pub fn tidy(&self, log_limit: u64) -> u64 {
        let tmp = self.folder("tmp");
        let before = size_of(&tmp);
        staging::sweep(&tmp);
        let swept = before.saturating_sub(size_of(&tmp));
        let entries = [IMAGES, "failures"].into_iter().flat_map(|name| folders_in(&self.folder(name)));
        swept + entries.map(|entry| shorten_logs(&entry, log_limit)).sum::<u64>()
    }
}

/// Shortens an entry's logs, and the list of its files accordingly. A log that cannot be shortened stays as it is.
fn shorten_logs(entry: &Path, limit: u64) -> u64 {
    let list = entry.join(contents::FILE);
    let mut known: Contents = read_json(&list).unwrap_or_default();
    let mut freed = 0;
    for log in std::fs::read_dir(entry.join("logs")).into_iter().flatten().flatten() {
        let (path, name) = (log.path(), Path::new("logs").join(log.file_name()));
        let size = log.metadata().map_or(0, |metadata| metadata.len());
        let Ok(bytes @ 1..) = shorten(&path, limit) else { continue };
        freed += bytes;
        // A log that was not as it should be stays so.
        if let Some(record) = known.0.get_mut(&name).filter(|record| record.size == size)
            && let Ok(sha256) = Sha256Digest::of_file(&path)
        {
            *record = FileRecord { size: size - bytes, sha256 };
        }
    }
    if freed > 0 && list.exists() {
        let text = serde_json::to_vec_pretty(&known).unwrap_or_default();
        let _ = write_atomically(&list, &text);
    }
    freed
}

/// Room for the line that says that something is missing.
const NOTE: u64 = 64;

/// Leaves no more than `limit` bytes of a file: the end of it, from the start of a line. Returns how many went.
fn shorten(log: &Path, limit: u64) -> io::Result<u64> {
    let metadata = log.symlink_metadata()?;
    if !metadata.is_file() || metadata.len() <= limit {
        return Ok(0);
    }
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(metadata.len() - limit.saturating_sub(NOTE)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let line = end.iter().position(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let lost = metadata.len() - (end.len() - line) as u64;
    let mut text = format!("[{lost} bytes before this were removed]\n").into_bytes();
    text.extend_from_slice(&end[line..]);
    write_atomically(log, &text)?;
    Ok(metadata.len().saturating_sub(text.len() as u64))
}

/// The bytes of all files in a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheVariables;

    fn own(folder: &Path) -> Cache {
        let variables = CacheVariables { own: Some(folder.to_owned()), shared: None };
        Cache::locate(variables, None).unwrap()
    }

    #[test]
    fn the_end_of_a_long_log_stays() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, format!("{}ERROR: the end\n", "a line like many\n".repeat(1000))).unwrap();
        let freed = shorten(&log, 100).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.ends_with("like many\nERROR: the end\n"), "{text}");
        assert!(text.starts_with("[16983 bytes before this were removed]\na line"), "{text}");
        assert_eq!(freed + text.len() as u64, 17_015);
        // Nothing is lost twice, nor from a short one.
        assert_eq!(shorten(&log, 1000).unwrap(), 0);
    }

    #[test]
    fn what_killed_builds_left_goes_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let cache = own(&folder.path().join("cache"));
        cache.prepare().unwrap();
        let left = folder.path().join("cache/tmp/build-killed");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("image.o"), vec![0; 5000]).unwrap();
        std::fs::write(left.with_added_extension("lock"), "").unwrap();
        let logs = folder.path().join("cache/failures/x/logs");
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::write(logs.join("object.log"), "line\n".repeat(1000)).unwrap();
        let list = folder.path().join("cache/failures/x").join(contents::FILE);
        let nothing = std::collections::BTreeMap::new();
        let as_it_is = || Contents::of(&logs, &nothing).unwrap().0["object.log".as_ref() as &Path].clone();
        let listed = Contents([("logs/object.log".into(), as_it_is())].into());
        std::fs::write(&list, serde_json::to_vec(&listed).unwrap()).unwrap();
        let freed = cache.tidy(1000);
        assert!((9000..9100).contains(&freed), "{freed}");
        assert!(!left.exists());
        let listed: Contents = read_json(&list).unwrap();
        assert_eq!(listed.0["logs/object.log".as_ref() as &Path], as_it_is());
        assert_eq!(cache.tidy(1000), 0);
    }

    #[test]
    fn a_cache_that_is_not_there_has_nothing_to_lose() {
        let cache = own(Path::new("/nonexistent/cache"));
        assert_eq!(cache.tidy(0), 0);
    }
}
