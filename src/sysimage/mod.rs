//! From statements to an image that was seen to work.

mod generation;
mod link;
mod object;
mod places;
mod replay;
mod served;
mod verify;

pub(crate) use generation::{code_generation, memory_for};
pub use link::{LinkError, Linker};
pub use object::{ObjectError, ObjectInputs, ObjectProcess, ReplayLimits, Stage};
pub use places::Look;
pub use replay::{Replay, Stalled};
pub(crate) use replay::{said, stalled};
pub use served::{NoTarget, Served, serves};
pub use verify::{VerifyError, starts, verify};

/// The file name of an image: what Julia's own is called, with the platform's ending.
pub const IMAGE_NAME: &str = if cfg!(target_os = "macos") { "sys.dylib" } else { "sys.so" };
