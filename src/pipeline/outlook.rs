//! What a build would do, and what earlier ones tell of how long that takes: said when it begins, by `--dry-run`, and when it is interrupted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::BuildOptions;
use super::reuse::Reuse;
use crate::duration::{about, limit};
use crate::prepare::Prepared;
use crate::report::{Kept, Report, Tier};
use crate::state::State;
use crate::words::count;
use crate::workload::{Kind, Workload};

/// What a build would do.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// Its workloads, in the order in which they are reported; loading the packages is none of them.
    pub workloads: Vec<Expected>,
    /// How many run at once.
    pub jobs: usize,
    /// How long each may run, in seconds.
    pub time_limit: f64,
    /// Whether a startup package is built.
    pub startup: bool,
    /// Whether an image is written.
    pub image: bool,
    /// What an earlier build tells of the rest.
    pub earlier: Option<Earlier>,
}

/// What is known of a workload before it runs.
#[derive(Debug, Clone, Serialize)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether it need not run, since its trace is kept and nothing changed that it depends on.
    pub kept: bool,
    /// How long it took when it ran last, in seconds.
    pub seconds: Option<f64>,
    /// Notebooks of one folder run one after the other.
    #[serde(skip)]
    folder: Option<PathBuf>,
    /// Whether it is the test suite of a package that others wrote.
    #[serde(skip)]
    pub is_suite_of_others: bool,
}

/// How long an earlier build on this machine took, but for its workloads, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Earlier {
    /// Whether it was this project's, or another's with the same Julia.
    pub of_this_project: bool,
    /// Precompiling and loading the packages.
    pub loading: f64,
    /// Building the startup package; 0 where there was none.
    pub startup: f64,
    /// Compiling, linking and trying the image.
    pub image: f64,
}

/// How long a build takes, as far as one knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// In seconds.
    pub seconds: f64,
    /// How many workloads are not in it, since they never ran here.
    pub unknown: usize,
}

/// Looks at what a build with these options would do. Starts no process.
pub fn outlook(prepared: &Prepared, options: BuildOptions) -> Outlook {
    let startup = prepared.julia.differences().has_startup_package();
    Outlook::new(prepared, options, startup, !options.quick, &Reuse::new(prepared, options))
}

/// What there is after a build was interrupted.
pub fn kept(prepared: &Prepared) -> Kept {
    let workloads = outlook(prepared, BuildOptions::default()).workloads;
    let startup = matches!(State::of(prepared), State::Ready(entry) if entry.header.tier == Tier::Startup);
    let kept = workloads.iter().filter(|workload| workload.kept).count();
    Kept { workloads: kept, of: workloads.len(), startup }
}

impl Outlook {
    pub(super) fn new(
        prepared: &Prepared,
        options: BuildOptions,
        startup: bool,
        image: bool,
        reuse: &Reuse<'_>,
    ) -> Self {
        let times = reuse.times();
        let expected = |workload: &Workload| Expected {
            name: workload.name(),
            kind: workload.kind(),
            kept: reuse.has(workload),
            seconds: times.of(workload),
            folder: match workload {
                Workload::Notebook(notebook) => notebook.name.parent().map(Path::to_owned),
                _ => None,
            },
            is_suite_of_others: workload.is_suite_of_others(),
        };
        Self {
            workloads: prepared.plan.to_run().map(expected).collect(),
            jobs: options.jobs(),
            time_limit: prepared.settings.workloads.time_limit.as_secs_f64(),
            startup,
            image,
            earlier: Earlier::find(prepared, image),
        }
    }

    /// Those that are to run, if nothing unusual happens.
    pub fn to_run(&self) -> impl Iterator<Item = &Expected> {
        let suites_wait = self.suites_wait();
        self.workloads
            .iter()
            .filter(move |workload| !(workload.kept || suites_wait && workload.is_suite_of_others))
    }

    /// Whether the test suites of others' packages run only if nothing else compiles anything: where a startup package alone is built, and there are some.
    pub fn suites_wait(&self) -> bool {
        self.startup && !self.image && self.workloads.iter().any(|workload| !workload.is_suite_of_others)
    }

    /// How long a workload took when it ran last, in seconds.
    pub(super) fn seconds(&self, kind: Kind, name: &str) -> Option<f64> {
        self.workloads.iter().find(|other| other.kind == kind && other.name == name)?.seconds
    }

    /// How long it takes; nothing where an image or a startup package is to be built and none was yet.
    pub fn estimate(&self) -> Option<Estimate> {
        let unknown = self.to_run().filter(|workload| workload.seconds.is_none()).count();
        if self.earlier.is_none() && (self.image || self.startup)
            || unknown > 0 && unknown == self.to_run().count()
        {
            return None;
        }
        let running = self.running(|_| true);
        let Some(earlier) = self.earlier else { return Some(Estimate { seconds: running, unknown }) };
        // The startup package is built beside test suites, after what else there is.
        let startup = if self.startup { earlier.startup } else { 0.0 };
        let until_startup = self.running(|workload| !workload.is_suite_of_others) + startup;
        let image = if self.image { earlier.image } else { 0.0 };
        Some(Estimate { seconds: earlier.loading + running.max(until_startup) + image, unknown })
    }

    /// How long some workloads take that are started longest first, in seconds.
    fn running(&self, is_wanted: impl Fn(&Expected) -> bool) -> f64 {
        let mut chains: BTreeMap<(Option<&Path>, &str), f64> = BTreeMap::new();
        for workload in self.to_run().filter(|workload| is_wanted(workload)) {
            let name = if workload.folder.is_some() { "" } else { workload.name.as_str() };
            *chains.entry((workload.folder.as_deref(), name)).or_default() +=
                workload.seconds.unwrap_or(0.0).min(self.time_limit);
        }
        let mut chains: Vec<f64> = chains.into_values().collect();
        chains.sort_by(|a, b| b.total_cmp(a));
        let mut busy = vec![0.0; self.jobs.max(1)];
        for seconds in chains {
            busy.sort_by(f64::total_cmp);
            busy[0] += seconds;
        }
        busy.into_iter().fold(0.0, f64::max)
    }

    /// What a build is about to do, in one line.
    pub(super) fn sentence(&self, budget: Option<Duration>) -> String {
        let run = self.to_run().count();
        let kept = self.workloads.iter().filter(|workload| workload.kept).count();
        let mut parts = vec![match (run, kept) {
            (0, 0) => "no workload to run".to_owned(),
            (0, _) => format!("no workload to run ({kept} kept from earlier runs)"),
            (_, 0) => format!("{} to run", count(run, "workload")),
            _ => format!("{} to run ({kept} kept from earlier runs)", count(run, "workload")),
        }];
        if run > 0 {
            let time = limit(Duration::from_secs_f64(self.time_limit));
            parts.push(format!("{} at once, each for {time} at most", self.jobs.min(run)));
        }
        if self.image {
            parts.push("then the image".to_owned());
        } else if self.startup {
            parts.push("then the startup package".to_owned());
        }
        let budget =
            budget.map_or_else(String::new, |budget| format!(" (the time budget is {})", limit(budget)));
        format!("{}: {}{budget}", parts.join(", "), self.how_long())
    }

    /// How long it takes, in words.
    pub fn how_long(&self) -> String {
        let source = match self.earlier {
            Some(earlier) if self.image || self.startup => earlier.source(),
            _ => "earlier runs",
        };
        match self.estimate() {
            Some(Estimate { seconds, unknown: 0 }) => format!("about {} in all, as {source}", about(seconds)),
            Some(Estimate { seconds, unknown }) => format!(
                "{} or more in all, as {source}; {} never ran here",
                about(seconds),
                count(unknown, "workload")
            ),
            None => "how long that takes is not known yet".to_owned(),
        }
    }
}

impl Earlier {
    /// Looks for a build with this Julia in the user's own cache, of an image or of a startup package alone: of this project, or else of another.
    fn find(prepared: &Prepared, with_image: bool) -> Option<Self> {
        let version = prepared.julia.facts.version.to_string();
        let project = &prepared.environment.project_file;
        let entries = prepared.cache.list().entries.into_iter().map(|listed| listed.entry);
        let (own, others): (Vec<_>, Vec<_>) = entries
            .filter(|entry| entry.is_own() && entry.header.julia == version)
            .partition(|entry| entry.header.project == *project);
        let reports = own.into_iter().chain(others).filter_map(|entry| entry.report().ok());
        // What was pulled another machine built.
        reports
            .filter(|report| report.pulled.is_none())
            .find_map(|report| Self::of(&report, project, with_image))
    }

    fn of(report: &Report, project: &Path, with_image: bool) -> Option<Self> {
        let took = |names: &[&str]| -> f64 {
            let phases = report.phases.iter().filter(|phase| names.contains(&phase.name.as_str()));
            phases.map(|phase| phase.seconds).sum()
        };
        let (image, startup) = (took(&["compile", "link", "verify"]), took(&["startup"]));
        let is_like_it = if with_image { image > 0.0 } else { startup > 0.0 };
        is_like_it.then(|| Self {
            of_this_project: report.project == *project,
            loading: took(&["precompile", "load"]),
            startup,
            image,
        })
    }

    /// Whose figures these are, as the end of a sentence.
    pub fn source(self) -> &'static str {
        if self.of_this_project {
            "the last build of this project"
        } else {
            "another project's build with this Julia"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(kind: Kind, name: &str, seconds: Option<f64>) -> Expected {
        let folder = (kind == Kind::Notebooks).then(PathBuf::new);
        let is_suite_of_others = kind == Kind::Tests;
        Expected { name: name.to_owned(), kind, kept: false, seconds, folder, is_suite_of_others }
    }

    fn of(workloads: Vec<Expected>) -> Outlook {
        let earlier = Earlier { of_this_project: true, loading: 10.0, startup: 40.0, image: 300.0 };
        Outlook { workloads, jobs: 2, time_limit: 600.0, startup: true, image: true, earlier: Some(earlier) }
    }

    #[test]
    fn what_runs_side_by_side_is_not_added_up() {
        let suite = |name, seconds| expected(Kind::Tests, name, Some(seconds));
        let mut outlook = of(vec![suite("A", 100.0), suite("B", 60.0), suite("C", 50.0)]);
        assert_eq!(outlook.estimate(), Some(Estimate { seconds: 10.0 + 110.0 + 300.0, unknown: 0 }));
        outlook.workloads[0].kept = true;
        assert_eq!(outlook.estimate().unwrap().seconds, 10.0 + 60.0 + 300.0);
        // The startup package waits for the project's own.
        outlook.workloads.push(expected(Kind::Scripts, "p.jl", Some(30.0)));
        assert_eq!(outlook.estimate().unwrap().seconds, 10.0 + 80.0 + 300.0);
        outlook.image = false;
        // Where no image is wanted, suites wait for whether the project's own compile anything.
        assert_eq!(outlook.estimate().unwrap().seconds, 10.0 + 30.0 + 40.0);
    }

    #[test]
    fn notebooks_of_a_folder_run_one_after_the_other() {
        let notebook = |name| expected(Kind::Notebooks, name, Some(50.0));
        let outlook = of(vec![notebook("1.ipynb"), notebook("2.ipynb")]);
        assert_eq!(outlook.running(|_| true), 100.0);
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let mut outlook = of(vec![expected(Kind::Tests, "A", None)]);
        assert!(outlook.sentence(None).ends_with("then the image: how long that takes is not known yet"));
        outlook.workloads.push(expected(Kind::Tests, "B", Some(5000.0)));
        assert!(outlook.how_long().ends_with("; 1 workload never ran here"), "{}", outlook.how_long());
        // A limit ends what took longer.
        assert_eq!(outlook.running(|_| true), 600.0);
        outlook.earlier = None;
        assert_eq!(outlook.estimate(), None);
        (outlook.image, outlook.startup) = (false, false);
        assert_eq!(outlook.how_long(), "10 min or more in all, as earlier runs; 1 workload never ran here");
    }

    #[test]
    fn the_line_names_the_limits() {
        let outlook =
            of(vec![expected(Kind::Tests, "A", Some(20.0)), expected(Kind::Tests, "B", Some(20.0))]);
        assert_eq!(
            outlook.sentence(Some(Duration::from_secs(1200))),
            "2 workloads to run, 2 at once, each for 10 min at most, then the image: about 6 min in all, as the last build of \
             this project (the time budget is 20 min)"
        );
    }
}
