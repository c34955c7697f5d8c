//! What the drivers are told and what they tell: files of one line a package.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::environment::Uuid;

/// What a driver says of the packages that it was given, as far as it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PackageResults {
    /// The packages that are fine.
    pub ok: Vec<Uuid>,
    /// The packages that are not, with the error's first line.
    pub failed: BTreeMap<Uuid, String>,
    /// The package that the driver was busy with when its process ended.
    pub unfinished: Option<Uuid>,
    /// Whether the driver ran its small program to the end (`verify.jl`).
    pub program_ran: bool,
}

/// Writes the list of packages that a driver reads.
pub fn write_packages<'a>(
    path: &Path,
    packages: impl IntoIterator<Item = (Uuid, &'a str)>,
) -> io::Result<()> {
    let mut lines = String::new();
    for (uuid, name) in packages {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{uuid}\t{name}");
    }
    std::fs::write(path, lines)
}

impl PackageResults {
    /// Reads what a driver wrote; nothing when it did not come so far as to write.
    pub fn read(path: &Path) -> Self {
        Self::parse(&String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let mut results = Self::default();
        for line in text.lines() {
            let mut fields = line.splitn(3, '\t');
            let (subject, outcome) = (fields.next().unwrap_or_default(), fields.next());
            let Ok(uuid) = subject.parse() else {
                results.program_ran |= subject == "program" && outcome == Some("ok");
                continue;
            };
            match outcome {
                Some("ok") => results.ok.push(uuid),
                Some(_) => {
                    results.failed.insert(uuid, fields.next().unwrap_or_default().to_owned());
                }
                None => results.unfinished = Some(uuid),
            }
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000-0000-0000-0000-00000000000a";
    const B: &str = "00000000-0000-0000-0000-00000000000b";
    const C: &str = "00000000-0000-0000-0000-00000000000c";

    #[test]
    fn what_was_written_before_a_crash_counts() {
        let results = PackageResults::parse(&format!("{A}\tok\n{B}\tfailed\tno such\tfile\n{C}"));
        assert_eq!(results.ok, [A.parse().unwrap()]);
        assert_eq!(results.failed[&B.parse().unwrap()], "no such\tfile");
        assert_eq!(results.unfinished, Some(C.parse().unwrap()));
        assert!(!results.program_ran);
    }

    #[test]
    fn the_small_program_is_no_package() {
        assert!(PackageResults::parse(&format!("{A}\tok\nprogram\tok\n")).program_ran);
        assert!(!PackageResults::parse(&format!("{A}\tok\nprogram")).program_ran);
    }
}
