//! Paths as Julia's `abspath` and `normpath` make them: by their text, not by what is on the disk.

use std::path::{Component, Path, PathBuf};

/// The folder that a file is in.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

/// `path` as seen from `base`, without `.` and `..`. It is absolute when `base` is.
pub(crate) fn resolve(base: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            // `pop` leaves the root alone. What cannot be popped, the start of a relative path, must stay.
            Component::ParentDir if resolved.file_name().is_some() => {
                resolved.pop();
            }
            Component::ParentDir if resolved.has_root() => {}
            part => resolved.push(part),
        }
    }
    resolved
}

/// `~` and `~/…` with the home folder, as `expanduser`.
pub(crate) fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_by_text() {
        for (base, path, expected) in [
            ("/a/b", "c", "/a/b/c"),
            ("/a/b", "../c/./d", "/a/c/d"),
            ("/a/b", "/c/..", "/"),
            ("/a", "../../../x", "/x"),
            ("a", "../../x", "../x"),
            ("/a/b/", ".", "/a/b"),
        ] {
            let resolved = resolve(Path::new(base), Path::new(path));
            assert_eq!(resolved, Path::new(expected), "{base} {path}");
        }
    }

    #[test]
    fn expands_only_a_leading_tilde() {
        let home = Some(Path::new("/home/u"));
        assert_eq!(expand_home(Path::new("~/x"), home), Path::new("/home/u/x"));
        assert_eq!(expand_home(Path::new("~"), home), Path::new("/home/u"));
        assert_eq!(expand_home(Path::new("/~/x"), home), Path::new("/~/x"));
        assert_eq!(expand_home(Path::new("~x"), home), Path::new("~x"));
        assert_eq!(expand_home(Path::new("~/x"), None), Path::new("~/x"));
    }
}
