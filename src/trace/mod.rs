//! What workloads were seen to compile: traces become statements that can be replayed.
//!
//! `julia --trace-compile=FILE` writes a line `precompile(Tuple{…})` for each method instance it compiles. A
//! [`Collector`] reads such files, drops what another process cannot replay (for a [`DropReason`]), repairs
//! what Julia prints in a form that cannot be read back, finds the package that owns each [`Statement`], and writes the rest,
//! each once, as one *statements file*. `julia/replay.jl` replays that file in the process that builds the image.

mod collector;
mod drop_reason;
mod edits;
mod lines;
mod modules;
mod reader;
mod repair;
mod replay_results;
mod select;
mod statement;
mod streams;
mod token;

pub use collector::{Collector, Totals, TraceCounts};
pub use drop_reason::DropReason;
pub use modules::{LoadedModule, Modules, Owner};
pub use replay_results::{InvalidResults, ReplayResults, Thrown};
pub use select::select;
pub use statement::Statement;
