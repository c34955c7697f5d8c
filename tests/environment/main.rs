//! Finding and reading environments: every rule, and every message that a user can get; and what is named by them.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes only the test functions themselves for tests, not their helpers"
)]

mod companions;
mod depots;
mod files;
mod finding;
mod keys;
mod load_path;
mod manifests;
mod preferences;
mod projects;
mod whole;
