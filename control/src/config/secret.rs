//! Where secrets stand in a configuration file: what is shown of it goes without them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::edit::is_secret;

/// The values of keys that are secret, in order, none within another. In a `broken` text, whose tables may lack some, they
/// are looked for by their letters too, and what follows such a key is taken for its value rather too far than too short.
pub(super) fn places(text: &str, table: &Spanned<DeTable<'_>>, broken: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    of_table(table.get_ref(), &mut found);
    if broken {
        by_letters(text, &mut found);
    }
    found.sort_unstable_by_key(|span| span.start);
    let mut places: Vec<Range<usize>> = Vec::new();
    for span in found.into_iter().filter(|span| !span.is_empty()) {
        match places.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => places.push(span),
        }
    }
    places
}

fn of_table(table: &DeTable<'_>, found: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        of_value(value, is_secret(key.get_ref()), found);
    }
}

fn of_value(value: &Spanned<DeValue<'_>>, secret: bool, found: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        // The span of a table with a head is its head: what is secret is below.
        DeValue::Table(table) => {
            for (key, value) in table {
                of_value(value, secret || is_secret(key.get_ref()), found);
            }
        }
        DeValue::Array(array) => array.iter().for_each(|item| of_value(item, secret, found)),
        _ if secret => found.push(value.span()),
        _ => {}
    }
}

fn by_letters(text: &str, found: &mut Vec<Range<usize>>) {
    for (equals, _) in text.match_indices('=') {
        let before = text[..equals].trim_end_matches([' ', '\t']);
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let key = before.trim_end_matches(['"', '\'']);
        let start = key
            .rfind(|letter| !is_letter(letter))
            .map_or(0, |at| at + key[at..].chars().next().map_or(1, char::len_utf8));
        if !is_secret(&key[start..]) {
            continue;
        }
        let value = equals + 1;
        let value = value + (text[value..].len() - text[value..].trim_start_matches([' ', '\t']).len());
        let rest = &text[value..];
        let close = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]"), ("{", "}")];
        let end = match close.iter().find(|(open, _)| rest.starts_with(open)) {
            Some((open, close)) => {
                rest[open.len()..].find(close).map_or(rest.len(), |at| open.len() + at + close.len())
            }
            None => rest.find(['\r', '\n']).unwrap_or(rest.len()),
        };
        found.push(value..value + end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut shown = text.to_owned();
        for place in places(text, &table, !errors.is_empty()).into_iter().rev() {
            shown.replace_range(place, "*");
        }
        shown
    }

    #[test]
    fn values_of_secret_keys_are_masked_wherever_they_stand() {
        assert_eq!(masked("password = \"a\"\nx = \"a\""), "password = *\nx = \"a\"");
        assert_eq!(masked("secret-file = \"/s\""), "secret-file = \"/s\"");
        assert_eq!(masked("x = { y.secret = [\"a\", 'b'], z = 1 }"), "x = { y.secret = [*, *], z = 1 }");
        assert_eq!(masked("[community]\na = 1\n[b]\na = 2"), "[community]\na = *\n[b]\na = 2");
        assert_eq!(masked("[[x]]\n\"secret\" = \"\"\"\na\nb\"\"\"\n"), "[[x]]\n\"secret\" = *\n");
    }

    #[test]
    fn in_a_broken_text_too() {
        assert_eq!(masked("x = \npassword = \"a b # c\n y = 1"), "x = \npassword = *\n y = 1");
        assert_eq!(masked("x = {{ \"a.secret\" = 'q' }\ny = 1"), "x = {{ \"a.secret\" = *\ny = 1");
        let shown = masked("é.password = \"\"\"\nline\nline\n");
        assert!(!shown.contains("line"), "{shown}");
    }
}
