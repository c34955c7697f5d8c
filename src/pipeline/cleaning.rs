//! Traces are cleaned while other workloads still run.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::trace::{Collector, Modules, Totals, TraceCounts};
use crate::workload::{Kind, Ran, Workload};

/// Takes in traces as workloads end, and writes them to the statements file in a fixed order, test suites last: the same workloads
/// make the same file, however long each took.
pub(super) struct Cleaning {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    collector: Option<Collector<BufWriter<File>>>,
    /// Whose turn it is, and whose after that.
    order: VecDeque<(Kind, String)>,
    /// Those that ended before it was their turn.
    waiting: BTreeMap<(Kind, String), Ran>,
    /// Those that are through, with what became of their traces.
    through: Vec<(Ran, TraceCounts)>,
    problem: Option<Error>,
}

/// What the statements file holds.
pub(super) struct Cleaned {
    /// What became of all traces.
    pub totals: Totals,
    /// Each workload with the lines that it traced, in the order in which they are reported.
    pub workloads: Vec<(Ran, u64)>,
    /// How many of the statements, from the first, a startup package is to hold.
    pub for_startup: u64,
}

impl Cleaning {
    /// Prepares for these workloads, and makes the statements file.
    pub(super) fn new(workloads: &[Workload], path: &Path) -> Result<Self, Error> {
        let out = BufWriter::new(File::create(path).map_err(Error::file(path))?);
        let mut order: Vec<_> = workloads.iter().map(|workload| (workload.kind(), workload.name())).collect();
        order.sort_by_key(|(kind, _)| *kind == Kind::Tests);
        Ok(Self {
            path: path.to_owned(),
            out: Some(out),
            collector: None,
            order: order.into(),
            waiting: BTreeMap::new(),
            through: Vec::new(),
            problem: None,
        })
    }

    /// Tells which modules statements may name, which is known when the packages were loaded.
    pub(super) fn begin(&mut self, modules: Modules) {
        if let Some(out) = self.out.take() {
            self.collector = Some(Collector::new(modules, out));
        }
        self.go_on();
    }

    /// Takes in a workload that ended. One that is not to be reported is passed over.
    pub(super) fn arrive(&mut self, ran: Ran) {
        self.waiting.insert((ran.kind, ran.name.clone()), ran);
        self.go_on();
    }

    fn go_on(&mut self) {
        let Some(collector) = &mut self.collector else { return };
        while let Some(ran) = self.order.front().and_then(|next| self.waiting.remove(next)) {
            self.order.pop_front();
            let counts = match File::open(&ran.trace) {
                Ok(trace) => match collector.read(BufReader::new(trace)) {
                    Ok(counts) => counts,
                    Err(error) => {
                        self.problem.get_or_insert(Error::file(&ran.trace)(error));
                        TraceCounts::default()
                    }
                },
                // A workload that ended before it compiled anything left no file.
                Err(_) => TraceCounts::default(),
            };
            self.through.push((ran, counts));
        }
    }

    /// Ends the statements file.
    pub(super) fn finish(mut self) -> Result<Cleaned, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let totals = match self.collector {
            Some(collector) => collector.finish().map_err(Error::file(&self.path))?,
            None => Totals::default(),
        };
        self.through.sort_by_key(|(ran, _)| ran.kind);
        let written = |kinds: &[Kind]| -> u64 {
            let of_kinds = self.through.iter().filter(|(ran, _)| kinds.contains(&ran.kind));
            of_kinds.map(|(_, counts)| counts.written()).sum()
        };
        // Each costs something whenever a session loads it: what test suites compile is worth it where nothing says more of
        // what sessions will do.
        let own = written(&[Kind::Notebooks, Kind::Scripts]);
        let for_startup = if own > 0 { written(&[Kind::Load]) + own } else { totals.counts.written() };
        let workloads = self.through.into_iter().map(|(ran, counts)| (ran, counts.lines)).collect();
        Ok(Cleaned { totals, workloads, for_startup })
    }
}
