//! Parts of sentences.

/// `1 package`, `2 packages`, `3 dependencies`.
pub fn count(number: impl std::fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if number == "1" => format!("{number} {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let counts = [(1, "package"), (2, "package"), (0, "dependency"), (3, "key"), (1, "dependency")];
        let said = counts.map(|(number, noun)| count(number, noun));
        assert_eq!(said, ["1 package", "2 packages", "0 dependencies", "3 keys", "1 dependency"]);
    }
}
