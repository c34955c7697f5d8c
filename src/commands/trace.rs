//! `jlsys trace`: run the workloads alone and show what they compile.

use std::fmt::Write;

use crate::cli::TraceArgs;
use crate::error::{Error, Exit};
use crate::pipeline::{self, BuildOptions};
use crate::prepare::Prepared;
use crate::process;
use crate::progress::Progress;
use crate::report::StatementCounts;

pub(super) fn execute(args: &TraceArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.work.request())?;
    let progress = Progress::new(args.work.verbosity());
    let options = BuildOptions { jobs: args.work.jobs.map(Into::into), ..BuildOptions::default() };
    let trace = pipeline::trace(&prepared, options, args.output.as_deref(), &progress);
    let report =
        process::block_on_interruptible(trace).map_err(Error::Runtime)?.ok_or(Error::Interrupted)??;
    for warning in &report.warnings {
        progress.warn(warning);
    }
    if args.json {
        super::print_json(&report)?;
    } else {
        super::print(&table(&report.statements))?;
    }
    Ok(Exit::Ok)
}

fn table(statements: &StatementCounts) -> String {
    let mut text = format!("{} lines traced, {} statements to replay\n", statements.traced, statements.kept);
    let mut section = |title: &str, counts: Vec<(&String, &u64)>| {
        let mut counts = counts;
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        if !counts.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for (name, count) in counts {
            let _ = writeln!(text, "{count:>8}  {name}");
        }
    };
    section("by package", statements.by_package.iter().collect());
    section("not to be replayed", statements.dropped.iter().collect());
    text
}
