//! jlsys gives every Julia project a sysimage without anybody having to think about it.
//!
//! The modules follow the way of the data; `docs/how-it-works.md` tells the same story in prose.

pub mod binder;
pub mod budget;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod config;
pub mod cpu;
pub mod duration;
pub mod environment;
pub mod error;
pub mod fallback;
pub mod file;
pub mod julia;
pub mod kernel;
pub mod key;
pub mod location;
pub mod output;
pub mod pipeline;
pub mod plan;
pub mod prepare;
pub mod problem;
pub mod process;
pub mod profile;
pub mod progress;
pub mod remote;
pub mod report;
pub mod signing;
pub mod startup;
pub mod state;
pub mod stuck;
pub mod sysimage;
mod toml_error;
pub mod trace;
pub mod uuid;
pub mod version;
pub mod words;
pub mod workload;
pub mod world;
