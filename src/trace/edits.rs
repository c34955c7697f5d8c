//! Changes to a text, collected while it is read and made all at once.

use std::borrow::Cow;
use std::ops::Range;

/// Replacements in a text, by byte ranges that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, Cow<'static, str>)>);

impl Edits {
    pub(super) fn replace(&mut self, range: Range<usize>, with: impl Into<Cow<'static, str>>) {
        self.0.push((range, with.into()));
    }

    /// The part `kept` of `text` with the changes made; none may stand outside it.
    pub(super) fn apply(mut self, text: &str, kept: Range<usize>) -> Cow<'_, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(&text[kept]);
        }
        self.0.sort_by_key(|(range, _)| range.start);
        let mut edited = String::with_capacity(kept.len() + 64);
        let mut done = kept.start;
        for (range, with) in self.0 {
            edited.push_str(&text[done..range.start]);
            edited.push_str(&with);
            done = range.end;
        }
        edited.push_str(&text[done..kept.end]);
        Cow::Owned(edited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_made_in_the_order_of_the_text() {
        let mut edits = Edits::default();
        edits.replace(4..5, "-");
        edits.replace(0..0, ">");
        assert_eq!(edits.apply("abcdef!", 0..6), ">abcd-f");
    }
}
