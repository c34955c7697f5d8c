//! A part of a statements file.

use std::io::{self, BufRead, Write};

use super::lines::{Line, Lines};
use super::{Modules, Statement};

/// Copies the statements that `keep` says yes to; gives how many. What does not parse with these `modules` is left out.
///
/// # Errors
///
/// When `input` cannot be read or `out` not be written.
pub fn select(
    input: impl BufRead,
    modules: &Modules,
    mut out: impl Write,
    mut keep: impl FnMut(&Statement<'_>) -> bool,
) -> io::Result<u64> {
    let mut kept = 0;
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        let Line::Text(text) = line else { continue };
        let Ok(statement) = Statement::parse(text, modules) else {
            continue;
        };
        if keep(&statement) {
            out.write_all(statement.text().as_bytes())?;
            out.write_all(b"\n")?;
            kept += 1;
        }
    }
    out.flush()?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_is_told_to() {
        let input = b"precompile(Tuple{Int64})\ngarbage\nprecompile(Tuple{Char})\n";
        let mut out = Vec::new();
        let kept = select(&input[..], &Modules::new([], []), &mut out, |statement| {
            statement.text().contains("Char")
        });
        assert_eq!(kept.unwrap(), 1);
        assert_eq!(out, b"precompile(Tuple{Char})\n");
    }
}
