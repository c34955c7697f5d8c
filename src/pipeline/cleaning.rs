//! Traces are cleaned while other workloads still run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::environment::IJULIA;
use crate::error::Error;
use crate::trace::{Collector, Modules, Totals, TraceCounts};
use crate::uuid::Uuid;
use crate::workload::{Kind, Ran, Workload};

/// Takes in traces as workloads end, and writes them to the statements file in a fixed order, the kernel and the test suites of others' packages last: the
/// same workloads make the same file, however long each took. Whatever was taken in whose turn it was is in the file.
pub(super) struct Cleaning {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    collector: Option<Collector<BufWriter<File>>>,
    /// Whose turn it is, and whose after that.
    order: VecDeque<(Kind, String)>,
    /// The packages of others whose test suites are workloads.
    suites_of_others: BTreeSet<String>,
    /// Those that ended before it was their turn.
    waiting: BTreeMap<(Kind, String), Ran>,
    /// Those that are through, with what became of their traces.
    through: Vec<(Ran, TraceCounts)>,
    /// Which modules the kernel's statements may name in a startup package.
    modules_of_kernel: Modules,
    /// Told when only test suites are left.
    only_suites_left: Rc<Notify>,
    problem: Option<Error>,
}

/// What the statements file holds.
pub(super) struct Cleaned {
    /// What became of the traces.
    pub totals: Totals,
    /// Each workload with the lines that it traced, in the order in which they are reported.
    pub workloads: Vec<(Ran, u64)>,
}

/// Statements that a startup package is to hold.
#[derive(Debug)]
pub(super) struct Selection {
    /// One a line.
    pub path: PathBuf,
    /// How many.
    pub number: u64,
    /// The packages that each of the project's scripts and notebooks used together.
    pub together: BTreeSet<BTreeSet<Uuid>>,
    /// Which of all, as the end of a phrase; empty when it is all.
    pub of: &'static str,
    /// What the kernel compiles besides.
    pub kernel: KernelStatements,
    /// What is about the project's own packages that no image has.
    pub own: Vec<String>,
}

/// Which modules statements may name.
pub(super) struct ModulesOf {
    /// In an image.
    pub image: Modules,
    /// The same with the project's own packages that are beside it, where there are any.
    pub with_own: Option<Modules>,
    /// In a kernel that has loaded nothing else.
    pub kernel: Modules,
}

/// What the kernel compiles. IJulia need not be among the plan's packages.
#[derive(Debug, Clone, Default)]
pub(super) struct KernelStatements {
    /// The statements.
    pub statements: Vec<String>,
    /// How many of them are not in the statements file, since they are about what is no part of the plan.
    pub beside: u64,
}

impl Selection {
    /// How many they are with the kernel's.
    pub(super) fn total(&self) -> u64 {
        self.number + (self.kernel.statements.len() + self.own.len()) as u64
    }

    /// How many are not in the statements file, since they are about what is no part of an image.
    pub(super) fn beside(&self) -> u64 {
        self.kernel.beside + self.own.len() as u64
    }
}

/// Which statements are worth what they cost whenever a session loads a startup package that holds them.
pub(super) struct ForStartup {
    /// In one that is used until the image is there; `None` when that is the same.
    pub until_image: Option<Selection>,
    /// In one that stays.
    pub lasting: Selection,
}

impl Cleaning {
    /// Prepares for these workloads, and makes the statements file.
    pub(super) fn new(workloads: &[Workload], path: &Path) -> Result<Self, Error> {
        let out = BufWriter::new(File::create(path).map_err(Error::file(path))?);
        let mut order: Vec<_> = workloads.iter().map(|workload| (workload.kind(), workload.name())).collect();
        let suites_of_others: BTreeSet<String> = workloads
            .iter()
            .filter(|workload| workload.is_suite_of_others())
            .map(|workload| workload.name())
            .collect();
        // What the kernel compiles, too, is to be found with what asks for it by itself.
        order.sort_by_key(|(kind, name)| {
            (*kind == Kind::Tests && suites_of_others.contains(name), kind.is_kernel(name))
        });
        Ok(Self {
            path: path.to_owned(),
            out: Some(out),
            collector: None,
            order: order.into(),
            suites_of_others,
            waiting: BTreeMap::new(),
            through: Vec::new(),
            modules_of_kernel: Modules::default(),
            only_suites_left: Rc::default(),
            problem: None,
        })
    }

    fn is_suite_of_others(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Tests && self.suites_of_others.contains(name)
    }

    /// Who is told, once, when all but the test suites of others' packages are through.
    pub(super) fn only_suites_left(&self) -> Rc<Notify> {
        Rc::clone(&self.only_suites_left)
    }

    /// Tells which modules statements may name, which is known when the packages were loaded.
    pub(super) fn begin(&mut self, modules: ModulesOf) {
        self.modules_of_kernel = modules.kernel;
        if let Some(out) = self.out.take() {
            let collector = Collector::new(modules.image, out);
            self.collector = Some(match modules.with_own {
                Some(with_own) => collector.and_beside(with_own),
                None => collector,
            });
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
        let before = self.through.len();
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
        // The process that is to write the image may be waiting for these.
        if self.through.len() > before
            && let Err(error) = collector.flush()
        {
            self.problem.get_or_insert(Error::file(&self.path)(error));
        }
        if self.order.front().is_none_or(|(kind, name)| self.is_suite_of_others(*kind, name)) {
            self.only_suites_left.notify_one();
        }
    }

    /// Whether all that was taken in so far could be read and written.
    fn sound(&mut self) -> Result<(), Error> {
        self.problem.take().map_or(Ok(()), Err)
    }

    /// What the workloads that ended came to.
    pub(super) fn so_far(&mut self) -> Result<Cleaned, Error> {
        self.sound()?;
        let totals = self.collector.as_ref().map(|collector| collector.totals().clone()).unwrap_or_default();
        let mut workloads: Vec<_> =
            self.through.iter().map(|(ran, counts)| (ran.clone(), counts.lines)).collect();
        workloads.sort_by_key(|(ran, _)| ran.kind);
        Ok(Cleaned { totals, workloads })
    }

    /// What the project's own scripts, notebooks and tests compile, and loading the packages does: what a startup package is to hold, if its
    /// own compiled anything and loaded one of these packages, if there are any. It is asked for while test suites are still to come.
    pub(super) fn of_its_own(
        &mut self,
        work: &Path,
        packages: &BTreeSet<Uuid>,
    ) -> Result<Option<Selection>, Error> {
        self.sound()?;
        // Of one that did not come to its end it is not known what it had loaded.
        let uses =
            |ran: &Ran| packages.is_empty() || ran.loaded.is_empty() || !ran.loaded.is_disjoint(packages);
        let is_own = |ran: &Ran| {
            ran.is_projects_own() || ran.kind == Kind::Tests && !self.is_suite_of_others(ran.kind, &ran.name)
        };
        let shows_something = |counts: &TraceCounts| counts.written() + counts.beside > 0;
        if !self.through.iter().any(|(ran, counts)| is_own(ran) && shows_something(counts) && uses(ran)) {
            return Ok(None);
        }
        // The kernel and suites come last in the file, whether they have ended or not.
        let others = self
            .through
            .iter()
            .filter(|(ran, _)| !self.is_suite_of_others(ran.kind, &ran.name) && !ran.is_kernel());
        let number = others.map(|(_, counts)| counts.written()).sum();
        let path = work.join("statements-of-own.jl");
        let number = copy_lines(&self.path, &path, number, |_| true).map_err(Error::file(&path))?;
        Ok(Some(Selection {
            path,
            number,
            together: self.used_together(),
            of: " that scripts and notebooks compile",
            kernel: self.of_kernel()?,
            own: self.of_own_packages(),
        }))
    }

    /// The project's own scripts and notebooks that are through.
    fn own(&self) -> impl Iterator<Item = &(Ran, TraceCounts)> {
        self.through.iter().filter(|(ran, _)| ran.is_projects_own())
    }

    /// The packages of each script and notebook. Those of a notebook are used in a kernel.
    fn used_together(&self) -> BTreeSet<BTreeSet<Uuid>> {
        let has_kernel = self.through.iter().any(|(ran, _)| ran.is_kernel());
        let sets = self.own().map(|(ran, _)| {
            let in_kernel = has_kernel && ran.kind == Kind::Notebooks && !ran.loaded.is_empty();
            ran.loaded.iter().copied().chain(in_kernel.then_some(IJULIA)).collect()
        });
        sets.collect()
    }

    /// The statements about the project's own packages that no image has.
    pub(super) fn of_own_packages(&self) -> Vec<String> {
        self.collector.as_ref().map_or_else(Vec::new, |collector| collector.beside().to_vec())
    }

    fn of_kernel(&self) -> Result<KernelStatements, Error> {
        let (Some(all), Some((kernel, _))) =
            (&self.collector, self.through.iter().find(|(ran, _)| ran.is_kernel()))
        else {
            return Ok(KernelStatements::default());
        };
        let Ok(trace) = File::open(&kernel.trace) else { return Ok(KernelStatements::default()) };
        let mut statements = Vec::new();
        let mut collector = Collector::new(self.modules_of_kernel.clone(), &mut statements);
        collector.read(BufReader::new(trace)).map_err(Error::file(&kernel.trace))?;
        let statements: Vec<String> =
            String::from_utf8_lossy(&statements).lines().map(str::to_owned).collect();
        let beside = statements.iter().filter(|statement| !all.has(statement)).count() as u64;
        Ok(KernelStatements { statements, beside })
    }

    /// Which of the statements a startup package is to hold where nothing tells what sessions will do. It is all that test suites
    /// compile, which can take minutes; until the image is there, only what several of them do. Of the 8,084 statements of six
    /// of the standard library's suites those are 4 %, and a third of those that a script needed which was no workload. Where it
    /// is to stay from the start (`lasts`), these make no difference.
    pub(super) fn for_startup(&self, work: &Path, lasts: bool) -> Result<ForStartup, Error> {
        let number = self.collector.as_ref().map_or(0, |collector| collector.totals().counts.written());
        let (together, kernel, own) = (self.used_together(), self.of_kernel()?, self.of_own_packages());
        let lasting = Selection {
            path: self.path.clone(),
            number,
            together: together.clone(),
            of: "",
            kernel: kernel.clone(),
            own: own.clone(),
        };
        let is_suite = |ran: &Ran| self.is_suite_of_others(ran.kind, &ran.name);
        let suites = self.through.iter().filter(|(ran, _)| is_suite(ran)).count();
        let Some(collector) = self.collector.as_ref().filter(|_| suites > 1 && !lasts) else {
            return Ok(ForStartup { until_image: None, lasting });
        };
        let path = work.join("statements-of-several.jl");
        let selected = copy_lines(&self.path, &path, u64::MAX, |line| collector.is_in_several(line));
        let number = selected.map_err(Error::file(&path))?;
        let of = " that several test suites compile";
        let until_image = (number > 0).then_some(Selection { path, number, together, of, kernel, own });
        Ok(ForStartup { until_image, lasting })
    }
}

/// Copies those of the first lines that are wanted into a new file; how many.
fn copy_lines(from: &Path, to: &Path, first: u64, is_wanted: impl Fn(&str) -> bool) -> io::Result<u64> {
    let input = BufReader::new(File::open(from)?);
    let mut output = BufWriter::new(File::create(to)?);
    let mut copied = 0;
    for line in input.lines().take(usize::try_from(first).unwrap_or(usize::MAX)) {
        let line = line?;
        if is_wanted(&line) {
            writeln!(output, "{line}")?;
            copied += 1;
        }
    }
    output.flush()?;
    Ok(copied)
}
