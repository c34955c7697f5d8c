//! Whether an image is worth it here, from what earlier builds and traces measured.

use serde::Serialize;

use crate::prepare::Prepared;
use crate::report::WorkloadReport;
use crate::words::count;
use crate::workload::Kind;

/// Less waiting than this nobody notices; in seconds.
const UNNOTICED: f64 = 0.5;

/// From so much waiting on, building an image pays off within days of work; in seconds.
const FELT: f64 = 2.0;

/// About as many statements as take [`FELT`] seconds: on 1.5.3 a script over four standard libraries took three seconds for its 46,
/// on 1.10.2 one over Dates two for its 28.
const MANY_STATEMENTS: u64 = 50;

/// The answer, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Yes,
    Likely,
    Little,
    Unknown,
}

/// Whether an image is worth it, and how that is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Worth {
    pub verdict: Verdict,
    /// The workload that the answer rests on; `null` when it rests on all test suites together, or on nothing.
    pub workload: Option<String>,
    /// How long plain Julia took.
    pub seconds: Option<f64>,
    /// How much of that went into compiling.
    pub compile_seconds: Option<f64>,
    /// How many statements it traced.
    pub statements: Option<u64>,
    /// The answer as it is shown.
    pub sentence: String,
}

/// What is to be known of a Julia for that.
#[derive(Clone, Copy)]
struct Language<'a> {
    version: &'a str,
    counts_compiling: bool,
    has_package_images: bool,
}

impl Worth {
    pub(super) fn of(prepared: &Prepared) -> Self {
        let version = prepared.julia.facts.version.to_string();
        let differences = prepared.julia.differences();
        let language = Language {
            version: &version,
            counts_compiling: differences.counts_compiling(),
            has_package_images: differences.has_package_images(),
        };
        judge(&measured(prepared, &version), prepared.plan.packages.len(), language)
    }

    fn new(verdict: Verdict, sentence: String) -> Self {
        Self { verdict, workload: None, seconds: None, compile_seconds: None, statements: None, sentence }
    }
}

/// The workloads of the last trace or build of this project with this Julia, whichever knows more.
fn measured(prepared: &Prepared, version: &str) -> Vec<WorkloadReport> {
    let cache = &prepared.cache;
    let keys = std::iter::once(prepared.key).chain(prepared.last_built.iter().map(|record| record.key));
    let built = keys.filter_map(|key| {
        let report = cache.entry_as_is(&key).ok().and_then(|entry| entry.report().ok());
        report.or_else(|| cache.failure(&key))
    });
    let built = built.map(|report| (report.julia.version, report.workloads));
    let traced = cache.measured(&prepared.environment.project_file);
    let traced = traced.map(|report| (report.julia.version, report.workloads));
    let known = traced.into_iter().chain(built).filter(|(julia, _)| julia == version);
    let known: Vec<Vec<WorkloadReport>> = known.map(|(_, workloads)| workloads).collect();
    let is_timed =
        |workloads: &&Vec<WorkloadReport>| workloads.iter().any(|ran| ran.compile_seconds.is_some());
    known.iter().find(is_timed).or(known.first()).cloned().unwrap_or_default()
}

fn judge(workloads: &[WorkloadReport], packages: usize, language: Language<'_>) -> Worth {
    let is_own = |ran: &&WorkloadReport| ran.kind.is_projects_own(&ran.name);
    let by_time = |a: &&WorkloadReport, b: &&WorkloadReport| {
        let key = |ran: &WorkloadReport| ran.compile_seconds.unwrap_or(-1.0);
        key(a).total_cmp(&key(b)).then(a.statements.cmp(&b.statements))
    };
    // What the user waits for is the user's own code. A package's tests say how much there is to compile at most.
    if let Some(ran) = workloads.iter().filter(is_own).max_by(by_time) {
        return own_code(ran, language);
    }
    let tests = || workloads.iter().filter(|ran| ran.kind == Kind::Tests && ran.statements > 0);
    if tests().next().is_some() {
        let seconds: f64 = tests().filter_map(|ran| ran.compile_seconds).sum();
        let statements = tests().map(|ran| ran.statements).sum();
        let took = match seconds > 0.0 {
            true => format!("{} ({seconds:.0} s of compiling)", count(statements, "statement")),
            false => count(statements, "statement"),
        };
        return Worth {
            compile_seconds: (seconds > 0.0).then_some(seconds),
            statements: Some(statements),
            ..Worth::new(
                Verdict::Likely,
                format!(
                    "Likely: the packages' own tests compile {took}, and your code may use what they do. \
                     With a notebook or a precompile.jl in the project `jlsys trace` measures yours."
                ),
            )
        };
    }
    not_known(packages, language)
}

fn own_code(ran: &WorkloadReport, language: Language<'_>) -> Worth {
    let name = &ran.name;
    let (verdict, sentence) = match ran.compile_seconds {
        Some(compiling) => {
            let verdict = match compiling {
                _ if compiling >= FELT => Verdict::Yes,
                _ if compiling < UNNOTICED => Verdict::Little,
                _ => Verdict::Likely,
            };
            let word = match verdict {
                Verdict::Yes => "Yes",
                Verdict::Little => "Hardly",
                _ => "A little",
            };
            let seconds = ran.seconds;
            let held =
                if verdict == Verdict::Little { "." } else { "; in an image that is compiled already." };
            let what = format!(
                "{word}: plain Julia compiles for {compiling:.1} of the {seconds:.1} s that {name} takes"
            );
            (verdict, format!("{what}{held}"))
        }
        None => {
            let statements = count(ran.statements, "statement");
            let why = match language.counts_compiling {
                true => "as it did not come to its end".to_owned(),
                false => format!("on Julia {}", language.version),
            };
            let (verdict, word) = match ran.statements >= MANY_STATEMENTS {
                true => (Verdict::Likely, "Likely"),
                false => (Verdict::Unknown, "Not clear"),
            };
            let seconds = ran.seconds;
            let what =
                format!("{word}: plain Julia takes {seconds:.1} s for {name} and compiles {statements}");
            (verdict, format!("{what}; how long that takes is not known {why}."))
        }
    };
    Worth {
        workload: Some(name.clone()),
        seconds: Some(ran.seconds),
        compile_seconds: ran.compile_seconds,
        statements: Some(ran.statements),
        ..Worth::new(verdict, sentence)
    }
}

fn not_known(packages: usize, language: Language<'_>) -> Worth {
    let version = language.version;
    let remark = match language.has_package_images {
        true => format!("Julia {version} keeps what its packages chose to compile, and no more"),
        false => format!("Julia {version} keeps no compiled code of packages from one session to the next"),
    };
    let packages = count(packages, "package");
    Worth::new(
        Verdict::Unknown,
        format!("Not known yet; `jlsys trace` measures it. ({remark}; the image would hold {packages}.)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Outcome;

    const NEW: Language<'_> =
        Language { version: "1.10.2", counts_compiling: true, has_package_images: true };
    const OLD: Language<'_> =
        Language { version: "1.5.3", counts_compiling: false, has_package_images: false };

    fn ran(kind: Kind, name: &str, compile_seconds: Option<f64>, statements: u64) -> WorkloadReport {
        let (seconds, started, reused, log, note) = (9.0, Some(0.0), false, None, None);
        let (name, outcome) = (name.to_owned(), Outcome::Ok);
        WorkloadReport {
            name,
            kind,
            outcome,
            started,
            seconds,
            compile_seconds,
            reused,
            statements,
            log,
            note,
            error: None,
        }
    }

    fn verdict(workloads: &[WorkloadReport], language: Language<'_>) -> Verdict {
        judge(workloads, 3, language).verdict
    }

    #[test]
    fn nothing_is_claimed_that_was_not_measured() {
        for language in [NEW, OLD] {
            let worth = judge(&[ran(Kind::Load, "load", Some(0.1), 3)], 3, language);
            assert_eq!(worth.verdict, Verdict::Unknown);
            assert!(worth.sentence.contains("`jlsys trace` measures it"), "{}", worth.sentence);
        }
    }

    #[test]
    fn the_users_own_code_decides() {
        let tests = ran(Kind::Tests, "Dates", Some(80.0), 2600);
        let own = |seconds| ran(Kind::Notebooks, "a.ipynb", Some(seconds), 20);
        assert_eq!(verdict(&[tests.clone(), own(0.1)], NEW), Verdict::Little);
        assert_eq!(verdict(&[own(0.1), own(1.0)], NEW), Verdict::Likely);
        assert_eq!(verdict(&[own(8.0), own(0.1)], NEW), Verdict::Yes);
        assert_eq!(verdict(&[tests], NEW), Verdict::Likely);
    }

    #[test]
    fn without_a_clock_statements_are_counted() {
        let own = |statements| [ran(Kind::Scripts, "a.jl", None, statements)];
        assert_eq!(verdict(&own(500), OLD), Verdict::Likely);
        assert_eq!(verdict(&own(5), OLD), Verdict::Unknown);
        assert!(judge(&own(500), 3, OLD).sentence.contains("not known on Julia 1.5.3"));
        assert!(judge(&own(500), 3, NEW).sentence.contains("did not come to its end"));
    }
}
