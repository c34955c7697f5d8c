//! `jlsys cache rm`: remove images.

use crate::cache::Lookup;
use crate::cli::RmArgs;
use crate::commands::print;
use crate::error::{Error, Exit};
use crate::prepare::locate_cache;

pub(super) fn execute(args: &RmArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    // All names are understood before anything is removed.
    let found = args.keys.iter().map(|name| super::look_up(&cache, name)).collect::<Result<Vec<_>, _>>()?;
    cache.prepare()?;
    for lookup in found {
        match lookup {
            Lookup::Failure(key) => {
                cache.forget_failure(&key);
                print(&format!("forgot the failed build of {}\n", key.short()))?;
            }
            Lookup::Entry(key) => {
                cache.remove(&key, args.force)?;
                print(&format!("removed {}\n", key.short()))?;
            }
        }
    }
    Ok(Exit::Ok)
}
