//! How long a workload compiled, as `julia/compiling.jl` notes it beside the trace.

use std::path::Path;

/// The seconds that the process which wrote `trace` went on compiling; `None` when it did not come to noting them. What was
/// noted is removed, so that it is not taken for that of another process with the same trace.
pub(super) fn take(trace: &Path) -> Option<f64> {
    let note = trace.with_added_extension("compiling");
    let text = std::fs::read_to_string(&note).ok()?;
    let _ = std::fs::remove_file(note);
    let nanoseconds: u64 = text.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let (trace, note) = (folder.path().join("load.jl"), folder.path().join("load.jl.compiling"));
        assert_eq!(take(&trace), None);
        std::fs::write(&note, "1500000000").unwrap();
        assert_eq!(take(&trace), Some(1.5));
        assert_eq!(take(&trace), None);
        // A disk that was full.
        for broken in ["", "15x", "-3"] {
            std::fs::write(&note, broken).unwrap();
            assert_eq!(take(&trace), None, "{broken}");
        }
    }
}
