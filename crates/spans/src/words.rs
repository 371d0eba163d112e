//! Text as words, with where each stands.

use std::ops::Range;

/// The runs of letters and digits of a text, in lower case, with their bytes.
///
/// Case, punctuation and spacing do not make a quote another one, as they make no row a new one.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (String, Range<usize>)> + '_ {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, _) = rest.by_ref().find(|(_, c)| c.is_alphanumeric())?;
        let mut end = start + text[start..].chars().next().map_or(0, char::len_utf8);
        while let Some((at, c)) = rest.next_if(|(_, c)| c.is_alphanumeric()) {
            end = at + c.len_utf8();
        }
        Some((text[start..end].to_lowercase(), start..end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_place() {
        let text = "«Élan» vital: A00-9…";
        let found: Vec<(String, &str)> = words(text).map(|(word, at)| (word, &text[at])).collect();
        let expected = [("élan", "Élan"), ("vital", "vital"), ("a00", "A00"), ("9", "9")];
        assert_eq!(found, expected.map(|(word, written)| (word.to_owned(), written)));
        assert_eq!(words(" … ").count(), 0);
    }
}
