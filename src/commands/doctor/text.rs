//! The findings as lines on a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Document;
use super::check::Mark;

impl Mark {
    fn style(self) -> Style {
        match self {
            Self::Ok => AnsiColor::Green.on_default(),
            Self::Note => AnsiColor::Cyan.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Fail => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Prints the findings; in colours, where the terminal and the user want them.
pub(super) fn print(document: &Document) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let width = document.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &document.checks {
        let (style, mark) = (check.mark.style(), check.mark.word());
        writeln!(out, "{style}{mark}{style:#}  {:width$}  {}", check.name, check.finding)?;
        if let Some(advice) = &check.advice {
            writeln!(out, "      {:width$}  -> {advice}", "")?;
        }
    }
    if let Some(worth) = &document.worth {
        writeln!(out, "\nIs an image worth it here? {}", worth.sentence)?;
    }
    if !document.can_build {
        writeln!(out, "\nA build would not start; see FAIL above.")?;
    }
    Ok(())
}
