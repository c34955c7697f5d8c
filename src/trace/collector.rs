//! Traces are merged into one statements file.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::lines::{Line, Lines};
use super::{DropReason, Modules, Owner, Statement, streams};

/// Merges traces: writes each statement that can be replayed once, as it comes.
///
/// It holds no statement's text, only a hash of each, so that its memory is some 50 bytes a statement.
pub struct Collector<W> {
    modules: Modules,
    out: W,
    /// The modules of what is beside the image as well, and the statements that name one of those.
    beside: Option<(Modules, Vec<String>)>,
    /// The first 128 bits of each written statement's SHA-256: no two collide by accident.
    seen: HashMap<[u8; 16], Seen>,
    /// How many traces there were.
    traces: u32,
    totals: Totals,
}

/// Where a statement was seen.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// In this trace alone, counted from 0.
    In(u32),
    /// In several.
    InSeveral,
}

/// What jlsys's own drivers compile while they watch: not the watched code's, so it does not count.
fn is_ours(line: &str) -> bool {
    ["JlsysCompiling.", "JlsysNotebook."].iter().any(|module| line.contains(module))
}

/// What became of one trace's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TraceCounts {
    /// Lines that are not blank.
    pub lines: u64,
    /// Statements that this trace was the first to hold.
    pub kept: u64,
    /// Statements that were written beside these, about other standard streams than the workloads had.
    pub for_other_streams: u64,
    /// Statements that were there already, from this trace or another.
    pub duplicates: u64,
    /// How many of the kept did not read back as Julia printed them, and were mended.
    pub repaired: u64,
    /// How many of the kept Julia had to compile again (see [`Statement::recompiled`]).
    pub recompiled: u64,
    /// Lines about what is beside the image.
    pub beside: u64,
    /// Lines left out.
    pub dropped: BTreeMap<DropReason, u64>,
}

/// What became of all traces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// The sums over all traces.
    pub counts: TraceCounts,
    /// How many of the kept statements each package owns.
    pub owners: BTreeMap<Owner, u64>,
}

impl<W: Write> Collector<W> {
    /// A collector that writes the statements file to `out`, which is best buffered.
    pub fn new(modules: Modules, out: W) -> Self {
        Self { modules, out, beside: None, seen: HashMap::new(), traces: 0, totals: Totals::default() }
    }

    /// The same, which also collects statements that can be replayed where these modules are loaded, too.
    #[must_use]
    pub fn and_beside(self, modules: Modules) -> Self {
        Self { beside: Some((modules, Vec::new())), ..self }
    }

    /// Takes in one trace. A last line that was not written to its end is counted as unreadable, as is anything that is
    /// no statement.
    ///
    /// # Errors
    ///
    /// When `trace` cannot be read or the statements file not be written.
    pub fn read(&mut self, trace: impl BufRead) -> io::Result<TraceCounts> {
        let mut counts = TraceCounts::default();
        let mut lines = Lines::new(trace);
        while let Some(line) = lines.next()? {
            let parsed = match line {
                Line::Text(text) if text.trim().is_empty() || is_ours(text) => continue,
                Line::Text(text) => Statement::parse(text, &self.modules),
                Line::Garbage => Err(DropReason::Unreadable),
            };
            counts.lines += 1;
            match parsed {
                Err(DropReason::ModuleNotLoaded) if self.takes_beside(&line) => counts.beside += 1,
                Err(reason) => *counts.dropped.entry(reason).or_default() += 1,
                Ok(statement) if !self.is_new(statement.text()) => {
                    counts.duplicates += 1;
                    for other in streams::in_sessions(statement.text()) {
                        self.is_new(&other);
                    }
                }
                Ok(statement) => {
                    self.out.write_all(statement.text().as_bytes())?;
                    self.out.write_all(b"\n")?;
                    counts.kept += 1;
                    for other in streams::in_sessions(statement.text()) {
                        if self.is_new(&other) {
                            self.out.write_all(other.as_bytes())?;
                            self.out.write_all(b"\n")?;
                            counts.for_other_streams += 1;
                            *self.totals.owners.entry(statement.owner()).or_default() += 1;
                        }
                    }
                    counts.repaired += u64::from(statement.repaired());
                    counts.recompiled += u64::from(statement.recompiled());
                    *self.totals.owners.entry(statement.owner()).or_default() += 1;
                }
            }
        }
        self.totals.counts.add(&counts);
        self.traces += 1;
        Ok(counts)
    }

    /// Whether a line is a statement about what is beside the image; takes it in if so.
    fn takes_beside(&mut self, line: &Line<'_>) -> bool {
        let Line::Text(text) = line else { return false };
        let Some((modules, _)) = &self.beside else { return false };
        let Ok(statement) = Statement::parse(text, modules) else { return false };
        let text = statement.text();
        for statement in std::iter::once(text.to_owned()).chain(streams::in_sessions(text)) {
            if self.is_new(&statement)
                && let Some((_, statements)) = &mut self.beside
            {
                statements.push(statement);
            }
        }
        true
    }

    /// Notes that the trace at hand has a statement; whether none had it before.
    fn is_new(&mut self, statement: &str) -> bool {
        let here = Seen::In(self.traces);
        match self.seen.entry(hash(statement)) {
            Entry::Vacant(entry) => {
                entry.insert(here);
                true
            }
            Entry::Occupied(mut entry) => {
                if !matches!(entry.get(), Seen::In(trace) if *trace == self.traces) {
                    entry.insert(Seen::InSeveral);
                }
                false
            }
        }
    }

    /// The statements about what is beside the image, each once.
    pub fn beside(&self) -> &[String] {
        self.beside.as_ref().map_or(&[], |(_, statements)| statements)
    }

    /// Whether a statement was written.
    pub fn has(&self, statement: &str) -> bool {
        self.seen.contains_key(&hash(statement))
    }

    /// Whether more than one trace had a statement that was written.
    pub fn is_in_several(&self, statement: &str) -> bool {
        matches!(self.seen.get(&hash(statement)), Some(Seen::InSeveral))
    }

    /// Writes out what a buffer may still hold of the statements file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What became of the traces until now.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl TraceCounts {
    /// How many statements were written for this trace.
    pub fn written(&self) -> u64 {
        self.kept + self.for_other_streams
    }

    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.kept += other.kept;
        self.for_other_streams += other.for_other_streams;
        self.duplicates += other.duplicates;
        self.repaired += other.repaired;
        self.recompiled += other.recompiled;
        self.beside += other.beside;
        for (&reason, count) in &other.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
    }
}

fn hash(text: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut first_half = [0; 16];
    first_half.copy_from_slice(&digest[..16]);
    first_half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(traces: &[&[u8]]) -> (String, Vec<TraceCounts>, Totals) {
        let mut out = Vec::new();
        let mut collector = Collector::new(Modules::new([], []), &mut out);
        let counts = traces.iter().map(|trace| collector.read(*trace).unwrap()).collect();
        let totals = collector.totals().clone();
        (String::from_utf8(out).unwrap(), counts, totals)
    }

    #[test]
    fn a_statement_is_written_once_whatever_stands_around_it() {
        let (out, counts, totals) = collect(&[
            b"precompile(Tuple{typeof(Base.sin), Int64})\nprecompile(Tuple{typeof(Base.sin), Int64}) # recompile\n",
            b"\n  #= 1.0 ms =# precompile(Tuple{typeof(Base.sin), Int64})\nprecompile(Tuple{typeof(Base.cos), Base.Val{1.5f}})",
        ]);
        assert_eq!(
            out,
            "precompile(Tuple{typeof(Base.sin), Int64})\nprecompile(Tuple{typeof(Base.cos), Base.Val{1.5f0}})\n"
        );
        let summary = |c: &TraceCounts| (c.lines, c.kept, c.duplicates, c.repaired);
        assert_eq!(summary(&counts[0]), (2, 1, 1, 0));
        assert_eq!(summary(&counts[1]), (2, 1, 1, 1));
        assert_eq!(summary(&totals.counts), (4, 2, 2, 1));
        assert_eq!(totals.owners[&Owner::Base], 2);
    }

    #[test]
    fn what_several_traces_have_is_known() {
        let mut collector = Collector::new(Modules::new([], []), io::sink());
        let sin = "precompile(Tuple{typeof(Base.sin), Int64})";
        let print = "precompile(Tuple{typeof(Base.print), Base.PipeEndpoint})";
        let print_in_terminal = "precompile(Tuple{typeof(Base.print), Base.TTY})";
        let cos = "precompile(Tuple{typeof(Base.cos), Int64})";
        collector.read(format!("{sin}\n{cos}\n{cos} # recompile\n{print}\n").as_bytes()).unwrap();
        assert!([sin, cos, print].iter().all(|statement| !collector.is_in_several(statement)));
        assert!(collector.has(cos) && !collector.has("precompile(Tuple{typeof(Base.tan), Int64})"));
        collector.read(format!("{print}\n{sin}\n").as_bytes()).unwrap();
        collector.read(format!("{sin}\n").as_bytes()).unwrap();
        assert!([sin, print, print_in_terminal].iter().all(|statement| collector.is_in_several(statement)));
        assert!(!collector.is_in_several(cos));
    }

    #[test]
    fn what_the_drivers_compile_for_themselves_does_not_count() {
        let (out, counts, _) = collect(&[
            b"precompile(Tuple{typeof(JlsysCompiling.note)})\nprecompile(Tuple{typeof(Base.display), JlsysNotebook.Inline, Int64})\n",
            b"precompile(Tuple{typeof(Base.sin), Int64})\n",
        ]);
        assert_eq!(out, "precompile(Tuple{typeof(Base.sin), Int64})\n");
        assert_eq!((counts[0].lines, counts[0].dropped.len(), counts[1].lines), (0, 0, 1));
    }

    #[test]
    fn garbage_is_counted_and_passed_over() {
        let mut trace = b"\xff\xfe\n\0\n".to_vec();
        trace.resize(trace.len() + (10 << 20), b'x');
        trace.extend_from_slice(
            b"\nprecompile(Tuple{Int64})\nprecompile(Tuple{typeof(Main.f)})\nprecompile(Tuple{typeof(Ba",
        );
        let (out, counts, _) = collect(&[&trace]);
        assert_eq!(out, "precompile(Tuple{Int64})\n");
        assert_eq!(
            serde_json::to_value(&counts[0]).unwrap()["dropped"],
            serde_json::json!({"unreadable": 4, "main": 1})
        );
    }
}
