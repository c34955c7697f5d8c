//! From statements to an image that was seen to work.

mod cpu;
mod link;
mod object;
mod places;
mod served;
mod verify;

pub use cpu::{CpuTarget, HostCpu};
pub use link::{LinkError, Linker};
pub use object::{ObjectError, ObjectInputs, ObjectProcess, Replay, ReplayLimits, Stage};
pub(crate) use object::{code_generation, memory_for, said, stalled};
pub use places::Look;
pub use served::{NoTarget, Served, serves};
pub use verify::{VerifyError, starts, verify};

/// The file name of an image: what Julia's own is called, with the platform's ending.
pub const IMAGE_NAME: &str = if cfg!(target_os = "macos") { "sys.dylib" } else { "sys.so" };
