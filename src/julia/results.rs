//! What the drivers are told and what they tell: files of one line a package.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::io;
use std::path::Path;
use std::str::FromStr;

use crate::uuid::{InvalidUuid, Uuid};

/// What a driver loads: a package, or an extension of one. Written as `julia/packages.jl` reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The package.
    pub package: Uuid,
    /// The name of its extension; the package itself when absent.
    pub extension: Option<String>,
}

impl From<Uuid> for Identity {
    fn from(package: Uuid) -> Self {
        Self { package, extension: None }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.extension {
            None => self.package.fmt(f),
            Some(name) => write!(f, "{}/{name}", self.package),
        }
    }
}

impl FromStr for Identity {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        Ok(match text.split_once('/') {
            None => Self::from(text.parse::<Uuid>()?),
            Some((package, name)) => Self { package: package.parse()?, extension: Some(name.to_owned()) },
        })
    }
}

/// What a driver says of the packages that it was given, as far as it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PackageResults {
    /// What is fine.
    pub ok: Vec<Identity>,
    /// What is not, with the error's first line.
    pub failed: BTreeMap<Identity, String>,
    /// What the driver was busy with when its process ended.
    pub unfinished: Option<Identity>,
    /// Whether the driver ran its small program to the end (`verify.jl`).
    pub program_ran: bool,
}

/// Writes the list of packages that a driver reads: each with its module's name.
pub fn write_packages<'a>(
    path: &Path,
    packages: impl IntoIterator<Item = (Identity, &'a str)>,
) -> io::Result<()> {
    let mut lines = String::new();
    for (identity, name) in packages {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{identity}\t{name}");
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
            let Ok(identity) = subject.parse() else {
                results.program_ran |= subject == "program" && outcome == Some("ok");
                continue;
            };
            match outcome {
                Some("ok") => results.ok.push(identity),
                Some(_) => {
                    results.failed.insert(identity, fields.next().unwrap_or_default().to_owned());
                }
                None => results.unfinished = Some(identity),
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
    fn an_extension_is_named_with_its_package() {
        let results = PackageResults::parse(&format!("{A}\tok\n{A}/AExt\tfailed\tno\n"));
        let extension = Identity { package: A.parse().unwrap(), extension: Some("AExt".to_owned()) };
        assert_eq!(results.failed[&extension], "no");
        assert_eq!(extension.to_string(), format!("{A}/AExt"));
    }

    #[test]
    fn the_small_program_is_no_package() {
        assert!(PackageResults::parse(&format!("{A}\tok\nprogram\tok\n")).program_ran);
        assert!(!PackageResults::parse(&format!("{A}\tok\nprogram")).program_ran);
    }
}
