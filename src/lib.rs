//! jlsys gives every Julia project a sysimage without anybody having to think about it.
//!
//! The modules follow the way of the data; `docs/how-it-works.md` tells the same story in prose.

pub mod environment;
pub mod julia;
pub mod trace;
