//! Which of several caches of a package Julia takes.
//!
//! A depot may have several: of other versions, projects and options. Julia goes through all of a package's, those that were used last first,
//! and takes the first that fits (`find_all_in_cache_path` and `stale_cachefile` in base/loading.jl). What a group rests on is the one that
//! was taken when it was built. One session with `-O3` leaves another, which then serves every session, and the group fits none.
//!
//! A start asks this, so no Julia is. Two caches that were compiled from the same files, with the same preferences and for the same CPUs, fit the
//! same projects: where the one that was taken still fits, so does the other. Caches begin with what Julia judges them by (`write_header` in
//! src/staticdata_utils.c and `parse_cache_header` in base/loading.jl; read in 1.10 and 1.12, and taken to be the same in 1.9 and 1.11).
//! Where one cannot be read it is taken not to fit: the session then finds out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::environment::Depots;
use crate::julia::Differences;

/// How a cache begins.
const MAGIC: &[u8] = b"\xfbjli\r\n\x1a\n";

/// More than any part of a header has: the files of a large package come to some 100 KB.
const LARGEST_PART: usize = 16 << 20;

/// The caches that are known to be taken as long as Julia prefers no other.
#[derive(Debug)]
pub struct KnownCaches<'a> {
    depots: &'a Depots,
    julia: Differences,
    /// Each with the name of its package.
    known: BTreeMap<String, &'a Path>,
}

impl<'a> KnownCaches<'a> {
    /// Where these caches were taken; they may be named by the native code that goes with them.
    pub fn new(depots: &'a Depots, julia: Differences, caches: impl IntoIterator<Item = &'a Path>) -> Self {
        let known = caches.into_iter().map(|cache| (package_of(cache), cache)).collect();
        Self { depots, julia, known }
    }

    /// The cache that Julia takes instead of a known one for a package that a session loads, if there is one.
    pub fn taken_instead(&self, cache: &Path) -> Option<PathBuf> {
        let cache = cache.with_extension("ji");
        let since = used(&cache)?;
        let later = |other: &PathBuf| used(other).is_some_and(|used| used > since);
        let mut later = self.others(&cache).filter(later).peekable();
        later.peek()?;
        let header = Header::read(&cache).ok()?;
        later.find(|other| self.fits(&header, other))
    }

    /// The other caches of the same package, wherever Julia looks for them.
    fn others(&self, cache: &Path) -> impl Iterator<Item = PathBuf> {
        let slug = file_name(cache).split_once('_').map(|(slug, _)| format!("{slug}_")).unwrap_or_default();
        // `compiled/v1.10/NAME`
        let parts: Vec<_> = cache.parent().into_iter().flat_map(Path::components).collect();
        let within: PathBuf = parts[parts.len().saturating_sub(3)..].iter().collect();
        let folders = self.depots.paths().iter().map(move |depot| depot.join(&within));
        let files = folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let own = file_name(cache);
        files.map(|file| file.path()).filter(move |file| {
            let name = file_name(file);
            name.starts_with(&slug) && name.ends_with(".ji") && name != own
        })
    }

    /// Whether a session takes a cache as well as a known one of the same package, whose beginning is `known`.
    fn fits(&self, known: &Header, other: &Path) -> bool {
        let Ok(header) = Header::read(other) else { return false };
        header.is_like(known, self.julia)
            && has_code(other)
            && header.requires.iter().all(|(package, build)| {
                known.requires.get(package) == Some(build) || self.has_build(package, *build)
            })
    }

    /// Whether a package's build that a cache needs is there and would be taken.
    fn has_build(&self, package: &PackageId, build: Build) -> bool {
        let Some(known) = self.known.get(&package.name) else { return false };
        let cache = known.with_extension("ji");
        let Ok(known) = Header::read(&cache) else { return false };
        self.others(&cache).any(|other| {
            Header::read(&other).is_ok_and(|header| {
                header.package == *package && header.build == build && header.is_like(&known, self.julia)
            }) && has_code(&other)
        })
    }
}

/// The package whose cache this is: `compiled/v1.10/NAME/SLUG.ji`.
pub fn package_of(cache: &Path) -> String {
    cache.parent().map(file_name).unwrap_or_default()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// When a cache was last loaded, or written: Julia changes its time.
fn used(cache: &Path) -> Option<SystemTime> {
    cache.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Whether the native code is there that goes with a cache.
fn has_code(cache: &Path) -> bool {
    cache.with_extension(std::env::consts::DLL_EXTENSION).is_file()
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct PackageId {
    name: String,
    uuid: [u8; 16],
}

/// A package's build: the checksum of its cache, and a number that is another each time.
type Build = [u64; 2];

/// The beginning of a cache.
#[derive(Debug)]
struct Header {
    /// What wrote it: the format, the system, the version of Julia.
    writer: Vec<u8>,
    /// The options that the code was compiled with, in bits: `OOICCDDP`.
    options: u8,
    package: PackageId,
    build: Build,
    /// The files that it was compiled from with their times or digests, and the preferences.
    sources: Vec<u8>,
    /// The builds of what was loaded with it.
    requires: BTreeMap<PackageId, Build>,
    cpus: Vec<u8>,
}

impl Header {
    fn read(cache: &Path) -> io::Result<Self> {
        Self::parse(&mut BufReader::new(File::open(cache)?))
    }

    fn parse(file: &mut impl BufRead) -> io::Result<Self> {
        let mut writer = bytes(file, MAGIC.len())?;
        if writer != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // The format's number, the order of bytes and the size of a word; the system, its architecture, Julia's version, branch and commit.
        writer.extend(bytes(file, 5)?);
        for _ in 0..5 {
            file.by_ref().take(LARGEST_PART as u64).read_until(0, &mut writer)?;
        }
        let [_is_package_image] = array(file)?;
        let checksum = number(file)?;
        let (_end_of_data, _start_of_data) = (number(file)?, number(file)?);
        let [options] = array(file)?;
        let mut first = None;
        while let Some(package) = package(file)? {
            let build = number(file)?;
            first.get_or_insert((package, [checksum, build]));
        }
        let (package_id, build) = first.ok_or(io::ErrorKind::InvalidData)?;
        let length = i64::from_le_bytes(array(file)?);
        let mut sources = part(file, length)?;
        // At last, where the texts of the sources are.
        sources.truncate(sources.len().saturating_sub(size_of::<u64>()));
        let mut requires = BTreeMap::new();
        while let Some(package) = package(file)? {
            requires.insert(package, [number(file)?, number(file)?]);
        }
        let length = i32::from_le_bytes(array(file)?);
        let cpus = part(file, length.into())?;
        Ok(Self { writer, options, package: package_id, build, sources, requires, cpus })
    }

    /// Whether it is of the same package in the same place, and a session that takes the other may take it for its options. What such a session
    /// is started with is Julia's default (`jl_match_cache_flags` in src/staticdata_utils.c).
    fn is_like(&self, other: &Self, julia: Differences) -> bool {
        const DEFAULT_LEVEL: u8 = 2;
        const DEBUGGING: u8 = 0b0000_0110;
        let level = |options: u8| options >> 6;
        let debugging = |options: u8| options & DEBUGGING;
        let rest = |options: u8| options & 0b0011_1001;
        let (ours, theirs) = (self.options, other.options);
        let is_debuggable = if julia.takes_more_debugging() {
            // 1, where Julia itself is no debug build.
            debugging(ours) >= debugging(theirs).min(0b10)
        } else {
            debugging(ours) == debugging(theirs)
        };
        level(ours) >= level(theirs).min(DEFAULT_LEVEL)
            && is_debuggable
            && rest(ours) == rest(theirs)
            && self.package == other.package
            && self.writer == other.writer
            && self.sources == other.sources
            && self.cpus == other.cpus
    }
}

/// A package's name and UUID, or the end of a list.
fn package(file: &mut impl Read) -> io::Result<Option<PackageId>> {
    let length = i32::from_le_bytes(array(file)?);
    if length == 0 {
        return Ok(None);
    }
    let name = String::from_utf8(part(file, length.into())?).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Some(PackageId { name, uuid: array(file)? }))
}

fn number(file: &mut impl Read) -> io::Result<u64> {
    array(file).map(u64::from_le_bytes)
}

fn array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn part(file: &mut impl Read, length: i64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST_PART);
    bytes(file, length.ok_or(io::ErrorKind::InvalidData)?)
}

fn bytes(file: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::version::Version;

    /// What a cache begins with.
    struct Cache {
        options: u8,
        build: u64,
        sources: &'static str,
        requires: &'static [(&'static str, u64)],
    }

    const DEFAULT: u8 = 0b1010_0011;
    const O3: u8 = 0b1110_0011;
    const G2: u8 = 0b1010_0101;

    const SHAPE: Cache =
        Cache { options: DEFAULT, build: 1, sources: "Shape.jl 100", requires: &[("Base", 1)] };

    impl Cache {
        fn write(&self, depot: &Path, package: &str, slug: &str, used: u64) -> PathBuf {
            let mut text = MAGIC.to_vec();
            text.extend(b"\x0c\0\xff\xfe\x08Linux\0x86_64\x001.10.2\0\0commit\0\x01");
            text.extend([self.build, 0, 0].iter().flat_map(|number| number.to_le_bytes()));
            text.push(self.options);
            let name = |text: &mut Vec<u8>, name: &str| {
                text.extend((name.len() as i32).to_le_bytes());
                text.extend(name.bytes());
                text.extend([7; 16]);
            };
            name(&mut text, package);
            text.extend(self.build.to_le_bytes());
            text.extend(0_i32.to_le_bytes());
            text.extend((self.sources.len() as i64 + 8).to_le_bytes());
            text.extend(self.sources.bytes());
            text.extend(self.build.to_le_bytes());
            for (package, build) in self.requires {
                name(&mut text, package);
                text.extend([build.to_le_bytes(), build.to_le_bytes()].concat());
            }
            text.extend(0_i32.to_le_bytes());
            text.extend(3_i32.to_le_bytes());
            text.extend(b"cpu");
            let folder = depot.join("compiled/v1.10").join(package);
            std::fs::create_dir_all(&folder).unwrap();
            let file = folder.join(slug).with_extension("ji");
            std::fs::write(&file, text).unwrap();
            std::fs::write(file.with_extension(std::env::consts::DLL_EXTENSION), "code").unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(used);
            File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
            file
        }
    }

    /// The cache that is taken instead of the first, which was used at 100, by the Julia of this version.
    fn taken(minor: u32, known: &[(&str, Cache)], others: &[(&str, &str, u64, Cache)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let known: Vec<PathBuf> =
            known.iter().map(|(package, it)| it.write(folder.path(), package, "a_1", 100)).collect();
        for (package, slug, used, cache) in others {
            cache.write(folder.path(), package, slug, *used);
        }
        let depots = Depots::new(vec!["/no/depot".into(), folder.path().to_owned()]);
        let julia = Differences::of(&Version::new(1, minor, 0));
        let caches = KnownCaches::new(&depots, julia, known.iter().map(PathBuf::as_path));
        caches.taken_instead(&known[0]).map(|cache| file_name(&cache))
    }

    fn shape_is_taken(minor: u32, slug: &str, used: u64, other: Cache) -> bool {
        taken(minor, &[("Shape", SHAPE)], &[("Shape", slug, used, other)]).is_some()
    }

    #[test]
    fn the_cache_that_was_used_last_is_taken_where_it_fits() {
        assert_eq!(taken(10, &[("Shape", SHAPE)], &[]), None);
        let with = |options| Cache { options, build: 2, ..SHAPE };
        assert!(shape_is_taken(10, "a_2", 101, with(O3)) && shape_is_taken(12, "a_2", 101, with(DEFAULT)));
        assert!(!shape_is_taken(10, "a_2", 99, with(O3)), "the other was used later");
        assert!(!shape_is_taken(10, "b_2", 101, with(O3)), "that is another package of the name");
        assert!(!shape_is_taken(10, "a_2", 101, with(DEFAULT & !1)), "it has no native code");
        assert!(!shape_is_taken(10, "a_2", 101, with(0b0110_0011)), "it is for -O1");
        assert!(!shape_is_taken(10, "a_2", 101, with(G2)) && shape_is_taken(12, "a_2", 101, with(G2)));
        // Another version, another place.
        let other = Cache { sources: "Shape.jl 101", build: 2, ..SHAPE };
        assert!(!shape_is_taken(10, "a_2", 101, other));
    }

    #[test]
    fn a_cache_fits_when_what_it_needs_is_there() {
        const POINT: Cache = Cache { sources: "Point.jl 7", ..SHAPE };
        let shape = || Cache { requires: &[("Base", 1), ("Point", 1)], ..SHAPE };
        let other = || Cache { options: O3, build: 2, requires: &[("Base", 1), ("Point", 2)], ..SHAPE };
        let known = || [("Shape", shape()), ("Point", POINT)];
        // With which Julia was begun is said by the build of Base.
        assert_eq!(
            taken(10, &known(), &[("Shape", "a_2", 101, Cache { requires: &[("Base", 2)], ..other() })]),
            None
        );
        assert_eq!(taken(10, &known(), &[("Shape", "a_2", 101, other())]), None);
        let built = |sources| ("Point", "a_2", 90, Cache { options: O3, build: 2, sources, ..POINT });
        let with = |point| taken(10, &known(), &[("Shape", "a_2", 101, other()), point]);
        assert_eq!(with(built("Point.jl 7")).as_deref(), Some("a_2.ji"));
        assert_eq!(with(built("Point.jl 8")), None, "that is what another project has");
    }

    #[test]
    fn what_is_no_cache_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let cache = SHAPE.write(folder.path(), "Shape", "a_1", 100);
        let whole = std::fs::read(&cache).unwrap();
        assert!(Header::parse(&mut whole.as_slice()).is_ok());
        for length in 0..whole.len() {
            assert!(Header::parse(&mut &whole[..length]).is_err(), "{length} bytes");
        }
        let mut negative = whole.clone();
        let at = whole.windows(4).position(|bytes| bytes == 5_i32.to_le_bytes()).unwrap();
        negative[at..at + 4].copy_from_slice(&(-5_i32).to_le_bytes());
        assert!(Header::parse(&mut negative.as_slice()).is_err());
    }
}
