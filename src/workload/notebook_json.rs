//! Notebooks' JSON as Python writes and reads it.
//!
//! Jupyter reads notebooks with Python's `json`, which takes what the standard does not have: `NaN`, `Infinity` and `-Infinity` (a
//! plot's data in an output), escapes of half a character (`\ud83d`), the same key twice (the last one counts). Some editors put a
//! byte-order mark before all.

use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

/// What Python writes for numbers that JSON does not have.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// What stands for half a character (U+FFFD).
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Reads a value; what only Python takes becomes `null`, or the character that stands for what cannot be read.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // Outputs, which can be megabytes, are passed over.
    serde_json::from_slice(text).or_else(|error| {
        // By way of a value, in which the last of equal keys counts.
        let value: Value = serde_json::from_slice(&standard(text)).map_err(|_| error)?;
        serde_json::from_value(value)
    })
}

/// The same text, as the standard has it.
fn standard(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(&byte) = rest.first() {
        let taken = match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => match escape(rest) {
                Escape::Other(length) => length,
                Escape::Half(length) => {
                    out.extend_from_slice(REPLACEMENT);
                    rest = &rest[length..];
                    continue;
                }
            },
            _ if in_string => 1,
            _ => match NO_NUMBERS.iter().find(|word| rest.starts_with(word)) {
                Some(word) => {
                    out.extend_from_slice(b"null");
                    rest = &rest[word.len()..];
                    continue;
                }
                None => 1,
            },
        };
        out.extend_from_slice(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// An escape at the beginning of some text, and its length in bytes.
enum Escape {
    /// The first or second half of a character, without the other.
    Half(usize),
    /// Anything else.
    Other(usize),
}

fn escape(text: &[u8]) -> Escape {
    match unit(text) {
        Some(0xd800..=0xdbff) if matches!(text.get(6..).and_then(unit), Some(0xdc00..=0xdfff)) => {
            Escape::Other(12)
        }
        Some(0xd800..=0xdfff) => Escape::Half(6),
        _ => Escape::Other(text.len().min(2)),
    }
}

/// The number in `\uXXXX`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Result<Value, String> {
        read(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_python_takes_is_read() {
        assert_eq!(value("[NaN, Infinity, -Infinity, 1]"), Ok(json!([null, null, null, 1])));
        assert_eq!(
            value("{\"a\": \"NaN \\\" Infinity\", \"b\": NaN}"),
            Ok(json!({"a": "NaN \" Infinity", "b": null}))
        );
        assert_eq!(
            value("[\"\\ud83d\\ude00\", \"\\ud83d\", \"\\ude00x\", \"\\\\ud83d\"]").unwrap(),
            json!(["😀", "\u{fffd}", "\u{fffd}x", "\\ud83d"])
        );
        assert_eq!(value("[\"\\ud83d\\ud83d\\ude00\"]").unwrap(), json!(["\u{fffd}😀"]));
        assert_eq!(value("\u{feff}[1]"), Ok(json!([1])));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"([\[\]{}:,"\\ ]|NaN|-?Infinity|\\u[d0][89cdf]3[de0]|[a-z0-9]){0,24}"#) {
            let expected = serde_json::from_str::<Value>(&text);
            let found = read::<Value>(text.as_bytes());
            proptest::prop_assert!(expected.is_err() || expected.ok() == found.ok());
            // What is put right stays as it is.
            let once = standard(text.as_bytes());
            proptest::prop_assert_eq!(standard(&once), once);
        }
    }

    #[test]
    fn what_is_no_json_is_said_by_its_first_place() {
        for text in ["", "[", "[nan]", "[\"\\", "[\"\\u12", "[NaNNaN]", "{\"a\" 1}", "\u{feff}\u{feff}[]"] {
            assert!(value(text).is_err(), "{text}");
        }
        assert_eq!(value("[NaN, x]").unwrap_err(), "expected value at line 1 column 2");
    }
}
