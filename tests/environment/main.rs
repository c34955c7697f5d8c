//! Finding and reading environments: every rule, and every message that a user can get.

mod depots;
mod files;
mod finding;
mod manifests;
mod preferences;
mod projects;
mod whole;
