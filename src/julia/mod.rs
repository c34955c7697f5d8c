//! The Julia that an image is built for.

pub mod version;

pub use version::Version;
