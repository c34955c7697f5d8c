//! `jlsys cache gc`: keep the cache within bounds.

use std::io::IsTerminal;
use std::path::Path;

use indicatif::HumanBytes;
use serde::Serialize;

use crate::cache::{Collection, Over};
use crate::cli::GcArgs;
use crate::commands::{print, print_json};
use crate::error::{Error, Exit};
use crate::key::Key;
use crate::prepare::locate_cache;
use crate::report::SCHEMA;
use crate::words::count;

/// The document that `cache gc --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    /// Whether nothing was removed.
    dry_run: bool,
    removed: Vec<Item<'a>>,
    kept: Vec<Item<'a>>,
    removed_bytes: u64,
}

#[derive(Serialize)]
struct Item<'a> {
    key: Key,
    project: &'a Path,
    bytes: u64,
    reason: &'a str,
}

impl<'a> From<&'a Over> for Item<'a> {
    fn from(over: &'a Over) -> Self {
        let header = &over.entry.header;
        Self { key: header.key, project: &header.project, bytes: header.bytes, reason: &over.reason }
    }
}

pub(super) fn execute(args: &GcArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    let asks_first = std::io::stdout().is_terminal() && !args.yes;
    let dry_run = args.dry_run || asks_first;
    let mut collection = cache.over(args.limits());
    if !dry_run && cache.root().exists() {
        cache.prepare()?;
        cache.collect(&mut collection);
        cache.forget_the_past(args.limits().max_age);
    }
    let removed_bytes = collection.going.iter().map(|over| over.entry.header.bytes).sum();
    if args.json {
        print_json(&Document {
            schema: SCHEMA,
            dry_run,
            removed: collection.going.iter().map(Item::from).collect(),
            kept: collection.staying.iter().map(Item::from).collect(),
            removed_bytes,
        })?;
    } else {
        print(&text(&collection, removed_bytes, dry_run))?;
        if asks_first && !args.dry_run && !collection.going.is_empty() {
            print("nothing was removed; `--yes` removes them\n")?;
        }
    }
    Ok(Exit::Ok)
}

fn text(collection: &Collection, bytes: u64, dry_run: bool) -> String {
    let line = |what: &str, over: &Over| {
        let header = &over.entry.header;
        let project = header.project_dir().display();
        format!(
            "{what} {} of {project} ({}): {}\n",
            header.key.short(),
            HumanBytes(header.bytes),
            over.reason
        )
    };
    let verb = if dry_run { "would remove" } else { "removed" };
    let going = collection.going.iter().map(|over| line(verb, over));
    let staying = collection.staying.iter().map(|over| line("kept", over));
    let images = count(collection.going.len(), "image");
    going.chain(staying).collect::<String>() + &format!("{verb} {images}, {}\n", HumanBytes(bytes))
}
