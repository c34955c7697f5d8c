//! `jlsys cache clean`: remove all that jlsys keeps.

use std::fmt::Write;

use indicatif::HumanBytes;

use crate::cache::Collection;
use crate::cli::CleanArgs;
use crate::commands::print;
use crate::error::{Error, Exit};
use crate::prepare::locate_cache;
use crate::words::count;

pub(super) fn execute(args: &CleanArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    let asks_first = !args.yes;
    let (mut collection, records) = cache.everything(args.force);
    if !asks_first && cache.root().exists() {
        cache.prepare()?;
        cache.clean(&mut collection, args.force)?;
    }
    print(&text(&collection, records, asks_first))?;
    if cache.list().other_format > 0 {
        let root = cache.root().display();
        print(&format!("images of another version of jlsys are left alone; they are in {root}\n"))?;
    }
    Ok(Exit::Ok)
}

fn text(collection: &Collection, records: u64, asks_first: bool) -> String {
    let bytes: u64 = collection.going.iter().map(|over| over.entry.header.bytes).sum();
    let mut text = String::new();
    for over in &collection.staying {
        let header = &over.entry.header;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "kept {} of {}: {} (`--force` removes it all the same)",
            header.key.short(),
            header.project_dir().display(),
            over.reason
        );
    }
    let (verb, end) = if asks_first { ("would remove", "; `--yes` removes them") } else { ("removed", "") };
    let images = count(collection.going.len(), "image");
    let _ = writeln!(
        text,
        "{verb} {images} ({}) and {} of traces, logs and records{end}",
        HumanBytes(bytes),
        HumanBytes(records)
    );
    text
}
