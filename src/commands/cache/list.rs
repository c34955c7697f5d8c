//! `jlsys cache list`: what is cached.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanBytes;
use jiff::Timestamp;
use serde::Serialize;

use super::ago;
use crate::cache::{ListedEntry, Listing, TraceUsage};
use crate::cli::ListArgs;
use crate::commands::{print, print_json};
use crate::error::{Error, Exit};
use crate::key::Key;
use crate::prepare::locate_cache;
use crate::report::{SCHEMA, Tier};
use crate::words::count;

/// The document that `cache list --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    entries: Vec<Item<'a>>,
    /// Folders with something wrong.
    damaged: Vec<&'a PathBuf>,
    /// How many entries another version of jlsys wrote.
    other_versions: usize,
    /// The kept traces of workloads, in the user's own cache.
    traces: TraceUsage,
}

#[derive(Serialize)]
struct Item<'a> {
    key: Key,
    project: &'a PathBuf,
    julia: &'a str,
    tier: Tier,
    packages: usize,
    bytes: u64,
    created: Timestamp,
    last_used: Timestamp,
    image: Option<PathBuf>,
    /// Whether it is in a cache of `JLSYS_CACHE_PATH`.
    shared: bool,
}

impl<'a> From<&'a ListedEntry> for Item<'a> {
    fn from(listed: &'a ListedEntry) -> Self {
        let header = &listed.entry.header;
        Self {
            key: header.key,
            project: &header.project,
            julia: &header.julia,
            tier: header.tier,
            packages: header.packages,
            bytes: header.bytes,
            created: header.created,
            last_used: listed.last_used,
            image: listed.entry.image(),
            shared: !listed.entry.is_own(),
        }
    }
}

pub(super) fn execute(args: &ListArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    let listing = cache.list();
    let traces = cache.trace_usage();
    if args.json {
        print_json(&Document {
            schema: SCHEMA,
            entries: listing.entries.iter().map(Item::from).collect(),
            damaged: listing.damaged.iter().map(|damaged| &damaged.folder).collect(),
            other_versions: listing.other_format,
            traces,
        })?;
    } else {
        print(&text(&listing, traces))?;
    }
    Ok(Exit::Ok)
}

fn text(listing: &Listing, traces: TraceUsage) -> String {
    let mut text = String::new();
    if listing.entries.is_empty() {
        text.push_str("no images; `jlsys build` in a project builds one\n");
    } else {
        text.push_str(&table(&listing.entries));
        let bytes: u64 = listing.entries.iter().map(|listed| listed.entry.header.bytes).sum();
        text.push_str(&format!("\n{}, {}\n", count(listing.entries.len(), "image"), HumanBytes(bytes)));
    }
    for damaged in &listing.damaged {
        text.push_str(&format!(
            "damaged: {} (`jlsys cache verify --repair` removes what is damaged)\n",
            damaged.problem
        ));
    }
    if listing.other_format > 0 {
        let entries = count(listing.other_format, "image");
        text.push_str(&format!("{entries} of another version of jlsys, left alone\n"));
    }
    if traces.count > 0 {
        let bytes = HumanBytes(traces.bytes);
        text.push_str(&format!("{} of workloads, {bytes}\n", count(traces.count, "trace")));
    }
    text
}

/// The columns with numbers.
const NUMBERS: &[usize] = &[4, 5];

fn table(entries: &[ListedEntry]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["KEY", "PROJECT", "JULIA", "TIER", "PACKAGES", "SIZE", "BUILT", "USED"]);
    for listed in entries {
        let header = &listed.entry.header;
        table.add_row([
            header.key.short(),
            header.project_dir().display().to_string(),
            header.julia.clone(),
            header.tier.to_string(),
            header.packages.to_string(),
            HumanBytes(header.bytes).to_string(),
            ago(header.created),
            if listed.entry.is_own() { ago(listed.last_used) } else { "shared".to_owned() },
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
