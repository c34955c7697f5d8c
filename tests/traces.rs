//! The statements of real traces, and of ones made up at random.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::PathBuf;

use jlsys::trace::{Collector, DropReason, LoadedModule, Modules, Owner, Statement, Totals, select};
use proptest::prelude::*;

/// The traces in `JLSYS_SHARED`, else in the folder `shared` beside the project's.
fn real_trace(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("JLSYS_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("traces").join(name);
    if !path.is_file() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// Packages of these names, in this order, with made-up identities; and a stock image of these modules.
fn modules(packages: &[&str], base: &[&str]) -> Modules {
    let packages = packages.iter().enumerate().map(|(i, name)| LoadedModule {
        name: (*name).into(),
        package: format!("00000000-0000-0000-0000-{i:012}").parse().unwrap(),
    });
    Modules::new(packages, base.iter().map(|name| (*name).into()))
}

/// What is in the stock image of 1.5.3 and not below in a test's environment.
const STOCK_1_5: &[&str] = &[
    "Base64",
    "CRC32c",
    "DelimitedFiles",
    "Distributed",
    "FileWatching",
    "Future",
    "InteractiveUtils",
    "LibGit2",
    "Libdl",
    "LinearAlgebra",
    "Logging",
    "Markdown",
    "Mmap",
    "Pkg",
    "Printf",
    "Profile",
    "REPL",
    "Random",
    "SHA",
    "Serialization",
    "SharedArrays",
    "Sockets",
    "SuiteSparse",
    "Test",
    "UUIDs",
    "Unicode",
];

fn collect(trace: PathBuf, modules: &Modules) -> (Totals, String) {
    let mut out = Vec::new();
    let mut collector = Collector::new(modules.clone(), &mut out);
    collector.read(BufReader::new(File::open(trace).unwrap())).unwrap();
    let totals = collector.totals().clone();
    (totals, String::from_utf8(out).unwrap())
}

fn dropped(counts: &[(DropReason, u64)]) -> BTreeMap<DropReason, u64> {
    counts.iter().copied().collect()
}

/// Lines, kept, duplicates, repaired.
fn summary(totals: &Totals) -> (u64, u64, u64, u64) {
    let counts = &totals.counts;
    (counts.lines, counts.kept, counts.duplicates, counts.repaired)
}

// Replayed on Julia 1.5.3 these statements gave: 998 compiled, 11 false, 0 threw.
#[test]
fn statistics_tests_of_1_5() {
    let Some(trace) = real_trace("1.5.3-stdlib-Statistics-tests.jl") else {
        return;
    };
    let modules = modules(&["SparseArrays", "Statistics"], &STOCK_1_5.with(&["Dates"]));
    let (totals, _) = collect(trace, &modules);
    assert_eq!(summary(&totals), (1074, 1009, 4, 0));
    assert_eq!(totals.counts.dropped, dropped(&[(DropReason::Main, 23), (DropReason::ModuleNotLoaded, 38)]));
    assert_eq!(totals.owners.values().sum::<u64>(), 1009);
}

#[test]
fn what_is_about_tests_is_left_out_on_demand() {
    let Some(trace) = real_trace("1.5.3-stdlib-Statistics-tests.jl") else {
        return;
    };
    let modules = modules(&["SparseArrays", "Statistics"], &STOCK_1_5.with(&["Dates"])).without_tests();
    let (totals, statements) = collect(trace, &modules);
    let counts = &totals.counts;
    assert_eq!((counts.kept, counts.dropped[&DropReason::Test]), (963, 48));
    assert!(!statements.contains("Test."));
    // Of what the suite calls itself nothing is missing.
    assert!(statements.contains("typeof(Statistics.middle)"));
}

// Replayed on Julia 1.5.3: 2,414 compiled, 40 false, 1 threw (it wants a format code that the tests register).
#[test]
fn dates_tests_of_1_5() {
    let Some(trace) = real_trace("1.5.3-stdlib-Dates-tests.jl") else {
        return;
    };
    let modules = modules(&["Dates"], STOCK_1_5);
    let (totals, statements) = collect(trace, &modules);
    assert_eq!(summary(&totals), (2685, 2455, 17, 399));
    assert_eq!(totals.counts.dropped, dropped(&[(DropReason::ModuleNotLoaded, 213)]));
    assert!(!statements.contains("Char(0x"));

    // Without the package nothing is left that mentions it.
    let mut out = Vec::new();
    let dates = "00000000-0000-0000-0000-000000000000".parse().unwrap();
    select(statements.as_bytes(), &modules, &mut out, |s| !s.mentions(dates)).unwrap();
    assert!(!out.is_empty());
    assert!(!String::from_utf8(out).unwrap().contains("Dates."));
}

#[test]
fn sparse_arrays_tests_of_1_5() {
    let Some(trace) = real_trace("1.5.3-stdlib-SparseArrays-tests-partial.jl") else {
        return;
    };
    let modules = modules(&["SparseArrays"], &STOCK_1_5.with(&["Dates", "Statistics"]));
    let (totals, _) = collect(trace, &modules);
    assert_eq!(summary(&totals), (10723, 10314, 0, 0));
    assert_eq!(totals.counts.dropped, dropped(&[(DropReason::ModuleNotLoaded, 409)]));
}

#[test]
fn a_script_of_1_12_tells_what_was_compiled_again() {
    let Some(trace) = real_trace("1.12.5-dataframes-script.jl") else {
        return;
    };
    let names = "InteractiveUtils Random LinearAlgebra SparseArrays Crayons Printf Markdown Dates Statistics StatsBase DataAPI Missings Tables PooledArrays \
         InvertedIndices DataFrames Ratios Interpolations Roots StaticArraysCore StaticArrays ConstructionBase Accessors \
         OffsetArrays WoodburyMatrices AxisAlgorithms SentinelArrays PrettyTables SortingAlgorithms CommonSolve";
    let packages: Vec<_> = names.split_whitespace().collect();
    let (totals, _) = collect(trace, &modules(&packages, &[]));
    assert_eq!(summary(&totals), (223, 210, 0, 0));
    assert_eq!(totals.counts.recompiled, 25);
    assert_eq!(totals.counts.dropped, dropped(&[(DropReason::Main, 13)]));
}

trait With {
    fn with(&self, more: &[&'static str]) -> Vec<&'static str>;
}

impl With for [&'static str] {
    fn with(&self, more: &[&'static str]) -> Vec<&'static str> {
        [self, more].concat()
    }
}

/// A printed type, as deep as proptest likes.
fn printed_type() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["Base", "Dates", "Base.Broadcast"]);
    let leaf = prop_oneof![
        "[A-Z][a-zA-Zα-ω0-9_]{0,5}"
            .prop_filter("Main is dropped, typeof and the like are no types", |t| t != "Main"
                && t != "Symbol"),
        (name.clone(), "[A-Z][a-z]{1,5}").prop_map(|(m, t)| format!("{m}.{t}")),
        (name.clone(), "[a-z]{1,3}!?").prop_map(|(m, f)| format!("typeof({m}.{f})")),
        (name.clone(), "[+*\\\\<=|≤-]{1,2}").prop_map(|(m, f)| format!("typeof({m}.:({f}))")),
        (name, "#{1,2}[a-z0-9]{0,3}#[0-9 {(,]{1,3}").prop_map(|(m, f)| format!("{m}.var\"{f}\"")),
        "-?[0-9]{1,6}",
        "0x[0-9a-f]{2}",
        ":[a-su-z_][a-z0-9_!]{0,4}".prop_filter("a literal", |s| s != ":false"),
        "[^\"\\\\$\n\r]{0,8}".prop_map(|s| format!("Symbol(\"{s}\")")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            ("[A-Z][a-z]{1,4}", prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(name, parameters)| format!("Base.{name}{{{}}}", parameters.join(", "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|values| format!("({})", values.join(", "))),
            (inner.clone(), inner).prop_map(|(body, upper)| format!("Array{{{body}, N}} where N<:({upper})")),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics(line in any::<String>(), around in "[ -~]{0,60}") {
        let modules = modules(&["Dates"], &[]);
        let _ = Statement::parse(&line, &modules);
        let _ = Statement::parse(&format!("precompile(Tuple{{{around}{line}}})"), &modules);
        let _ = Statement::parse(&format!("precompile(Tuple{{Base.Val{{Symbol(\"{around}\")}}}})"), &modules);
    }

    #[test]
    fn a_printed_statement_is_read_as_it_is(arguments in prop::collection::vec(printed_type(), 0..5)) {
        let line = format!("precompile(Tuple{{{}}})", arguments.join(", "));
        let modules = modules(&["Dates"], &[]);
        let statement = Statement::parse(&line, &modules);
        prop_assert_eq!(statement.as_ref().map(Statement::text), Ok(line.as_str()));
    }

    #[test]
    fn a_repaired_statement_needs_no_more_repair(content in "[ -~]{0,12}") {
        let line = format!("precompile(Tuple{{Base.Val{{Symbol(\"{content}\")}}}})");
        let modules = modules(&[], &[]);
        if let Ok(statement) = Statement::parse(&line, &modules) {
            let again = Statement::parse(statement.text(), &modules).unwrap();
            prop_assert_eq!(again.text(), statement.text());
        }
    }
}

/// Some 200 bytes each; every fourth twice, every fifth of a module that is not loaded.
fn long_trace(lines: usize) -> Vec<u8> {
    let mut trace = Vec::new();
    for i in 0..lines {
        let n = if i % 4 == 1 { i - 1 } else { i };
        let module = if n % 5 == 2 { "Tests" } else { "Dates" };
        writeln!(
            trace,
            "precompile(Tuple{{typeof(Base.Broadcast.broadcasted), {module}.Period{{{n}, Char(0x79000000)}}, \
             Base.Dict{{Symbol, Array{{Base.Complex{{Float64}}, 1}}}}, NamedTuple{{(:a, :b), Tuple{{Int64, Base.Missing}}}}}})"
        )
        .unwrap();
    }
    trace
}

#[test]
fn a_long_trace_is_merged() {
    let trace = long_trace(200_000);
    let mut collector = Collector::new(modules(&["Dates"], &[]), std::io::sink());
    let counts = collector.read(&trace[..]).unwrap();
    let expected_kept = (0..200_000u64).filter(|i| i % 4 != 1 && i % 5 != 2).count() as u64;
    assert_eq!(counts.lines, 200_000);
    assert_eq!(counts.kept, expected_kept);
    assert_eq!(counts.repaired, expected_kept);
    // A second time nothing is new.
    let again = collector.read(&trace[..]).unwrap();
    assert_eq!((again.kept, again.dropped), (0, counts.dropped));
    let totals = collector.totals();
    let dates = Owner::Package("00000000-0000-0000-0000-000000000000".parse().unwrap());
    assert_eq!(totals.owners, BTreeMap::from([(dates, expected_kept)]));
}
