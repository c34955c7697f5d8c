//! The Julia in use: where it is, what it is, and what differs between its versions.

mod arguments;
mod differences;
mod discover;
mod discover_error;
mod drivers;
mod install;
mod juliaup;
mod probe;
mod results;
mod targets;

pub use arguments::{HandsOff, JuliaArguments};
pub use differences::{Differences, Standing};
pub use discover::{Wish, discover, whence};
pub use discover_error::DiscoverError;
pub use drivers::{Driver, Drivers};
pub use install::{Facts, JuliaInstall, LINK_IMAGE, LINK_OBJECT};
pub use probe::{ProbeError, probe};
pub use results::{Identity, PackageResults, write_packages};
