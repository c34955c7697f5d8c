//! Version numbers as Julia reads and orders them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A Julia `VersionNumber` without its build part.
///
/// The build part (`+0.x64`) says how a release was made, not which one it is, so it is read and dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// The first number: 1 in `1.12.5`.
    pub major: u32,
    /// The second number, 0 when it is not written.
    pub minor: u32,
    /// The third number, 0 when it is not written.
    pub patch: u32,
    /// What follows the numbers, such as `rc1` or `DEV.12`; empty for a release.
    pub prerelease: String,
}

/// The text is not a version number by Julia's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version number (such as 1.10.2)")]
pub struct InvalidVersion;

impl Version {
    /// A release: a version without a prerelease part.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, prerelease: String::new() }
    }

    /// `MAJOR.MINOR`, as it stands in `Manifest-v1.11.toml` and `environments/v1.11`.
    pub fn major_minor(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads what `VERSION_REGEX` in Julia's `base/version.jl` matches.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        // Everything in a version is ASCII, which also makes the byte offsets below safe.
        if !text.is_ascii() {
            return Err(InvalidVersion);
        }
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (major, rest) = number(text)?;
        let (minor, rest) = optional_number(rest)?;
        let (patch, rest) = optional_number(rest)?;
        let prerelease = suffix(rest)?;
        Ok(Self { major, minor, patch, prerelease: prerelease.to_owned() })
    }
}

/// A number at the start of `text`, and what follows it. Julia keeps it in 32 bits.
fn number(text: &str) -> Result<(u32, &str), InvalidVersion> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = digits.parse().map_err(|_| InvalidVersion)?;
    Ok((number, rest))
}

/// A number after a dot, or 0 when there is no dot.
fn optional_number(text: &str) -> Result<(u32, &str), InvalidVersion> {
    text.strip_prefix('.').map_or(Ok((0, text)), number)
}

/// The prerelease part of what follows the numbers; the build part is checked and dropped.
fn suffix(text: &str) -> Result<&str, InvalidVersion> {
    // A lone `-` ("before every prerelease") and a lone `+` ("after every build") are bounds that Julia allows.
    if text == "-" {
        return Ok("");
    }
    let (prerelease, build) = match text.split_once('+') {
        Some((prerelease, build)) => (prerelease, Some(build)),
        None => (text, None),
    };
    if build.is_some_and(|build| !build.is_empty() && !identifiers(build)) {
        return Err(InvalidVersion);
    }
    if prerelease.is_empty() {
        return Ok("");
    }
    // `1.2.3DEV` is the same as `1.2.3-DEV`, but only when a letter follows the numbers.
    let dashed = prerelease.strip_prefix('-');
    let name = dashed.unwrap_or(prerelease);
    let joined = dashed.is_some() || name.starts_with(|c: char| c.is_ascii_alphabetic());
    (joined && identifiers(name)).then_some(name).ok_or(InvalidVersion)
}

/// Whether the text is a list of identifiers separated by dots, none of them empty.
fn identifiers(text: &str) -> bool {
    text.split('.').all(|identifier| {
        !identifier.is_empty() && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        Ok(())
    }
}

impl Ord for Version {
    /// By the numbers; a prerelease comes before its release, and prereleases by their identifiers, as in `base/version.jl`.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| self.prerelease.is_empty().cmp(&other.prerelease.is_empty()))
            .then_with(|| {
                let (a, b) = (self.prerelease.split('.'), other.prerelease.split('.'));
                a.map(rank).cmp(b.map(rank))
            })
            // Keeps the order consistent with equality where numbers differ only in leading zeros.
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers sort by value and before words.
fn rank(identifier: &str) -> (bool, u64, &str) {
    match identifier.parse() {
        Ok(number) => (false, number, ""),
        Err(_) => (true, 0, identifier),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    /// Each pair is what Julia 1.5.3 prints for `VersionNumber(text)`, without the build part.
    #[test]
    fn reads_what_julia_reads() {
        for (text, shown) in [
            ("0.5.1+", "0.5.1"),
            ("1", "1.0.0"),
            ("1.2", "1.2.0"),
            ("v1.2.3", "1.2.3"),
            ("1.2.3-DEV", "1.2.3-DEV"),
            ("1.2.3DEV", "1.2.3-DEV"),
            ("1.5.3-rc1+0", "1.5.3-rc1"),
            ("1.12.5+0.x64", "1.12.5"),
            ("1.2.3-DEV.12", "1.2.3-DEV.12"),
            ("1.2a", "1.2.0-a"),
            ("1.2-", "1.2.0"),
        ] {
            assert_eq!(version(text).to_string(), shown, "{text}");
        }
    }

    /// Each of these makes `VersionNumber(text)` throw in Julia 1.5.3.
    #[test]
    fn refuses_what_julia_refuses() {
        for text in
            ["", " 1.2", "1.2.3.4", "1.2.3-a_b", "99999999999.0", "1..2", "-1", "1.2.3-a..b", "1.2-+1", "é"]
        {
            assert_eq!(text.parse::<Version>(), Err(InvalidVersion), "{text:?}");
        }
    }

    #[test]
    fn orders_releases_after_their_prereleases() {
        let ascending =
            ["1.9.4", "1.10.0-DEV.2", "1.10.0-DEV.12", "1.10.0-rc1", "1.10.0", "1.10.8", "1.11.0-DEV"];
        assert!(ascending.is_sorted_by_key(|text| version(text)));
        assert_eq!(version("1.10.0+1"), version("1.10.0+2"));
    }

    #[test]
    fn names_the_release_series() {
        assert_eq!(version("1.11.3").major_minor(), "1.11");
    }
}
