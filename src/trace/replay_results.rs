//! What `julia/replay.jl` says of a statements file.

use serde::Serialize;

/// What became of the statements when they were replayed. The file's format is documented in `julia/replay.jl`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplayResults {
    /// The line (from 1) that was begun last: when Julia did not finish, the one to blame. 0: none was begun.
    pub line: u64,
    /// Whether Julia came to the end; else the rest is empty.
    pub finished: bool,
    /// `precompile` returned true.
    pub compiled: u64,
    /// `precompile` returned false: no single method fits.
    pub refused: u64,
    /// The types could not be put together, or compiling threw.
    pub threw: u64,
    /// How long it took.
    pub seconds: f64,
    /// The lines that were refused.
    pub refused_lines: Vec<u64>,
    /// What was thrown, the most frequent first; at most 100 different ones.
    pub messages: Vec<Thrown>,
}

/// A message, and how often it was thrown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thrown {
    /// How often.
    pub times: u64,
    /// The first statement's line (from 1).
    pub first_line: u64,
    /// The exception, in one line.
    pub message: String,
}

/// The text is no results file of `julia/replay.jl`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the replay's results is not understood: {text:?}")]
pub struct InvalidResults {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

impl ReplayResults {
    /// Reads a results file. An empty one (Julia ended before the first statement) is a result without a line.
    ///
    /// # Errors
    ///
    /// At the first line that is not of the format.
    pub fn parse(text: &str) -> Result<Self, InvalidResults> {
        let mut results = Self::default();
        for (index, line) in text.lines().enumerate() {
            results.take(line).ok_or_else(|| InvalidResults { line: index + 1, text: line.to_owned() })?;
        }
        Ok(results)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (key, value) = line.split_once(' ')?;
        match key {
            "finished" => self.finished = value == "1",
            "seconds" => self.seconds = value.parse().ok()?,
            "line" => self.line = value.parse().ok()?,
            "compiled" => self.compiled = value.parse().ok()?,
            "false" => self.refused = value.parse().ok()?,
            "threw" => self.threw = value.parse().ok()?,
            "false-line" => self.refused_lines.push(value.parse().ok()?),
            "thrown" => {
                let mut fields = value.splitn(3, ' ');
                self.messages.push(Thrown {
                    times: fields.next()?.parse().ok()?,
                    first_line: fields.next()?.parse().ok()?,
                    message: fields.next()?.to_owned(),
                });
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_whole_file() {
        let text = "line 0000000003\nfinished 1\ncompiled 1\nfalse 1\nthrew 1\nseconds 0.5\nfalse-line 2\nthrown 1 3 UndefVarError: x not defined\n";
        let results = ReplayResults::parse(text).unwrap();
        assert!(results.finished);
        assert_eq!((results.compiled, results.refused, results.threw), (1, 1, 1));
        assert_eq!(results.refused_lines, [2]);
        assert_eq!(results.messages[0].message, "UndefVarError: x not defined");
    }

    #[test]
    fn a_crash_leaves_the_line_it_happened_in() {
        let results = ReplayResults::parse("line 0000000042\n").unwrap();
        assert_eq!((results.line, results.finished), (42, false));
        assert_eq!(ReplayResults::parse("").unwrap().line, 0);
    }

    #[test]
    fn what_is_not_of_the_format_is_an_error() {
        let error = ReplayResults::parse("line 1\nhello\n").unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (2, "hello"));
    }
}
