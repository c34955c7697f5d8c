//! What an interrupted build leaves.

use std::fmt;

/// What an interrupted build leaves for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How many workloads need not run again.
    pub workloads: usize,
    /// Of how many.
    pub of: usize,
    /// Whether its startup package is in place.
    pub startup: bool,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { workloads: 0, of: 0, .. } => f.write_str("the next `jlsys build` begins again"),
            Self { workloads: 0, .. } => {
                f.write_str("no workload was done yet, so the next `jlsys build` begins again")
            }
            Self { workloads, of, .. } => write!(
                f,
                "{workloads} of {} done and kept, and the next `jlsys build` goes on from there",
                if of == 1 { "1 workload is".to_owned() } else { format!("{of} workloads are") }
            ),
        }?;
        if self.startup {
            f.write_str("; the startup package is in place, and `jlsys run` uses it")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_build_says_what_is_kept() {
        let kept = |workloads, of, startup| Kept { workloads, of, startup }.to_string();
        assert_eq!(
            kept(3, 5, false),
            "3 of 5 workloads are done and kept, and the next `jlsys build` goes on from there"
        );
        assert!(kept(0, 5, true).starts_with("no workload was done yet"));
        assert!(kept(0, 5, true).ends_with("the startup package is in place, and `jlsys run` uses it"));
    }
}
