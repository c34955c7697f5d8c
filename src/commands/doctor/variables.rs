//! Variables of the environment that change what Julia or jlsys do.

use std::ffi::{OsStr, OsString};

use super::check::Check;

/// Variables that get in the way when they are set, with how.
const IN_THE_WAY: &[(&str, &str)] =
    &[("LD_PRELOAD", "it is loaded into every Julia too, and what it does there jlsys does not know")];

pub(super) fn checks(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(value) = variable("JLSYS_DISABLE").filter(|value| !value.is_empty() && value != "0") {
        checks.push(
            Check::warn(
                "variable",
                format!(
                    "JLSYS_DISABLE={}: `jlsys run` and kernels start plain Julia, whatever there is",
                    value.display()
                ),
            )
            .advise("unset JLSYS_DISABLE"),
        );
    }
    for (name, how) in IN_THE_WAY {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            checks.push(
                Check::warn("variable", format!("{name}={}: {how}", value.display()))
                    .advise(format!("unset {name}, unless you know why it is set")),
            );
        }
    }
    if let Some(value) = variable("JULIA_LOAD_PATH") {
        checks.push(load_path(&value));
    }
    if variable("JULIA_DEPOT_PATH").is_some_and(|value| value.is_empty()) {
        checks.push(
            Check::warn(
                "variable",
                "JULIA_DEPOT_PATH is set and empty: Julia has no depot, and finds no packages",
            )
            .advise("unset JULIA_DEPOT_PATH"),
        );
    }
    checks
}

/// Preferences count from wherever the load path leads; packages should come from the project.
fn load_path(value: &OsStr) -> Check {
    let shown = format!("JULIA_LOAD_PATH={}", value.display());
    let text = value.to_string_lossy();
    if !text.is_empty() && matches!(text.split(':').next(), Some("" | "@")) {
        return Check::note(
            "variable",
            format!("{shown}: preferences that its environments set are part of the key"),
        );
    }
    let finding = format!(
        "{shown}: the project is not first, so that Julia may load other packages than the image holds"
    );
    Check::warn("variable", finding).advise("begin it with `@` or a colon, unless you know why it does not")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_named() {
        let with = |known: &'static str, value: &'static str| {
            checks(move |name| (name == known).then(|| OsString::from(value)))
        };
        assert_eq!(checks(|_| None), []);
        assert_eq!(with("JLSYS_DISABLE", "0"), []);
        assert_eq!(with("LD_PRELOAD", ""), []);
        assert_eq!(with("JULIA_LOAD_PATH", ":/site")[0].advice, None);
        for (name, value) in [
            ("JLSYS_DISABLE", "1"),
            ("LD_PRELOAD", "/x.so"),
            ("JULIA_LOAD_PATH", "/y:"),
            ("JULIA_DEPOT_PATH", ""),
        ] {
            let found = with(name, value);
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].finding.starts_with(name) && found[0].advice.is_some(), "{found:?}");
        }
    }
}
