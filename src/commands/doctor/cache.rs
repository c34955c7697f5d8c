//! The cache's folders.

use indicatif::HumanBytes;

use super::check::Check;
use crate::cache::Cache;
use crate::error::Error;
use crate::words::count;

pub(super) fn checks(cache: Result<&Cache, &Error>) -> Vec<Check> {
    let cache = match cache {
        Ok(cache) => cache,
        Err(error) => return vec![Check::fail("cache", error.to_string())],
    };
    let condition = cache.condition();
    let mut checks = vec![match condition.problem {
        Some(problem) => Check::fail("cache", problem.to_string()),
        None => own(cache),
    }];
    checks.extend(condition.shared.into_iter().map(|(root, problem)| {
        let root = root.display();
        match problem {
            None => Check::ok("shared cache", format!("{root} is read")),
            Some(problem) => Check::warn("shared cache", format!("nothing in {root} is used: {problem}"))
                .advise("JLSYS_CACHE_PATH names it; its owner alone may be able to write there"),
        }
    }));
    checks
}

fn own(cache: &Cache) -> Check {
    let listing = cache.list();
    let own = || listing.entries.iter().filter(|listed| listed.entry.is_own());
    let bytes = own().map(|listed| listed.entry.header.bytes).sum();
    let what =
        format!("{}: {}, {}", cache.root().display(), count(own().count(), "image"), HumanBytes(bytes));
    match listing.damaged.iter().filter(|damaged| damaged.is_own).count() {
        0 => Check::ok("cache", what),
        damaged => Check::warn("cache", format!("{what}, {damaged} damaged"))
            .advise("`jlsys cache verify --repair` removes what is damaged"),
    }
}
