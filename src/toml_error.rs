//! Where a TOML file is wrong, in one line and in words of ours: the parser's own message shows the place over several, and
//! says what a parser expects.

/// What is wrong with a TOML file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

impl TomlError {
    /// What `error` says of `text`.
    pub fn new(text: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or_default();
        let start = span.start.min(text.len());
        let before = &text.as_bytes()[..start];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
        let said = error.message().replace('\n', " ");
        let bare = bare_word(text, line_start, start);
        Self {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
            problem: match bare.filter(|_| !said.contains("will not do") && !said.starts_with("unknown")) {
                Some(word) => format!("{word} must stand in quotes: \"{word}\""),
                None => in_our_words(&said),
            },
        }
    }
}

/// The word without quotes that stands as a value on a line, at `at` or around it: the most common slip, for which the parser expects
/// the rest of `nan` or a digit.
fn bare_word(text: &str, line_start: usize, at: usize) -> Option<&str> {
    let line = text.get(line_start..)?.lines().next()?;
    let at = at - line_start;
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '*');
    let value = line.find('=')? + 1;
    let words = line[value..].split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
    let mut words = words.map(|word| (word.as_ptr() as usize - line.as_ptr() as usize, word));
    let (start, word) = words.find(|(start, word)| (*start..=start + word.len()).contains(&at))?;
    let is_quoted = line[..start].matches(['"', '\'']).count() % 2 == 1;
    let is_value = matches!(word, "true" | "false" | "inf" | "nan") || word.parse::<f64>().is_ok();
    (!is_quoted && !is_value && word.contains(char::is_alphabetic)).then_some(word)
}

/// What the parser and serde say, as we do.
fn in_our_words(said: &str) -> String {
    if said.starts_with("invalid basic string") || said.starts_with("invalid literal string") {
        return "a text has no quote at its end, or a character that must not stand in it".to_owned();
    }
    for (theirs, ours) in [("unknown field ", "there is no setting "), ("unknown variant ", "there is no ")] {
        if let Some((name, known)) = said.strip_prefix(theirs).and_then(|rest| rest.split_once(", expected "))
        {
            let known = known.strip_prefix("one of ").unwrap_or(known);
            return format!("{ours}{name}; there are {known}");
        }
    }
    let Some((found, wanted)) =
        said.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    else {
        return said.to_owned();
    };
    // `string "Own"`, `integer `2``, `map`
    let found = found.split_once(' ').map_or(found, |(_, value)| value);
    let wanted = match wanted {
        "a sequence" => "must be a list, as in [\"a\", \"b\"]".to_owned(),
        "a string" | "path string" => "must be a text in quotes".to_owned(),
        _ if wanted.starts_with("struct ") => "must be a table, under a heading as in [workloads]".to_owned(),
        _ if wanted.starts_with("write ") => return format!("{found} will not do: {wanted}"),
        wanted => format!("must be {wanted}"),
    };
    format!("it is {found}, and {wanted}")
}
