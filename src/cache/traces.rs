//! What workloads were seen to compile, so that one is not run again while nothing changed that it depends on.
//!
//! A trace says which code is to be compiled, so whose files are believed is the same as for an image. What cannot be read
//! or is not what was written is as good as not there: the workload runs again, and replaces it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contents::FileRecord;
use super::staging::put_in_place;
use super::trust::Trust;
use super::{Cache, create_private, folders_in, read_json, usage};
use crate::file::{Sha256Digest, set_mode};
use crate::key::{TraceInputs, TraceKey};
use crate::uuid::Uuid;
use crate::workload::{Kind, Outcome, Ran};

/// The folder with the traces.
pub(super) const FOLDER: &str = "traces";

/// How long a trace stays that no build uses.
pub(super) const OLDEST: Duration = Duration::from_secs(90 * 86_400);

/// What all traces may take on disk, in bytes. The trace of a suite with 5,000 statements takes some 100 KB.
pub(super) const LARGEST: u64 = 512 << 20;

/// The version of [`KeptTrace`] that is written and read.
const FORMAT: u32 = 1;

const RECORD: &str = "trace.json";
const TRACE: &str = "trace.jl.zst";
const LOG: &str = "log.zst";

/// zstd's level. Statements repeat each other's types, so any level makes a tenth of them.
const LEVEL: i32 = 3;

/// A workload that was run, and whose trace is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptTrace {
    format: u32,
    key: TraceKey,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Whose tests it is.
    pub package: Option<Uuid>,
    /// The project file that it ran for.
    pub project: PathBuf,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
    /// How much of it went into compiling, where that is known.
    pub compile_seconds: Option<f64>,
    /// How long it might have taken, in seconds.
    pub limit: f64,
    /// Peak memory of its largest process, in bytes.
    pub peak_memory_bytes: u64,
    /// What else is to be known about it, as the end of a sentence.
    pub note: Option<String>,
    /// Of a script or notebook that failed, the first error.
    #[serde(default)]
    pub error: Option<String>,
    /// The projects that became active in it.
    #[serde(default)]
    pub activated: Vec<PathBuf>,
    /// The packages that it had loaded when it ended.
    #[serde(default)]
    pub loaded: BTreeSet<Uuid>,
    /// The trace before it was packed; absent when nothing was compiled.
    trace: Option<FileRecord>,
    /// The log before it was packed.
    log: Option<FileRecord>,
}

/// What all traces take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TraceUsage {
    /// How many there are.
    pub count: usize,
    /// Their size, in bytes.
    pub bytes: u64,
}

impl KeptTrace {
    /// The record of a workload that ran with these inputs, for the project of this file.
    pub fn of(ran: &Ran, inputs: &TraceInputs, project: &Path) -> Self {
        Self {
            format: FORMAT,
            key: inputs.key(),
            kind: ran.kind,
            name: ran.name.clone(),
            package: inputs.package,
            project: project.to_owned(),
            outcome: ran.outcome,
            seconds: ran.seconds,
            compile_seconds: ran.compile_seconds,
            limit: ran.limit.as_secs_f64(),
            peak_memory_bytes: ran.peak_memory_bytes,
            note: ran.note.clone(),
            error: ran.error.clone(),
            activated: ran.activated.clone(),
            loaded: ran.loaded.clone(),
            trace: None,
            log: None,
        }
    }
}

impl Cache {
    /// Finds the trace of this key, if it `is_wanted`, and writes it to the file `trace`, and what the workload printed to
    /// `log`. Neither file is there afterwards when nothing was found.
    pub fn take_trace(
        &self,
        key: &TraceKey,
        is_wanted: impl Fn(&KeptTrace) -> bool,
        trace: &Path,
        log: &Path,
    ) -> Option<KeptTrace> {
        self.places().find_map(|place| {
            let folder = place.root.join(FOLDER).join(key.to_string());
            let kept = read(&folder, place.trust).filter(|kept| kept.key == *key && is_wanted(kept))?;
            let unpacked = unpack(&folder.join(TRACE), kept.trace.as_ref(), trace, place.trust)
                .and_then(|()| unpack(&folder.join(LOG), kept.log.as_ref(), log, place.trust));
            if unpacked.is_err() {
                let _ = std::fs::remove_file(trace);
                let _ = std::fs::remove_file(log);
                return None;
            }
            if place.trust == Trust::OWN {
                note_use(&folder);
            }
            Some(kept)
        })
    }

    /// The key of the newest trace of the user's own whose record and inputs are like this.
    pub fn trace_like(
        &self,
        is_wanted: impl Fn(&KeptTrace) -> bool,
        is_like: impl Fn(&TraceInputs) -> bool,
    ) -> Option<TraceKey> {
        let found = folders_in(&self.folder(FOLDER)).filter_map(|folder| {
            let kept = read(&folder, Trust::OWN).filter(&is_wanted)?;
            let inputs = read_json(&folder.join(super::entry::KEY_INPUTS)).ok()?;
            is_like(&inputs).then_some((usage::last(&folder), kept.key))
        });
        found.max_by_key(|(used, _)| *used).map(|(_, key)| key)
    }

    /// The record of this key's trace, if there is one.
    pub fn kept_trace(&self, key: &TraceKey) -> Option<KeptTrace> {
        self.places().find_map(|place| {
            let folder = place.root.join(FOLDER).join(key.to_string());
            read(&folder, place.trust).filter(|kept| kept.key == *key)
        })
    }

    /// Keeps a workload's trace and its log, in the place of any that was kept with the same inputs.
    pub fn keep_trace(
        &self,
        inputs: &TraceInputs,
        mut kept: KeptTrace,
        trace: &Path,
        log: &Path,
    ) -> io::Result<()> {
        let staging = self.stage().map_err(io::Error::other)?;
        let folder = staging.work().join("trace");
        create_private(&folder)?;
        kept.trace = pack(trace, &folder.join(TRACE))?;
        kept.log = pack(log, &folder.join(LOG))?;
        write_private(&folder.join(super::entry::KEY_INPUTS), &serde_json::to_vec_pretty(inputs)?)?;
        write_private(&folder.join(RECORD), &serde_json::to_vec_pretty(&kept)?)?;
        usage::start(&folder)?;
        put_in_place(&folder, &self.folder(FOLDER).join(kept.key.to_string()))
    }

    /// What is known of workloads that ran, whatever changed since.
    pub fn kept_traces(&self) -> Vec<KeptTrace> {
        folders_in(&self.folder(FOLDER)).filter_map(|folder| read(&folder, Trust::OWN)).collect()
    }

    /// What the traces in the user's own cache take.
    pub fn trace_usage(&self) -> TraceUsage {
        folders_in(&self.folder(FOLDER)).fold(TraceUsage::default(), |usage, folder| TraceUsage {
            count: usage.count + 1,
            bytes: usage.bytes + bytes_in(&folder),
        })
    }

    /// Removes traces that were not used for `max_age`, and of the others those used longest ago, until they take no
    /// more than `max_size` bytes.
    pub(super) fn bound_traces(&self, max_age: Duration, max_size: u64) {
        let mut all: Vec<_> = folders_in(&self.folder(FOLDER))
            .map(|folder| (usage::last(&folder).unwrap_or(Timestamp::UNIX_EPOCH), folder))
            .collect();
        all.sort_by_key(|(used, _)| Reverse(*used));
        let mut size = 0;
        for (used, folder) in all {
            let age = Duration::try_from(Timestamp::now().duration_since(used)).unwrap_or_default();
            size += bytes_in(&folder);
            if age > max_age || size > max_size {
                let _ = self.discard(&folder);
            }
        }
    }

    /// Removes all traces, and returns how many bytes they took.
    pub fn forget_traces(&self) -> u64 {
        let TraceUsage { bytes, .. } = self.trace_usage();
        let _ = std::fs::remove_dir_all(self.folder(FOLDER));
        bytes
    }
}

/// The record in a folder, if it can be read and believed.
fn read(folder: &Path, trust: Trust) -> Option<KeptTrace> {
    let file = folder.join(RECORD);
    trust.check(folder).and_then(|()| trust.check(&file)).ok()?;
    let kept: KeptTrace = read_json(&file).ok()?;
    (kept.format == FORMAT).then_some(kept)
}

fn note_use(folder: &Path) {
    let _ = OpenOptions::new()
        .write(true)
        .open(folder.join(usage::FILE))
        .and_then(|file| file.set_modified(SystemTime::now()));
}

/// Packs a file, if it is there, and says what was in it.
fn pack(file: &Path, packed: &Path) -> io::Result<Option<FileRecord>> {
    let mut file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut encoder = zstd::Encoder::new(File::create(packed)?, LEVEL)?;
    let record = copy(&mut file, &mut encoder)?;
    encoder.finish()?;
    set_mode(packed, 0o600)?;
    Ok(Some(record))
}

/// Unpacks a file that is `expected` to be there.
fn unpack(packed: &Path, expected: Option<&FileRecord>, file: &Path, trust: Trust) -> io::Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    trust.check(packed).map_err(|doubt| io::Error::other(doubt.to_string()))?;
    let decoder = zstd::Decoder::new(File::open(packed)?)?;
    // One byte more than there should be shows that it is another file, however much more follows.
    let record = copy(&mut decoder.take(expected.size + 1), &mut File::create(file)?)?;
    if record == *expected { Ok(()) } else { Err(io::Error::other("it is not what was packed")) }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<FileRecord> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
                size += count as u64;
            }
        }
    }
    let digest: [u8; 32] = hasher.finalize().into();
    Ok(FileRecord { size, sha256: Sha256Digest::from(digest) })
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::write(path, content)?;
    set_mode(path, 0o600)
}

fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheVariables;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let root = tempfile::tempdir().unwrap();
        let variables = CacheVariables { own: Some(root.path().join("cache")), shared: None };
        let cache = Cache::locate(variables, None).unwrap();
        cache.prepare().unwrap();
        let day = Duration::from_secs(86_400);
        for days in 1..=4 {
            let folder = cache.folder(FOLDER).join(days.to_string());
            create_private(&folder).unwrap();
            std::fs::write(folder.join(TRACE), [0; 1000]).unwrap();
            let used = File::create(folder.join(usage::FILE)).unwrap();
            used.set_modified(SystemTime::now() - days * day).unwrap();
        }
        let left = || {
            let mut names: Vec<_> = folders_in(&cache.folder(FOLDER)).collect();
            names.sort();
            names.iter().map(|folder| folder.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        cache.bound_traces(90 * day, 4000);
        assert_eq!(cache.trace_usage(), TraceUsage { count: 4, bytes: 4000 });
        cache.bound_traces(90 * day, 3999);
        assert_eq!(left(), ["1", "2", "3"]);
        cache.bound_traces(2 * day + day / 2, u64::MAX);
        assert_eq!(left(), ["1", "2"]);
        assert_eq!(cache.forget_traces(), 2000);
        assert_eq!(cache.trace_usage(), TraceUsage::default());
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let root = tempfile::tempdir().unwrap();
        let [file, packed, out] = ["file", "packed", "out"].map(|name| root.path().join(name));
        std::fs::write(&file, "precompile(Tuple{Int64})\n".repeat(1000)).unwrap();
        let record = pack(&file, &packed).unwrap();
        assert!(packed.metadata().unwrap().len() < 1000);
        unpack(&packed, record.as_ref(), &out, Trust::OWN).unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&file).unwrap());
        // Another content, a shorter and a longer one, none.
        for other in ["precompile(Tuple{Int32})\n".repeat(1000), String::new(), "x".repeat(1 << 20)] {
            std::fs::write(&file, other).unwrap();
            pack(&file, &packed).unwrap();
            unpack(&packed, record.as_ref(), &out, Trust::OWN).unwrap_err();
        }
        std::fs::write(&file, "precompile(Tuple{Int64})\n".repeat(1000)).unwrap();
        pack(&file, &packed).unwrap();
        set_mode(&packed, 0o622).unwrap();
        unpack(&packed, record.as_ref(), &out, Trust::OWN).unwrap_err();
        assert_eq!(pack(&root.path().join("none"), &packed).unwrap(), None);
    }
}
