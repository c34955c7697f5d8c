//! Sharing images between machines, against a real server that speaks S3 (the crate `s3s-fs`), a folder, and a plain web
//! server. Each "machine" has a cache, a home and a project folder of its own. A shim stands in for the minutes of writing
//! an image (see `support::shim`), and in most tests a file of 20 MB for the image.

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod machine;
mod server;
mod sharing;
mod trust;
