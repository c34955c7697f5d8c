//! Whether versions are what the project's `[compat]` says.
//!
//! Pkg keeps to it when it resolves; a manifest that was edited or copied, or another Julia, need not fit. Julia's bounds are
//! written like those of Rust's `semver`, where what stands between commas is an alternative
//! (<https://pkgdocs.julialang.org/v1/compatibility/>).

use semver::VersionReq;

use super::check::Check;
use crate::environment::Environment;
use crate::version::Version;

/// What does not fit; nothing where everything does.
pub(super) fn check(environment: &Environment, julia: &Version) -> Option<Check> {
    let compat = &environment.project.compat;
    let version_of = |name: &str| match name {
        "julia" => Some(julia.clone()),
        _ => {
            let package = environment.packages.get(environment.project.deps.get(name)?)?;
            package.version.as_ref()?.parse().ok()
        }
    };
    let misfits = compat.iter().filter_map(|(name, bound)| {
        let version = version_of(name)?;
        (fits(bound, &version) == Some(false)).then(|| format!("{name} {version}, not {bound}"))
    });
    let misfits: Vec<String> = misfits.collect();
    if misfits.is_empty() {
        return None;
    }
    let finding = format!("other than [compat] in the project says: {}", misfits.join("; "));
    Some(Check::warn("compat", finding).advise("`import Pkg; Pkg.resolve()`, or change the entry"))
}

/// Whether a version is within a bound; `None` for a bound that is not understood.
fn fits(bound: &str, version: &Version) -> Option<bool> {
    let version = semver::Version::new(version.major.into(), version.minor.into(), version.patch.into());
    let mut is_within = false;
    for alternative in bound.split(',') {
        is_within |= requirement(alternative.trim())?.matches(&version);
    }
    Some(is_within)
}

fn requirement(text: &str) -> Option<VersionReq> {
    let text = text.replace('≥', ">=");
    let text = match text.split_once(" - ") {
        // Both ends are within; an end with numbers left out stands for all that begin like it, as it does after `<=`.
        Some((from, to)) => format!(">={}, <={}", from.trim(), to.trim()),
        None => text,
    };
    VersionReq::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_mean_what_pkg_says() {
        for (bound, version, expected) in [
            ("1.6", "1.10.2", true),
            ("1.6", "2.0.0", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("~1.5", "1.5.9", true),
            ("~1.5", "1.6.0", false),
            ("=1.5.3", "1.5.4", false),
            ("0.3, 1", "0.3.8", true),
            ("0.3, 1", "0.4.0", false),
            (">= 1.2", "3.0.0", true),
            ("≥ 1.2", "1.1.0", false),
            ("1.2 - 1.5", "1.5.3", true),
            ("1.2 - 1.5.2", "1.5.3", false),
            ("1.2 - 1.5", "1.6.0", false),
        ] {
            assert_eq!(fits(bound, &version.parse().unwrap()), Some(expected), "{bound} {version}");
        }
        assert_eq!(fits("whatever", &Version::new(1, 0, 0)), None);
    }
}
