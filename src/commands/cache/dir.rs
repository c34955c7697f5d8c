//! `jlsys cache dir`: where the cache is.

use crate::commands::print;
use crate::error::{Error, Exit};
use crate::prepare::locate_cache;

pub(super) fn execute() -> Result<Exit, Error> {
    print(&format!("{}\n", locate_cache()?.root().display()))?;
    Ok(Exit::Ok)
}
