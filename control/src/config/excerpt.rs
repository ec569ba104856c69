//! The line of a file that a fault is about, with a caret under the culprit.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::edit::MASK;

/// Columns of a line that are shown at most; of a longer one, the part around the culprit.
const LIMIT: usize = 100;
/// Columns that are shown before the culprit, of a line that is cut.
const BEFORE: usize = 32;
/// Columns between tab stops.
const TAB: usize = 4;

/// A part of one line, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Number of the line, from 1.
    line: usize,
    /// Where the culprit ends: line and column behind its last character, from 1.
    pub end: (usize, usize),
    /// Secrets masked, tabs spread, and what would command a terminal replaced.
    text: String,
    /// Columns before the first caret.
    before: usize,
    /// Carets, at least one.
    width: usize,
}

/// Colours of a fault or a warning on a terminal (ECMA-48 SGR).
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    Red,
    Yellow,
}

impl Excerpt {
    /// The part of `line` around `culprit`, both in octets of `text`; what is within `masked`, in order, is not shown.
    pub(super) fn new(
        text: &str,
        number: usize,
        end: (usize, usize),
        line: Range<usize>,
        culprit: Range<usize>,
        masked: &[Range<usize>],
    ) -> Self {
        let mut from = culprit.start.clamp(line.start, line.end);
        let mut to = culprit.end.clamp(from, line.end);
        if let Some(mask) = mask_at(masked, from) {
            (from, to) = (mask.start.max(line.start), mask.end.clamp(to, line.end));
        }
        let mut shown = Shown::new(from, to, line.start);
        // A line of so many octets may fit; of any longer one, only what is near the culprit is looked at.
        if line.len() <= 4 * LIMIT {
            shown.put_all(text, line.clone(), masked, usize::MAX);
        }
        if line.len() > 4 * LIMIT || shown.width > LIMIT {
            let ahead = text.get(line.start..from).unwrap_or_default().chars().rev();
            let octets = ahead.scan(0, |columns, letter| {
                *columns += letter.width().unwrap_or(1);
                (*columns <= BEFORE).then_some(letter.len_utf8())
            });
            let mut start = from - octets.sum::<usize>();
            if let Some(mask) = mask_at(masked, start) {
                start = mask.start.max(line.start);
            }
            shown = Shown::new(from, to, start);
            if start > line.start {
                shown.put("…", 1);
            }
            if shown.put_all(text, start..line.end, masked, LIMIT) {
                shown.put("…", 1);
            }
        }
        let before = shown.before.unwrap_or(shown.width);
        let width = shown.after.unwrap_or(shown.width).saturating_sub(before).max(1);
        Self { line: number, end, text: shown.text, before, width }
    }

    /// Two lines, each with its end.
    pub(super) fn write(&self, formatter: &mut fmt::Formatter<'_>, colour: Option<Colour>) -> fmt::Result {
        let number = self.line.to_string();
        let (indent, before, carets) = (number.len(), self.before, "^".repeat(self.width));
        let text = self.text.trim_end();
        let (gutter, mark, plain) = match colour {
            None => ("", "", ""),
            Some(Colour::Red) => ("\u{1b}[1;34m", "\u{1b}[1;31m", "\u{1b}[0m"),
            Some(Colour::Yellow) => ("\u{1b}[1;34m", "\u{1b}[33m", "\u{1b}[0m"),
        };
        writeln!(formatter, "  {gutter}{number} |{plain} {text}")?;
        writeln!(formatter, "  {gutter}{:indent$} |{plain} {:before$}{mark}{carets}{plain}", "", "")
    }
}

/// Two lines without colour.
impl fmt::Display for Excerpt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, None)
    }
}

fn mask_at(masked: &[Range<usize>], at: usize) -> Option<&Range<usize>> {
    let behind = masked.partition_point(|mask| mask.end <= at);
    masked.get(behind).filter(|mask| mask.contains(&at))
}

/// What was put out so far.
struct Shown {
    text: String,
    width: usize,
    from: usize,
    to: usize,
    /// Octet that comes next.
    at: usize,
    before: Option<usize>,
    after: Option<usize>,
}

impl Shown {
    fn new(from: usize, to: usize, at: usize) -> Self {
        Self { text: String::new(), width: 0, from, to, at, before: None, after: None }
    }

    fn put(&mut self, text: &str, width: usize) {
        self.text.push_str(text);
        self.width += width;
    }

    /// Puts out what is in `range`, of which `at` is the first octet; whether it ends early, at `limit` columns.
    fn put_all(&mut self, text: &str, range: Range<usize>, masked: &[Range<usize>], limit: usize) -> bool {
        for letter in text.get(range).unwrap_or_default().chars() {
            if self.at >= self.from {
                self.before.get_or_insert(self.width);
            }
            if self.at >= self.to {
                self.after.get_or_insert(self.width);
            }
            if self.width >= limit {
                return true;
            }
            match mask_at(masked, self.at) {
                Some(mask) if mask.start == self.at => self.put(MASK, MASK.len()),
                // Of one that began on an earlier line.
                Some(_) if self.text.is_empty() => self.put(MASK, MASK.len()),
                Some(_) => {}
                None => self.letter(letter),
            }
            self.at += letter.len_utf8();
        }
        false
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '\t' => {
                let columns = TAB - self.width % TAB;
                self.put(&" ".repeat(columns), columns);
            }
            _ if is_hidden(letter) => self.put("\u{fffd}", 1),
            _ => self.put(letter.encode_utf8(&mut [0; 4]), letter.width().unwrap_or(0)),
        }
    }
}

/// Controls, and what turns the direction of writing or takes no room: a line that is shown has to be what was written.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of an excerpt of `text`, a line; the culprit and what is masked are found by their text.
    fn shown(text: &str, culprit: &str, secret: &str) -> Vec<String> {
        let find = |part: &str| {
            let at = text.find(part).unwrap();
            at..at + part.len()
        };
        let masked = if secret.is_empty() { Vec::new() } else { vec![find(secret)] };
        let excerpt = Excerpt::new(text, 7, (7, 1), 0..text.len(), find(culprit), &masked);
        excerpt.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn carets_stand_under_the_culprit() {
        assert_eq!(shown("action = \"alow\"", "\"alow\"", ""), ["  7 | action = \"alow\"", "    |          ^^^^^^"]);
        assert_eq!(shown("a = ", "", ""), ["  7 | a =", "    | ^"]);
    }

    #[test]
    fn tabs_and_wide_characters_take_the_room_that_they_take() {
        assert_eq!(shown("\ta\t= 1", "1", ""), ["  7 |     a   = 1", "    |           ^"]);
        assert_eq!(shown("名 = \"张三\" # 1", "\"张三\"", ""), ["  7 | 名 = \"张三\" # 1", "    |      ^^^^^^"]);
        assert_eq!(shown("e\u{301} = 1", "1", ""), ["  7 | e\u{301} = 1", "    |     ^"]);
    }

    #[test]
    fn what_commands_a_terminal_is_not_passed_on() {
        assert_eq!(shown("a\u{1b}[2J\u{202e} = 1", "1", ""), ["  7 | a\u{fffd}[2J\u{fffd} = 1", "    |          ^"]);
    }

    #[test]
    fn secrets_are_masked_and_may_be_the_culprit() {
        let line = "x = { secret = \"abcd\", y = 1 }";
        let masked = "  7 | x = { secret = (masked), y = 1 }";
        assert_eq!(shown(line, "1", "\"abcd\""), [masked, "    |                              ^"]);
        assert_eq!(shown(line, "\"abcd\"", "\"abcd\""), [masked, "    |                ^^^^^^^^"]);
        assert_eq!(shown(line, "bc", "\"abcd\""), [masked, "    |                ^^^^^^^^"]);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_culprit_is_shown() {
        let line = format!("list = [{}\"here\", {}]", "\"10.0.0.0/8\", ".repeat(5_000), "\"::1\", ".repeat(5_000));
        let lines = shown(&line, "\"here\"", "");
        assert!(lines[0].starts_with("  7 | …") && lines[0].ends_with('…'), "{lines:?}");
        assert!(lines[0].chars().count() <= 6 + LIMIT + 1, "{lines:?}");
        let at = lines[1].find('^').unwrap();
        assert_eq!(lines[0].chars().skip(at).take(6).collect::<String>(), "\"here\"");
        assert!(lines[1].ends_with("^^^^^^"));
    }

    proptest! {
        /// Whatever is asked of whatever text: it is short, and there is a caret.
        #[test]
        fn an_excerpt_is_short_and_has_a_caret(
            text in "[ -~\t张é\u{1b}]{0,300}",
            places in proptest::collection::vec(0..1000_usize, 4),
        ) {
            let boundary = |at: usize| (0..=at % (text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let (mut culprit, mut mask) = (places[..2].to_vec(), places[2..].to_vec());
            culprit.iter_mut().chain(&mut mask).for_each(|at| *at = boundary(*at));
            culprit.sort_unstable();
            mask.sort_unstable();
            let secret = mask[0]..mask[1];
            let excerpt = Excerpt::new(&text, 1, (1, 1), 0..text.len(), culprit[0]..culprit[1], std::slice::from_ref(&secret));
            prop_assert!(excerpt.width >= 1 && excerpt.before + excerpt.width <= LIMIT + 16, "{excerpt:?}");
            prop_assert!(!excerpt.text.chars().any(char::is_control));
        }
    }
}
