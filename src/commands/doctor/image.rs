//! The project's image.

use super::check::Check;
use crate::prepare::Prepared;
use crate::state::State;

pub(super) fn checks(prepared: &Prepared) -> Vec<Check> {
    let state = State::for_session(prepared);
    let name = state.name();
    let mut checks = vec![match &state {
        State::Ready(entry) => {
            let path = entry.image().or_else(|| entry.startup());
            let path = path.unwrap_or_else(|| entry.folder().to_owned());
            Check::ok("image", format!("{name}: {} ({})", path.display(), entry.header.tier))
        }
        State::Missing | State::Removed | State::Stale(_) | State::OtherWorld(_) => {
            Check::note("image", format!("{name}: {}", state.reason(prepared)))
        }
        State::Failed(_)
        | State::Damaged(_)
        | State::OtherCpu
        | State::NoTarget(_)
        | State::Unmappable(_)
        | State::Hidden(_) => Check::warn("image", format!("{name}: {}", state.reason(prepared))),
    }];
    if let Some(reason) = state.last_failure(prepared) {
        checks.push(Check::note("last build", format!("it came to nothing: {reason}")));
    }
    let size = match &state {
        State::Ready(entry) => entry.header.bytes,
        _ => 0,
    };
    if let Some(limit) = prepared.settings.cache.max_size.filter(|limit| *limit < size) {
        checks.push(
            Check::warn(
                "max-size",
                format!("this image alone is larger than what jlsys.toml allows ({limit} bytes)"),
            )
            .advise("a larger `max-size` in [cache]; else a later build removes it"),
        );
    }
    checks
}
