//! The packages of a Julia project, as `Project.toml` and `Manifest.toml` state them.

mod uuid;

pub use uuid::Uuid;
