//! What Julia prints while it waits for what a package left behind.
//!
//! From 1.10 on a Julia that precompiles a package waits at its end until no timer, task or socket is left that could wake it: for ever where
//! one repeats. Every 15 s it says so, and collects garbage (`wait_empty_func` in src/jl_uv.c); who started it passes the words on
//! (`monitor_std` in base/precompilation.jl, before 1.11 in Pkg's API.jl).

use nix::unistd::Pid;

/// Whether a piece of output says anything else than that somebody waits, or nothing.
pub(super) fn says_more(line: &str) -> bool {
    let line = without_control(line);
    let line = line.trim();
    let words = ["Handle type", "This means that a package has started a background task"];
    !line.is_empty()
        && process_in(line).is_none()
        && !words.iter().any(|words| line.starts_with(words))
        && !is_handle(line)
}

/// The process that says in this line that it waits.
pub(super) fn who_waits(line: &str) -> Option<Pid> {
    process_in(without_control(line).trim())
}

/// `[pid 4711] waiting for IO to finish:`
fn process_in(line: &str) -> Option<Pid> {
    let number = line.strip_prefix("[pid ")?.strip_suffix("] waiting for IO to finish:")?;
    number.parse().ok().map(Pid::from_raw)
}

/// Whether a line shows what is waited for: ` timer              0x558c32cbfcb0->0x7ff3f8166050`.
fn is_handle(line: &str) -> bool {
    let is_address = |text: &str| text.starts_with("0x") || text == "(nil)";
    line.rsplit(' ')
        .next()
        .and_then(|word| word.split_once("->"))
        .is_some_and(|(handle, data)| is_address(handle) && is_address(data))
}

/// The text without what moves a terminal's cursor, or colours its letters.
fn without_control(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        text + piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 1.12.5 prints it, through the Julia that started it.
    const SAYS: &str = "\u{1b}[0K\n\u{1b}[0K[pid 15720] waiting for IO to finish:\n\
                        \u{1b}[0K Handle type        uv_handle_t->data\n\
                        \u{1b}[0K timer              0x56034c58ba00->0x7f6707dd6210\n \
                        tcp[12]            0x56034c58ba00->(nil)\n\
                        This means that a package has started a background task or event source that has not finished running. For \
                        precompilation to complete successfully, the event source needs to be closed explicitly.\n\u{1b}[0K";

    #[test]
    fn nothing_of_it_says_more() {
        assert_eq!(SAYS.lines().find(|line| says_more(line)), None);
        assert_eq!(SAYS.lines().find_map(who_waits), Some(Pid::from_raw(15720)));
    }

    #[test]
    fn what_else_is_printed_does() {
        for line in [
            ".",
            "\u{1b}[32mPrecompiling\u{1b}[39m packages...",
            "f(x) = x->2x",
            "[pid 7] waiting for the server",
        ] {
            assert!(says_more(line), "{line}");
            assert_eq!(who_waits(line), None);
        }
    }
}
