//! `jlsys path`: where the image is.

use super::status::State;
use crate::cli::PathArgs;
use crate::error::{Error, Exit};
use crate::prepare::Prepared;

pub(super) fn execute(args: &PathArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.request())?;
    match State::of(&prepared) {
        State::Ready(entry) if entry.image().is_some() => {
            let image = entry.image().unwrap_or_default();
            super::print(&format!("{}\n", image.display()))?;
            Ok(Exit::Ok)
        }
        state => Err(Error::NoImage(format!("no current image: {}", state.reason(&prepared)))),
    }
}
