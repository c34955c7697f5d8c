//! A file's lines, of which none is longer than memory bears.

use std::io::{self, BufRead, Read as _};

/// The longest line taken, in bytes. The longest seen in a real trace has 3,642.
pub(super) const LONGEST_LINE: u64 = 1 << 20;

/// Reads lines into one buffer that is used again.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

/// A line without its end.
pub(super) enum Line<'a> {
    Text(&'a str),
    /// Invalid UTF-8, or too long.
    Garbage,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new() }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if read as u64 == LONGEST_LINE {
            self.skip_to_line_end()?;
            return Ok(Some(Line::Garbage));
        }
        Ok(Some(match std::str::from_utf8(&self.line) {
            Ok(text) => Line::Text(text),
            Err(_) => Line::Garbage,
        }))
    }

    fn skip_to_line_end(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, done) = match buffer.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if done {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<Option<String>> {
        let mut lines = Lines::new(input);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Text(text) => Some(text.to_owned()),
                Line::Garbage => None,
            });
        }
        all
    }

    #[test]
    fn splits_with_and_without_a_last_line_end() {
        let expected = [Some("a".to_owned()), Some(String::new()), Some("b".to_owned())];
        assert_eq!(read(b"a\n\r\nb"), expected);
        assert_eq!(read(b"a\n\nb\n"), expected);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line_of_garbage() {
        let mut input = vec![b'x'; 10 << 20];
        input.extend_from_slice(b"\nafter\n\xff\xfe\nend");
        let expected = [None, Some("after".into()), None, Some("end".into())];
        assert_eq!(read(&input), expected);
    }
}
