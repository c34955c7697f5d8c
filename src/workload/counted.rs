//! Which caches Julia takes for packages, as `julia/counted.jl` tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::julia::Identity;

/// The caches that Julia takes for packages after precompiling.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counted(BTreeMap<Identity, Option<Cache>>);

/// The cache of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Where it is.
    pub path: PathBuf,
    /// How large it is, with its package image, in bytes.
    pub bytes: u64,
    /// Whether it was there before anything was precompiled.
    pub was_there: bool,
}

impl Counted {
    /// Reads what the driver wrote; nothing when it did not come so far.
    pub fn read(path: &Path) -> Self {
        Self::parse(&String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let caches = text.lines().filter_map(|line| {
            let [identity, outcome, bytes, path] = line.splitn(4, '\t').collect::<Vec<_>>()[..] else {
                return None;
            };
            let cache =
                Cache { path: path.into(), bytes: bytes.parse().ok()?, was_there: outcome == "there" };
            Some((identity.parse().ok()?, (outcome != "missing").then_some(cache)))
        });
        Self(caches.collect())
    }

    /// The same where it was tried a second time: what the first time made was not there before that.
    pub fn or_later(self, later: Self) -> Self {
        let mut caches = later.0;
        for (identity, cache) in self.0 {
            if cache.is_some() || !caches.contains_key(&identity) {
                caches.insert(identity, cache);
            }
        }
        Self(caches)
    }

    /// Those that there are.
    pub fn caches(&self) -> impl Iterator<Item = &Cache> {
        self.0.values().flatten()
    }

    /// Those that have none.
    pub fn missing(&self) -> impl Iterator<Item = &Identity> {
        self.0.iter().filter(|(_, cache)| cache.is_none()).map(|(identity, _)| identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000-0000-0000-0000-00000000000a";
    const B: &str = "00000000-0000-0000-0000-00000000000b";

    #[test]
    fn what_was_made_before_it_was_stuck_counts_as_made() {
        let first = Counted::parse(&format!(
            "{A}\tmade\t40\t/depot/A.ji\n{B}\tmissing\t0\t\n{B}/BExt\tmissing\t0\t\n"
        ));
        assert_eq!(first.missing().count(), 2);
        let second = Counted::parse(&format!(
            "{A}\tthere\t40\t/depot/A.ji\n{B}\tmade\t2\t/depot/B\tC.ji\n{B}/BExt\tmissing\t0\t\n"
        ));
        let both = first.or_later(second);
        let caches: Vec<_> =
            both.caches().map(|cache| (cache.path.to_str().unwrap(), cache.was_there)).collect();
        assert_eq!(caches, [("/depot/A.ji", false), ("/depot/B\tC.ji", false)]);
        let missing: Vec<_> = both.missing().map(Identity::to_string).collect();
        assert_eq!(missing, [format!("{B}/BExt")]);
    }
}
