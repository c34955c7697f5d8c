//! The startup package in tests.

use serde_json::Value;

use super::{Project, julia_is_since};

/// Whether there can be one; says that the test is skipped if not.
pub fn is_possible() -> bool {
    if !julia_is_since(9) {
        println!("skipped: this Julia has no package images");
    }
    julia_is_since(9)
}

/// Builds one, and gives the report.
pub fn quick(project: &Project) -> Value {
    project.jlsys(&["build", "--cpu-target", "native", "--quick", "--json"]).expect_status(0).json()
}

/// Prints for how many groups the session has what was compiled.
pub const GROUPS: &str = "count(mod -> nameof(mod) == :JlsysGroup, Base.loaded_modules_order)";
