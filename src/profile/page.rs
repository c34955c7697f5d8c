//! The page itself.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Profile;
use super::scale::Scale;
use crate::duration::took;
use crate::report::{PhaseReport, WorkloadReport};
use crate::workload::{Kind, Outcome};

const STYLE: &str = include_str!("page.css");

/// Something that took time.
struct Row {
    name: String,
    /// The class of its bar.
    class: &'static str,
    /// When it began; `None` when that was not noted, or when it was not run.
    started: Option<f64>,
    seconds: f64,
    compile_seconds: Option<f64>,
    statements: Option<u64>,
    /// How it went, where that is not well.
    wrong: Option<String>,
}

/// The page as HTML.
pub(super) fn render(profile: &Profile<'_>) -> String {
    let phases = phase_rows(profile.phases);
    let mut workloads: Vec<Row> = profile.workloads.iter().map(workload_row).collect();
    workloads.sort_by(|a, b| {
        let start = |row: &Row| row.started.unwrap_or(f64::INFINITY);
        start(a).total_cmp(&start(b))
    });
    let end = |row: &Row| row.started.map(|started| started + row.seconds);
    let total = phases.iter().chain(&workloads).filter_map(end).fold(0.0, f64::max);
    let scale = Scale::new(total);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (profile.title) ": " (profile.project.display()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (profile.title) ": where " (took(total)) " went" }
                p.project { (profile.project.display()) " with Julia " (profile.julia) }
                dl {
                    @for (name, value) in &profile.facts {
                        div { dt { (name) } dd { (value) } }
                    }
                }
                (legend(&workloads))
                table {
                    thead { tr {
                        th scope="col" { "What" }
                        th.number scope="col" { "Seconds" }
                        th.number scope="col" { "Compiling" }
                        th.number scope="col" { "Statements" }
                        th.time scope="col" { (axis(scale)) }
                    } }
                    (section("Phases", &phases, scale))
                    (section("Workloads", &workloads, scale))
                }
                @if !profile.warnings.is_empty() {
                    h2 { "Warnings" }
                    ul.warnings { @for warning in profile.warnings { li { (warning) } } }
                }
            }
        }
    };
    page.into_string()
}

/// A phase that does not say when it began came right after the one before it.
fn phase_rows(phases: &[PhaseReport]) -> Vec<Row> {
    let mut end = 0.0;
    let row = |phase: &PhaseReport| {
        let started = phase.started.unwrap_or(end);
        end = started + phase.seconds;
        Row {
            name: phase_title(&phase.name).to_owned(),
            class: "phase",
            started: Some(started),
            seconds: phase.seconds,
            compile_seconds: None,
            statements: None,
            wrong: None,
        }
    };
    phases.iter().map(row).collect()
}

fn workload_row(workload: &WorkloadReport) -> Row {
    let class = match workload.kind {
        Kind::Load => "load",
        Kind::Tests => "tests",
        Kind::Notebooks => "notebooks",
        Kind::Scripts => "scripts",
    };
    Row {
        // It has no bar: the time was another build's.
        name: workload.kind.of(&workload.name) + if workload.reused { " (reused)" } else { "" },
        class,
        started: workload.started,
        seconds: workload.seconds,
        compile_seconds: workload.compile_seconds,
        statements: Some(workload.statements),
        wrong: (workload.outcome != Outcome::Ok).then(|| workload.outcome.to_string()),
    }
}

/// What a phase is called in words; reports have short names for them.
fn phase_title(name: &str) -> &str {
    match name {
        "precompile" => "precompiling packages",
        "load" => "loading the packages",
        "workloads" => "running workloads",
        "statements" => "cleaning statements",
        "startup" => "building the startup package",
        "precompile-image" => "precompiling for the image",
        "compile" => "compiling and writing the image",
        "link" => "linking",
        "verify" => "trying the image",
        "precompile-repl" => "precompiling the REPL",
        "precompile-sessions" => "precompiling what is outside",
        "precompile-pkg" => "precompiling Pkg",
        other => other,
    }
}

fn axis(scale: Scale) -> Markup {
    html! {
        // Behind the last one that fits there is no room for a label.
        @for (at, label) in scale.marks().filter(|(at, _)| *at < 92.0) {
            span.mark style=(format!("left:{at:.3}%")) { (label) }
        }
    }
}

fn section(title: &str, rows: &[Row], scale: Scale) -> Markup {
    html! {
        @if !rows.is_empty() {
            tbody {
                tr { th scope="rowgroup" colspan="5" { (title) } }
                @for row in rows { (line(row, scale)) }
            }
        }
    }
}

fn line(row: &Row, scale: Scale) -> Markup {
    html! {
        tr title=(description(row)) {
            th scope="row" {
                (row.name)
                @if let Some(wrong) = &row.wrong { " " span.wrong { "(" (wrong) ")" } }
            }
            td.number { (format!("{:.1}", row.seconds)) }
            td.number { @if let Some(seconds) = row.compile_seconds { (format!("{seconds:.1}")) } }
            td.number { @if let Some(statements) = row.statements { (statements) } }
            td.time { div.track aria-hidden="true" {
                @for (at, _) in scale.marks() { span.grid style=(format!("left:{at:.3}%")) {} }
                @if let Some(started) = row.started { (bar(row, started, scale)) }
            } }
        }
    }
}

fn bar(row: &Row, started: f64, scale: Scale) -> Markup {
    let (left, end) = (scale.at(started), scale.at(started + row.seconds));
    let class =
        if row.wrong.is_some() { format!("bar {} failed", row.class) } else { format!("bar {}", row.class) };
    // Several threads can compile for longer than the whole lasts.
    let part = |compiling: f64| (100.0 * compiling / row.seconds.max(0.001)).clamp(0.0, 100.0);
    html! {
        div class=(class) style=(format!("left:{left:.3}%;width:{:.3}%", end - left)) {
            @if let Some(compiling) = row.compile_seconds {
                span.compiling style=(format!("width:{:.1}%", part(compiling))) {}
            }
        }
    }
}

/// What is shown when the mouse is on a row.
fn description(row: &Row) -> String {
    let start = match row.started {
        Some(started) => format!(", from {started:.1} s on"),
        None => String::new(),
    };
    let compiling =
        row.compile_seconds.map_or_else(String::new, |seconds| format!(", {seconds:.1} s of it compiling"));
    let statements = row.statements.map_or_else(String::new, |number| format!(", {number} statements"));
    let wrong = row.wrong.as_ref().map_or_else(String::new, |wrong| format!(", {wrong}"));
    format!("{}: {:.1} s{start}{compiling}{statements}{wrong}", row.name, row.seconds)
}

fn legend(workloads: &[Row]) -> Markup {
    let kinds = [
        ("phase", "phase"),
        ("load", "loading"),
        ("tests", "tests"),
        ("notebooks", "notebook"),
        ("scripts", "script"),
    ];
    let is_there = |class: &str| class == "phase" || workloads.iter().any(|row| row.class == class);
    html! {
        ul.legend {
            @for (class, name) in kinds.into_iter().filter(|(class, _)| is_there(class)) {
                li { span class=(format!("bar {class}")) {} (name) }
            }
            @if workloads.iter().any(|row| row.compile_seconds.is_some()) {
                li { span.bar.tests { span.compiling style="width:60%" {} } "how much of it was compiling, not when" }
            }
            @if workloads.iter().any(|row| row.wrong.is_some()) {
                li { span.bar.tests.failed {} "did not end well; what it compiled counts" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn workload(kind: Kind, name: &str, started: Option<f64>, outcome: Outcome) -> WorkloadReport {
        let (seconds, compile_seconds, statements) = (20.0, Some(15.0), 300);
        let name = name.to_owned();
        WorkloadReport {
            name,
            kind,
            outcome,
            started,
            seconds,
            compile_seconds,
            reused: false,
            statements,
            log: None,
            note: None,
            error: None,
        }
    }

    fn phase(name: &str, started: Option<f64>, seconds: f64) -> PhaseReport {
        PhaseReport { name: name.to_owned(), started, seconds }
    }

    fn page(phases: &[PhaseReport], workloads: &[WorkloadReport]) -> String {
        let (project, facts) = (Path::new("/p/<b>Project.toml"), vec![("Tier", "full".to_owned())]);
        let warnings = ["A & B".to_owned()];
        render(&Profile {
            title: "jlsys build",
            project,
            julia: "1.10.2",
            facts,
            phases,
            workloads,
            warnings: &warnings,
        })
    }

    #[test]
    fn bars_are_where_the_time_went() {
        let phases = [phase("load", Some(0.0), 10.0), phase("compile", Some(30.0), 70.0)];
        let page = page(&phases, &[workload(Kind::Tests, "Dates", Some(10.0), Outcome::Failed)]);
        for expected in [
            "<div class=\"bar phase\" style=\"left:30.000%;width:70.000%\">",
            "<div class=\"bar tests failed\" style=\"left:10.000%;width:20.000%\">",
            "<span class=\"compiling\" style=\"width:75.0%\">",
            "title=\"tests of Dates: 20.0 s, from 10.0 s on, 15.0 s of it compiling, 300 statements, failed\"",
            "compiling and writing the image",
            "where 1 min 40 s went",
            "did not end well",
            "<li>A &amp; B</li>",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere_and_takes_no_name_for_markup() {
        let page = page(&[], &[workload(Kind::Scripts, "<script>alert(1)</script>.jl", None, Outcome::Ok)]);
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        for elsewhere in ["http", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(elsewhere), "{elsewhere} is in {page}");
        }
    }

    #[test]
    fn phases_of_older_reports_stand_one_after_another() {
        let page = page(&[phase("load", None, 25.0), phase("link", None, 75.0)], &[]);
        assert!(page.contains("left:25.000%;width:75.000%"), "{page}");
    }
}
