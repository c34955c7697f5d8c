//! The words of a printed type.
//!
//! Covers what `jl_static_show` (`src/rtutils.c` of Julia 1.5 to 1.12) prints for a type, and nothing else of Julia: what it
//! does not know makes a statement unreadable.

use std::ops::Range;

use super::DropReason;

/// What a token is; its text is `&line[token.range]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, or `var"…"`.
    Name,
    /// `:name` or `:var"…"`, where a value stands.
    Symbol,
    /// `:+`: a symbol that is an operator; or `:(+)`, the part of a path.
    OperatorSymbol,
    /// A number without sign.
    Number,
    /// `"…"`.
    Text,
    /// One of `{ } ( ) , . = -`, or `<:`.
    Mark(u8),
}

/// A token and where it stands in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// `<:` among the marks.
pub(super) const SUBTYPE: u8 = b'<';

/// Splits a line into tokens, comments and blanks left out.
pub(super) struct Tokens<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// The next token; `None` at the line's end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, DropReason> {
        self.skip_blanks_and_comments()?;
        let start = self.at;
        let Some(&first) = self.rest().first() else {
            return Ok(None);
        };
        let kind = match first {
            b'{' | b'}' | b'(' | b')' | b',' | b'.' | b'=' | b'-' => {
                self.at += 1;
                Kind::Mark(first)
            }
            b'<' => self.subtype()?,
            b':' => self.symbol()?,
            b'"' => self.text()?,
            b'0'..=b'9' => self.number(),
            // Arrays print their elements between brackets.
            b'[' => return Err(DropReason::Unprintable),
            _ => self.name()?,
        };
        let token = Token { kind, range: start..self.at };

        Ok(Some(token))
    }

    fn rest(&self) -> &'a [u8] {
        &self.line.as_bytes()[self.at..]
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), DropReason> {
        loop {
            match self.rest() {
                [b' ' | b'\t', ..] => self.at += 1,
                // `--trace-compile-timing` of 1.12 puts `#=   12.3 ms =# ` before the statement.
                [b'#', b'=', ..] => {
                    let end = self.line[self.at..].find("=#").ok_or(DropReason::Unreadable)?;
                    self.at += end + 2;
                }
                // `#<null>`, `#<intrinsic #2 add_int>`
                [b'#', b'<', ..] => return Err(DropReason::Unprintable),
                // `# recompile`
                [b'#', ..] => self.at = self.line.len(),
                _ => return Ok(()),
            }
        }
    }

    fn subtype(&mut self) -> Result<Kind, DropReason> {
        match self.rest() {
            [_, b':', ..] => {
                self.at += 2;
                Ok(Kind::Mark(SUBTYPE))
            }
            // `<?#0x…::T>`, `<circular reference @-1>`
            [_, b'?' | b'c', ..] => Err(DropReason::Unprintable),
            _ => Err(DropReason::Unreadable),
        }
    }

    fn symbol(&mut self) -> Result<Kind, DropReason> {
        self.at += 1;
        if self.rest().first().copied().is_some_and(starts_name) {
            self.name()?;
            return Ok(Kind::Symbol);
        }
        if self.rest().first() == Some(&b'(') {
            // An operator never holds a parenthesis.
            let end = self.line[self.at..].find(')').ok_or(DropReason::Unreadable)?;
            self.at += end + 1;
            return Ok(Kind::OperatorSymbol);
        }
        let length =
            self.line[self.at..].find([',', '}', ')', ' ', '{', '(', '"']).ok_or(DropReason::Unreadable)?;
        if length == 0 {
            return Err(DropReason::Unreadable);
        }
        self.at += length;
        Ok(Kind::OperatorSymbol)
    }

    fn text(&mut self) -> Result<Kind, DropReason> {
        let end =
            if self.opens_symbol() { self.end_of_raw_symbol() } else { end_of_string(&self.rest()[1..]) };
        self.at += 1 + end.ok_or(DropReason::Unreadable)? + 1;
        Ok(Kind::Text)
    }

    /// Whether the text begins in `Symbol("`, whose content is not escaped before Julia 1.12 (and later versions print
    /// `:var"…"` instead). `Core.Symbol("…")`, which Julia never prints, is escaped: it is our own repaired form.
    fn opens_symbol(&self) -> bool {
        let before = &self.line[..self.at];
        before.strip_suffix("Symbol(").is_some_and(|before| before.ends_with(['{', ' ', '(', '=']))
    }

    /// The first quote after which the type can go on.
    fn end_of_raw_symbol(&self) -> Option<usize> {
        let rest = &self.rest()[1..];
        (0..rest.len()).find(|&i| {
            rest[i..].starts_with(b"\")") && matches!(rest.get(i + 2), Some(b',' | b'}' | b')' | b' '))
        })
    }

    fn number(&mut self) -> Kind {
        let rest = self.rest();
        let hexadecimal = rest.starts_with(b"0x");
        let mut length = 1;
        while let Some(&byte) = rest.get(length) {
            let sign_of_exponent =
                matches!(byte, b'+' | b'-') && matches!(rest[length - 1], b'e' | b'f') && !hexadecimal;
            if !(byte.is_ascii_alphanumeric() || byte == b'.' || sign_of_exponent) {
                break;
            }
            length += 1;
        }
        self.at += length;
        Kind::Number
    }

    fn name(&mut self) -> Result<Kind, DropReason> {
        if self.rest().starts_with(b"var\"") {
            let end = end_of_string(&self.rest()[4..]).ok_or(DropReason::Unreadable)?;
            self.at += 4 + end + 1;
            return Ok(Kind::Name);
        }
        let rest = self.rest();
        let goes_on = |byte: &u8| starts_name(*byte) || byte.is_ascii_digit() || *byte == b'!';
        if !rest.first().copied().is_some_and(starts_name) {
            return Err(DropReason::Unreadable);
        }
        self.at += rest.iter().position(|byte| !goes_on(byte)).unwrap_or(rest.len());
        Ok(Kind::Name)
    }
}

/// Whether an identifier can begin with this byte. All characters beyond ASCII are taken for letters: which of them are is
/// for Julia to judge, and none of them ends a name.
fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

/// Where a string's closing quote stands, a backslash escaping it.
fn end_of_string(content: &[u8]) -> Option<usize> {
    let mut escaped = false;
    content.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(line: &str) -> Result<Vec<&str>, DropReason> {
        let mut tokens = Tokens::new(line);
        let mut all = Vec::new();
        while let Some(token) = tokens.next()? {
            all.push(&line[token.range]);
        }
        Ok(all)
    }

    #[test]
    fn a_string_hides_what_looks_like_a_type() {
        assert_eq!(
            tokens(r##"Val{Symbol("Main.x, {")}"##).unwrap(),
            ["Val", "{", "Symbol", "(", "\"Main.x, {\"", ")", "}"]
        );
        assert_eq!(tokens(r##"A.var"#\"Main.f{".B"##).unwrap(), ["A", ".", r##"var"#\"Main.f{""##, ".", "B"]);
    }

    #[test]
    fn a_symbol_before_1_12_is_not_escaped() {
        assert_eq!(tokens(r#"Val{Symbol("a"b\")}"#).unwrap()[4], r#""a"b\""#);
        assert_eq!(tokens(r#"Val{Core.Symbol("a\"b\\")}"#).unwrap()[6], r#""a\"b\\""#);
    }

    #[test]
    fn operators_are_parts_of_paths_or_symbols() {
        assert_eq!(
            tokens("Base.:(+), :::, :a!, :var\"a b\", :(\\)").unwrap(),
            ["Base", ".", ":(+)", ",", ":::", ",", ":a!", ",", ":var\"a b\"", ",", ":(\\)"]
        );
    }

    #[test]
    fn numbers_hold_their_exponents() {
        assert_eq!(
            tokens("2e+30f, -1.5f, 0xfe, 1e-07").unwrap(),
            ["2e+30f", ",", "-", "1.5f", ",", "0xfe", ",", "1e-07"]
        );
    }

    #[test]
    fn values_without_a_readable_form_are_told_apart() {
        for line in ["{<?#0x1::T>}", "{#<null>}", "{<circular reference @-1>}", "Array{Int}[1]"] {
            assert_eq!(tokens(line), Err(DropReason::Unprintable), "{line}");
        }
        for line in ["@time", "a; b", "`ls`", "'c'", "\"open", "var\"open", "$x", "{:"] {
            assert_eq!(tokens(line), Err(DropReason::Unreadable), "{line}");
        }
    }
}
