//! Files: told apart by a stamp that costs one `stat`, or by their content; copied; made private.

use std::fs::{File, FileTimes, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A file's content as far as one `stat` tells it.
///
/// Inodes and times of status change take no part: a container's overlay filesystem gives each file new ones whenever an
/// image is unpacked, so that they would differ wherever an image is used from where it was built.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change, in whole seconds since 1970. Container layers and many archives carry no more.
    pub mtime: i64,
    /// The fraction of that second, in nanoseconds; zero where it is not known.
    mtime_nanos: i64,
}

impl Stamp {
    /// The stamp of the file at `path`, following symbolic links.
    pub fn of(path: &Path) -> io::Result<Self> {
        path.metadata().map(|metadata| Self::from(&metadata))
    }

    /// Whether this is the same content, as far as a stamp can tell, after a copy that keeps modification times.
    pub fn same_content(&self, other: &Self) -> bool {
        self.size == other.size && self.mtime == other.mtime
    }

    /// Whether this is the same file, seen in the same place at another time. Stricter than [`Self::same_content`]: two
    /// versions may be written within one second.
    pub fn same_file(&self, other: &Self) -> bool {
        let nanos_agree =
            self.mtime_nanos == other.mtime_nanos || self.mtime_nanos == 0 || other.mtime_nanos == 0;
        self.same_content(other) && nanos_agree
    }
}

impl Stamp {
    /// Whether its time says anything. File stores (Nix, Guix) and reproducible archives give every file the same, 0 or 1.
    pub fn has_time(&self) -> bool {
        self.mtime > 1
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self { size: metadata.size(), mtime: metadata.mtime(), mtime_nanos: metadata.mtime_nsec() }
    }
}

/// How many bytes can be written to the disk that a folder is on, where the system says.
pub fn room_in(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(disk.blocks_available() * disk.fragment_size())
}

/// Sets a file's or folder's permissions.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Copies a file with its time of change.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::copy(from, to)?;
    let modified = from.metadata()?.modified()?;
    File::options().append(true).open(to)?.set_times(FileTimes::new().set_modified(modified))
}

/// A SHA-256 digest; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a file's content.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self(hasher.finalize().into())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}

impl Sha256Digest {
    /// The digest of a file's size and of some pages that are spread over it: another version of a program differs in these, and
    /// reading them takes tens of microseconds.
    pub fn of_sample(path: &Path) -> io::Result<Self> {
        const PAGES: u64 = 8;
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut hasher = Sha256::new_with_prefix(size.to_le_bytes());
        let mut page = [0; 4096];
        for number in 0..PAGES {
            // The last page is one of them.
            let offset = size.saturating_sub(page.len() as u64) * number / (PAGES - 1);
            let count = file.read_at(&mut page, offset)?;
            hasher.update(&page[..count]);
        }
        Ok(Self(hasher.finalize().into()))
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Sha256Digest {
    /// The first half of it.
    pub fn to_u128(self) -> u128 {
        self.0[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

impl std::fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A precision, as in `{:.16}`, gives so many of the digits.
        f.pad(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Sha256Digest {
    type Err = hex::FromHexError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64, mtime: i64, mtime_nanos: i64) -> Stamp {
        Stamp { size, mtime, mtime_nanos }
    }

    #[test]
    fn a_copy_out_of_a_container_layer_is_the_same_file() {
        let built = stamp(10, 5, 123);
        assert!(built.same_file(&stamp(10, 5, 0)) && stamp(10, 5, 0).same_file(&built));
    }

    #[test]
    fn a_sample_tells_versions_of_a_program_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sys.so");
        let sample = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            Sha256Digest::of_sample(&file).unwrap()
        };
        let mut content = vec![b'x'; 1 << 20];
        let before = sample(&content);
        assert_eq!(before, sample(&content));
        *content.last_mut().unwrap() = b'y';
        assert_ne!(before, sample(&content));
        assert_ne!(sample(b"a"), sample(b"b"));
    }

    #[test]
    fn another_size_second_or_fraction_of_it_is_another_file() {
        let built = stamp(10, 5, 123);
        for other in [stamp(11, 5, 123), stamp(10, 6, 123), stamp(10, 5, 124), stamp(10, 6, 0)] {
            assert!(!built.same_file(&other), "{other:?}");
        }
    }
}
