//! `jlsys path`: where the image is.

use crate::cli::PathArgs;
use crate::error::{Error, Exit};
use crate::prepare::Prepared;
use crate::startup;
use crate::state::State;

pub(super) fn execute(args: &PathArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.request())?;
    match State::of(&prepared) {
        State::Ready(entry) if args.env && (entry.image().is_some() || entry.startup().is_some()) => {
            let argument = match (entry.image(), entry.startup()) {
                (Some(image), _) => format!("--sysimage={}", image.display()),
                (None, startup) => {
                    format!("--load={}", startup.unwrap_or_default().join(startup::LOADER).display())
                }
            };
            super::print(&format!("{argument}\n"))?;
            Ok(Exit::Ok)
        }
        State::Ready(entry) if entry.startup().is_some() => Err(Error::NoImage(
            "no image, but a startup package: `julia \"$(jlsys path --env)\"` starts with it".to_owned(),
        )),
        State::Ready(entry) if entry.image().is_some() => {
            let image = entry.image().unwrap_or_default();
            super::print(&format!("{}\n", image.display()))?;
            Ok(Exit::Ok)
        }
        state => Err(Error::NoImage(format!("no current image: {}", state.reason(&prepared)))),
    }
}
