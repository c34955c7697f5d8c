//! A command's output, kept within bounds.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::unistd::Pid;

use super::left_behind::{says_more, who_waits};

/// How much of a command's output is kept, in bytes: enough for any honest test suite, while one that
/// prints a gigabyte does not fill the disk.
pub const LOG_LIMIT: u64 = 16 << 20;

/// The error in a line that begins with `ERROR: `, as Julia prints one that nobody caught: without the names of the errors
/// that only say where it was loaded from, and not too long for a sentence.
pub fn error_in_line(line: &str) -> Option<String> {
    let error = line.strip_prefix("ERROR: ")?;
    let error = error.trim_start_matches("LoadError: ").trim_start_matches("InitError: ");
    Some(error.chars().take(300).collect())
}

/// The signal in the line in which a Julia says that one ends it: `signal (6): Aborted`, since 1.9 behind its process's number
/// (`jl_critical_error`, src/signal-handling.c).
pub fn signal_in_line(line: &str) -> Option<&str> {
    let behind_number =
        line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(line, |(_, rest)| rest);
    behind_number.starts_with("signal ").then_some(behind_number)
}

/// What a Julia that ended with an error says about it: the first error in its log. Empty when there is none.
pub fn julia_error(log: &Path) -> String {
    text_of(log).lines().find_map(error_in_line).unwrap_or_default()
}

/// Whether some of these words are in a log. One that cannot be read says nothing.
pub fn says(log: &Path, words: &[&str]) -> bool {
    let text = text_of(log);
    words.iter().any(|words| text.contains(words))
}

/// The first line of a log that has some of these words in it, not too long for a sentence.
pub fn line_with(log: &Path, words: &[&str]) -> Option<String> {
    let text = text_of(log);
    let line = text.lines().find(|line| words.iter().any(|words| line.contains(words)))?;
    Some(line.trim().trim_start_matches("ERROR: ").chars().take(300).collect())
}

fn text_of(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// Whether a process says in its log that a limit on memory was reached, in the words of Julia, LLVM, or the C and C++
/// libraries.
pub(super) fn says_out_of_memory(log: &Path) -> bool {
    let words = [
        "OutOfMemoryError",
        "out of memory",
        "std::bad_alloc",
        "Cannot allocate memory",
        "Allocation failed",
    ];
    says(log, &words)
}

/// The file that takes a command's output, within the limit, and the supervisor's own notes beside it.
#[derive(Debug)]
pub(super) struct Log {
    file: Mutex<Option<File>>,
    printed: AtomicU64,
    waiting: Mutex<BTreeSet<Pid>>,
}

impl Log {
    /// A new file at `path`; where that cannot be made, nothing is kept.
    pub fn new(path: &Path) -> Self {
        let file = Mutex::new(File::create(path).ok());
        Self { file, printed: AtomicU64::default(), waiting: Mutex::default() }
    }

    /// How much the command has printed, in bytes, also of what is not kept; but for Julia's words that it waits.
    pub fn printed(&self) -> u64 {
        self.printed.load(Ordering::Relaxed)
    }

    /// The processes that said that they wait for what a package left behind.
    pub fn waiting(&self) -> BTreeSet<Pid> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn heard(&self, text: &[u8]) {
        let is_news = |line| says_more(&String::from_utf8_lossy(line));
        if text.split(|byte| *byte == b'\n').any(is_news) {
            self.printed.fetch_add(text.len() as u64, Ordering::Relaxed);
            return;
        }
        let text = String::from_utf8_lossy(text);
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(text.lines().filter_map(who_waits));
    }

    /// Adds a line of the supervisor's own.
    pub fn note(&self, text: &str) {
        self.write(format!("[jlsys: {text}]\n").as_bytes());
    }

    /// Copies `output` until its end, or until the limit; past that the output is still read, so that the command is not held
    /// up, and its size noted in the last line.
    pub fn copy(&self, mut output: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        let (mut kept, mut left_out) = (0_u64, 0_u64);
        loop {
            let count = match output.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.heard(&buffer[..count]);
            if kept < LOG_LIMIT && self.write(&buffer[..count]) {
                kept += count as u64;
            } else {
                left_out += count as u64;
            }
        }
        if left_out > 0 {
            self.write(format!("\n[jlsys: {left_out} more bytes of output are left out]\n").as_bytes());
        }
        Ok(())
    }

    /// Whether that worked. A full disk must not end the command, and that is what no longer reading its output would do.
    fn write(&self, bytes: &[u8]) -> bool {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.as_mut().is_some_and(|file| file.write_all(bytes).is_ok());
        if !written {
            *file = None;
        }
        written
    }
}
