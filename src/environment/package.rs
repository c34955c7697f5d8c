//! One package of an environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::uuid::Uuid;

/// A package as a manifest pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name, a Julia identifier: it is a module's name and becomes part of paths.
    pub name: String,
    /// Its version as the manifest writes it. Standard libraries of older manifests have none.
    pub version: Option<String>,
    /// Where its source comes from.
    pub source: Source,
    /// What it always loads, sorted.
    pub deps: Vec<Uuid>,
    /// What it has extensions for, sorted. These need not be in the environment.
    pub weak_deps: Vec<Uuid>,
    /// Each extension's name with the packages that trigger it, sorted.
    pub extensions: BTreeMap<String, Vec<Uuid>>,
    /// The file to load, relative to the package's folder, where it is not `src/NAME.jl` (`entryfile`, Julia 1.12).
    pub entry_file: Option<PathBuf>,
}

/// Where a package's source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// It comes with Julia: the manifest gives neither a tree nor a path.
    Stdlib,
    /// A registered package, installed in a depot under its tree.
    Tree(TreeHash),
    /// A package added by URL, installed in a depot under its tree.
    Repo {
        /// The tree of the package's folder.
        tree: TreeHash,
        /// Where it was cloned from.
        url: String,
        /// The branch, tag or commit that was asked for.
        rev: Option<String>,
        /// The package's folder in the repository.
        subdir: Option<String>,
    },
    /// A folder on this machine (`Pkg.develop`): absolute, and resolved against the manifest's folder.
    Path(PathBuf),
}

impl Source {
    /// The Git tree that the source is, unless it is Julia's own or a folder that may change.
    pub fn tree(&self) -> Option<TreeHash> {
        match self {
            Self::Tree(tree) | Self::Repo { tree, .. } => Some(*tree),
            Self::Stdlib | Self::Path(_) => None,
        }
    }
}

/// The name, and the version where one is known: `Example 0.5.3`.
impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.version {
            Some(version) => write!(f, " {version}"),
            None => Ok(()),
        }
    }
}

/// The SHA-1 of a Git tree, which is a package's whole content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash([u8; 20]);

/// The text is not 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-1 (40 hexadecimal digits)")]
pub struct InvalidTreeHash;

impl TreeHash {
    /// The 20 bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl FromStr for TreeHash {
    type Err = InvalidTreeHash;

    fn from_str(text: &str) -> Result<Self, InvalidTreeHash> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidTreeHash)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TreeHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a name can be a module's, so that it can be `using`ed and be a part of a path.
///
/// `Base.isidentifier` knows Unicode's categories. This lets any letter through and, after the first, any mark
/// outside ASCII; what matters is that nothing passes that means something in a path or in Julia code.
pub fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let mark = |c: char| !c.is_ascii() && !c.is_whitespace() && !c.is_control();
    characters.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && characters.all(|c| c == '_' || c == '!' || c.is_alphanumeric() || mark(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_identifiers() {
        for name in ["Example", "OpenSSL_jll", "_x", "Δx", "x!", "é2"] {
            assert!(is_identifier(name), "{name}");
        }
    }

    #[test]
    fn names_that_would_escape() {
        for name in ["", "..", "../x", "a/b", "a\\b", "a b", "a\0", "1x", "a-b", "a;b", "a\u{2028}b", "a.b"] {
            assert!(!is_identifier(name), "{name:?}");
        }
    }

    #[test]
    fn tree_hash_is_forty_digits_of_either_case() {
        let text = "46E44E869b4d90b96bd8ed1fdcf32244fddfb6cc";
        assert_eq!(text.parse::<TreeHash>().unwrap().to_string(), text.to_lowercase());
        assert_eq!("46e4".parse::<TreeHash>(), Err(InvalidTreeHash));
        assert_eq!("not a SHA-1 (40 hexadecimal digits)", InvalidTreeHash.to_string());
    }

    #[test]
    fn is_shown_with_its_version() {
        let mut package = Package {
            uuid: "7876af07-990d-54b4-ab0e-23690620f79a".parse().unwrap(),
            name: "Example".into(),
            version: Some("0.5.3".into()),
            source: Source::Stdlib,
            deps: vec![],
            weak_deps: vec![],
            extensions: BTreeMap::new(),
            entry_file: None,
        };
        assert_eq!(package.to_string(), "Example 0.5.3");
        package.version = None;
        assert_eq!(package.to_string(), "Example");
    }
}
