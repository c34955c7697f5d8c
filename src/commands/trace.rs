//! `jlsys trace`: run the workloads alone and show what they compile.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use crate::cli::TraceArgs;
use crate::error::{Error, Exit};
use crate::julia::JuliaInstall;
use crate::pipeline::{self, BuildOptions};
use crate::prepare::Prepared;
use crate::process;
use crate::profile;
use crate::progress::Progress;
use crate::report::{TraceReport, WorkloadReport};
use crate::words::count;

pub(super) fn execute(args: &TraceArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.work.request_as_last_built(args.forget_flags))?;
    let profile = args.profile.as_deref().map(profile::Target::new).transpose()?;
    let progress = Progress::new(args.work.verbosity());
    super::build::say_remembered(&prepared, &progress);
    let jobs = args.work.jobs.map(Into::into);
    let stall_limit = args.work.stall_limit.map(Duration::from_secs);
    let memory = args.work.memory;
    let options = BuildOptions { jobs, memory, force: args.force, stall_limit, ..BuildOptions::default() };
    let trace = pipeline::trace(&prepared, options, args.output.as_deref(), &progress);
    let ended = process::block_on_interruptible(trace).map_err(Error::Runtime)?;
    let report = ended.ok_or_else(|| Error::InterruptedBuild(pipeline::kept(&prepared)))??;
    for warning in &report.warnings {
        progress.warn(warning);
    }
    if let Some(profile) = profile {
        profile.write(&(&report).into())?;
    }
    if args.json {
        super::print_json(&report)?;
    } else {
        super::print(&text(&report, &prepared.julia))?;
    }
    Ok(Exit::Ok)
}

fn text(report: &TraceReport, julia: &JuliaInstall) -> String {
    let statements = &report.statements;
    let mut text = table(&report.workloads);
    // Writing to a string cannot fail.
    let _ = match julia.differences().counts_compiling() {
        false => writeln!(
            text,
            "how long compiling takes is not known on Julia {}: 1.8 and later count it",
            julia.facts.version
        ),
        true if report.workloads.iter().any(|workload| workload.compile_seconds.is_none()) => {
            writeln!(text, "-: it was ended before it could say how long it compiled")
        }
        true => Ok(()),
    };
    for line in report.workloads.iter().filter_map(super::build::own_failure) {
        let _ = writeln!(text, "\n{line}");
    }
    let _ = writeln!(
        text,
        "\n{} traced, {} to compile",
        count(statements.traced, "line"),
        count(statements.kept, "statement")
    );
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
    section("not to be compiled", statements.dropped.iter().collect());
    text
}

/// The columns with numbers.
const NUMBERS: &[usize] = &[2, 3, 4];

/// What each workload took, and how much of that was compiling.
fn table(workloads: &[WorkloadReport]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["WORKLOAD", "OUTCOME", "SECONDS", "COMPILING", "LINES"]);
    for workload in workloads {
        table.add_row([
            workload.kind.of(&workload.name),
            format!("{}{}", workload.outcome, if workload.reused { ", reused" } else { "" }),
            format!("{:.1}", workload.seconds),
            workload.compile_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")),
            workload.statements.to_string(),
        ]);
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if NUMBERS.contains(&number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}
