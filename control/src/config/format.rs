//! A policy file in its canonical form: what it says, its comments and the order of everything stay; spaces, quotes and
//! line breaks are always the same.
//!
//! - `key = value`; `[a, b]`; `{ a = 1, b = 2 }`; nothing is indented, and nothing stands at the end of a line.
//! - Texts stand in double quotes where that takes no escapes; numbers stay as they are written.
//! - One blank line stands before each section (before the comments above it), and at most one elsewhere.
//! - A list stands in one line where that is at most 120 columns long, else it is filled into lines of that length, and a
//!   comma ends it. Values that hold comments, or texts of several lines, stay as they are.
//! - Comments behind values stand in one column, in lines that follow each other.

use std::fmt::Write as _;
use std::path::Path;

use super::document::Notes;
use super::fault::Fault;

use unicode_width::UnicodeWidthStr;

/// Columns of a line at most, where it can be broken.
const WIDTH: usize = 120;
/// Columns before the items of a list that takes several lines.
const INDENT: &str = "    ";

/// A part of a text that is TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Space,
    Newline,
    Comment(&'t str),
    /// In quotes, with them.
    Quoted(&'t str),
    /// One of `[ ] { } , =`.
    Mark(char),
    /// Bare keys, numbers, times, words and dots.
    Bare(&'t str),
}

/// A text in its canonical form; `name` is what it is called where its faults are told.
///
/// # Errors
/// The faults of a text that is no TOML. Whether its keys are those of a policy does not matter.
pub fn formatted(name: &Path, text: &str) -> Result<String, Vec<Fault>> {
    let mut notes = Notes::new(name, text);
    notes.parse(text);
    if !notes.faults.is_empty() {
        return Err(notes.faults);
    }
    let formatted = format(text);
    let table = |text: &str| text.parse::<toml::Table>().ok();
    // What an operator wrote is not put at risk by a mistake of ours.
    if table(&formatted) != table(text) || comments(&formatted) != comments(text) {
        let place = notes.whole("");
        let found = Some("a text that would say something else in its canonical form".to_owned());
        notes.fault(&place, found, "a text that can be formatted", "leave it as it is, and report it");
        return Err(notes.faults);
    }
    Ok(formatted)
}

/// It has to be TOML.
fn format(text: &str) -> String {
    let tokens = tokens(text);
    let mut lines: Vec<Line> = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(end_of_line(rest));
        rest = behind.get(1..).unwrap_or_default();
        lines.push(Line::new(line));
    }
    write(&lines)
}

/// The comments of a text, in order, without what stands behind them.
fn comments(text: &str) -> Vec<&str> {
    let comment = |token| match token {
        Token::Comment(comment) => Some(comment),
        _ => None,
    };
    tokens(text).into_iter().filter_map(|(token, _)| comment(token)).collect()
}

/// Tokens, each with what it is in the text.
fn tokens(text: &str) -> Vec<(Token<'_>, &str)> {
    let mut tokens = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' | '\t' => rest.len() - rest.trim_start_matches([' ', '\t']).len(),
            '\r' if rest.starts_with("\r\n") => 2,
            '\n' => 1,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => quoted(rest),
            '[' | ']' | '{' | '}' | ',' | '=' => 1,
            _ => rest
                .find([' ', '\t', '\r', '\n', '#', '"', '\'', '[', ']', '{', '}', ',', '='])
                .unwrap_or(rest.len())
                .max(1),
        };
        let (part, behind) = rest.split_at(length);
        rest = behind;
        let token = match first {
            ' ' | '\t' => Token::Space,
            '\r' | '\n' => Token::Newline,
            '#' => Token::Comment(part.trim_end()),
            '"' | '\'' => Token::Quoted(part),
            '[' | ']' | '{' | '}' | ',' | '=' => Token::Mark(first),
            _ => Token::Bare(part),
        };
        tokens.push((token, part));
    }
    tokens
}

/// Octets of the text in quotes that stands in front.
fn quoted(text: &str) -> usize {
    let quote = &text[..1];
    let long = quote.repeat(3);
    let is_long = text.starts_with(&long);
    let mut at = if is_long { 3 } else { 1 };
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if quote == "\"" && rest.starts_with('\\') {
            at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        } else if is_long && rest.starts_with(&long) {
            // Up to two quotes may stand before those that end it.
            return at + rest.bytes().take_while(|octet| *octet == quote.as_bytes()[0]).count().min(5);
        } else if !is_long && rest.starts_with(quote) {
            return at + 1;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Where the line break is that ends what stands in front: none within brackets does.
fn end_of_line(tokens: &[(Token<'_>, &str)]) -> usize {
    let mut depth = 0_usize;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Mark('[' | '{') => depth += 1,
            Token::Mark(']' | '}') => depth = depth.saturating_sub(1),
            Token::Newline if depth == 0 => return at,
            _ => {}
        }
    }
    tokens.len()
}

/// A line, or several that belong together.
#[derive(Debug)]
enum Line {
    Blank,
    Comment(String),
    Head(String, Option<String>),
    Value(String, Option<String>),
}

impl Line {
    fn new(tokens: &[(Token<'_>, &str)]) -> Self {
        let comment = match tokens.last() {
            Some((Token::Comment(comment), _)) => Some((*comment).to_owned()),
            _ => None,
        };
        let count = tokens.len() - usize::from(comment.is_some());
        let tokens = trimmed(&tokens[..count]);
        match (tokens.first(), comment) {
            (None, None) => Self::Blank,
            (None, Some(comment)) => Self::Comment(comment),
            (Some((Token::Mark('['), _)), comment) => Self::Head(closed(tokens), comment),
            (Some(_), comment) => Self::Value(setting(tokens), comment),
        }
    }
}

fn trimmed<'a, 't>(mut tokens: &'a [(Token<'t>, &'t str)]) -> &'a [(Token<'t>, &'t str)] {
    let is_room = |token: &(Token<'_>, &str)| matches!(token.0, Token::Space | Token::Newline);
    while let [first, rest @ ..] = tokens
        && is_room(first)
    {
        tokens = rest;
    }
    while let [rest @ .., last] = tokens
        && is_room(last)
    {
        tokens = rest;
    }
    tokens
}

/// Without any spaces: heads and keys.
fn closed(tokens: &[(Token<'_>, &str)]) -> String {
    tokens.iter().filter(|(token, _)| *token != Token::Space).map(|(_, part)| *part).collect()
}

/// `key = value`.
fn setting(tokens: &[(Token<'_>, &str)]) -> String {
    let equals = tokens.iter().position(|(token, _)| *token == Token::Mark('=')).unwrap_or(tokens.len());
    let (key, value) = tokens.split_at(equals);
    let value = trimmed(value.get(1..).unwrap_or_default());
    let head = format!("{} = ", closed(key));
    if is_kept(value) {
        let text: String = value.iter().map(|(_, part)| *part).collect();
        return head + &text;
    }
    let items = match value {
        [(Token::Mark('['), _), items @ .., (Token::Mark(']'), _)] => parts(items),
        _ => return head + &one_line(value),
    };
    let line = format!("{head}{}", one_line(value));
    if line.width() <= WIDTH || items.is_empty() {
        return line;
    }
    let mut text = head + "[";
    let mut room = 0;
    for item in items {
        let item = one_line(item) + ",";
        if room > item.width() {
            let _ = write!(text, " {item}");
            room -= item.width() + 1;
        } else {
            let _ = write!(text, "\n{INDENT}{item}");
            room = WIDTH.saturating_sub(INDENT.len() + item.width());
        }
    }
    text + "\n]"
}

/// Whether a value stays as it is written.
fn is_kept(value: &[(Token<'_>, &str)]) -> bool {
    value.iter().any(|(token, part)| match token {
        Token::Comment(_) => true,
        Token::Quoted(_) => part.contains('\n'),
        _ => false,
    })
}

/// What stands between commas that are in no brackets of their own.
fn parts<'a, 't>(tokens: &'a [(Token<'t>, &'t str)]) -> Vec<&'a [(Token<'t>, &'t str)]> {
    let mut depth = 0_usize;
    let split = tokens.split(|(token, _)| {
        match token {
            Token::Mark('[' | '{') => depth += 1,
            Token::Mark(']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *token == Token::Mark(',')
    });
    split.map(trimmed).filter(|part| !part.is_empty()).collect()
}

/// A value in one line.
fn one_line(value: &[(Token<'_>, &str)]) -> String {
    match trimmed(value) {
        [(Token::Mark('['), _), items @ .., (Token::Mark(']'), _)] => {
            let items: Vec<String> = parts(items).into_iter().map(one_line).collect();
            format!("[{}]", items.join(", "))
        }
        [(Token::Mark('{'), _), items @ .., (Token::Mark('}'), _)] => {
            let items: Vec<String> = parts(items).into_iter().map(setting_in_braces).collect();
            if items.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", items.join(", ")) }
        }
        [(Token::Quoted(text), _)] => in_double_quotes(text),
        other => other.iter().map(|(_, part)| *part).collect(),
    }
}

fn setting_in_braces(tokens: &[(Token<'_>, &str)]) -> String {
    let equals = tokens.iter().position(|(token, _)| *token == Token::Mark('=')).unwrap_or(tokens.len());
    let (key, value) = tokens.split_at(equals);
    format!("{} = {}", closed(trimmed(key)), one_line(value.get(1..).unwrap_or_default()))
}

/// A text in single quotes in double ones, where nothing in it has to be escaped then.
fn in_double_quotes(text: &str) -> String {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    match inner {
        Some(inner) if !text.starts_with("'''") && !inner.contains(['"', '\\']) => format!("\"{inner}\""),
        _ => text.to_owned(),
    }
}

fn write(lines: &[Line]) -> String {
    let mut text = String::new();
    let (mut rest, mut last, mut blank): (_, Option<&Line>, _) = (lines, None, false);
    while let [line, behind @ ..] = rest {
        rest = behind;
        let after_head = matches!(last, Some(Line::Head(..)));
        let parted = match line {
            Line::Blank => {
                blank = true;
                continue;
            }
            // Comments right above a head belong to it.
            Line::Head(..) => blank || !matches!(last, Some(Line::Comment(_))),
            Line::Comment(_) if matches!(last, Some(Line::Comment(_))) => blank,
            Line::Comment(_) => heads_follow(rest) || blank && !after_head,
            Line::Value(..) => blank && !after_head,
        };
        if parted && last.is_some() {
            text.push('\n');
        }
        match line {
            Line::Blank => {}
            Line::Comment(comment) => text.extend([comment, "\n"]),
            Line::Head(head, comment) => text.extend([&*with_comment(head, comment.as_deref(), 0), "\n"]),
            Line::Value(..) => {
                let more = behind.iter().take_while(|line| matches!(line, Line::Value(..))).count();
                rest = behind.get(more..).unwrap_or_default();
                write_run(&mut text, std::iter::once(line).chain(behind.iter().take(more)));
            }
        }
        (last, blank) = (Some(line), false);
    }
    text
}

/// Whether comments lead to a head without a blank line.
fn heads_follow(lines: &[Line]) -> bool {
    matches!(lines.iter().find(|line| !matches!(line, Line::Comment(_))), Some(Line::Head(..)))
}

/// Lines that follow each other: their comments stand in one column.
fn write_run<'l>(text: &mut String, run: impl Iterator<Item = &'l Line> + Clone) {
    let settings = run.filter_map(|line| match line {
        Line::Value(setting, comment) => Some((setting, comment.as_deref())),
        _ => None,
    });
    let last_line = |setting: &str| setting.rsplit('\n').next().unwrap_or_default().width();
    let column = settings.clone().filter(|(_, comment)| comment.is_some()).map(|(setting, _)| last_line(setting)).max();
    for (setting, comment) in settings {
        let room = column.unwrap_or(0).saturating_sub(last_line(setting));
        let _ = writeln!(text, "{}", with_comment(setting, comment, room));
    }
}

/// With a comment behind it, two columns and some more away.
fn with_comment(text: &str, comment: Option<&str>, room: usize) -> String {
    match comment {
        Some(comment) => format!("{text}{:room$}  {comment}", ""),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spaces_quotes_and_blank_lines_have_one_form() {
        let text = "\n\n#  what it is\r\nx='a'\n[ b . \"c\" ]#head\n\n\n  k =  [1,2 , 3,]   # one  \n  long-key={a=1,b={ }}# two\n\n\n\n# alone\n\n[[d]]\ne = 'a\\b'\n";
        let canonical = "#  what it is\nx = \"a\"\n\n[b.\"c\"]  #head\nk = [1, 2, 3]                 # one\nlong-key = { a = 1, b = {} }  # two\n\n# alone\n\n[[d]]\ne = 'a\\b'\n";
        assert_eq!(format(text), canonical);
    }

    #[test]
    fn a_blank_line_stands_before_each_section_and_its_comments() {
        assert_eq!(format("[a]\nx = 1\n# of b\n# too\n[b]\n[c]\n"), "[a]\nx = 1\n\n# of b\n# too\n[b]\n\n[c]\n");
        assert_eq!(format("[a]\n\n\n# of x\n\nx = 1\n\n"), "[a]\n# of x\n\nx = 1\n");
        assert_eq!(format(""), "");
        assert_eq!(format("# only"), "# only\n");
    }

    #[test]
    fn long_lists_are_filled_into_lines() {
        let items: Vec<String> = (0..40).map(|number| format!("\"10.0.{number}.0/24\"")).collect();
        let text = format(&format!("office = [ {} ] # all\n", items.join(",")));
        assert!(text.lines().all(|line| line.len() <= WIDTH + 7), "{text}");
        assert!(text.starts_with("office = [\n    \"10.0.0.0/24\", ") && text.ends_with("\",\n]  # all\n"), "{text}");
        assert_eq!(format("a = [\n  1,\n  2,\n]\n"), "a = [1, 2]\n");
    }

    #[test]
    fn what_holds_comments_or_lines_stays() {
        let text = "a = [\n  1, # one\n\t2 ]\nb = \"\"\"\n x  = 1 # no comment\n\"\"\"\nc = 1_000\n";
        assert_eq!(format(text), text);
    }

    fn part() -> impl Strategy<Value = String> {
        let parts = [
            "\n",
            "\n\n\n",
            "# a comment \n",
            " # 'another\"\n",
            "[a]\n",
            "[ a . b ]\n",
            "[[c]] # c\n",
            "[[c.d]]\n",
            "x = 1\n",
            "y='it'\n",
            "z = \"a # b\" # c\n",
            "  k.\"l m\" . n = 1_0 \n",
            "m = [1,[2,\n3],{a='x'}]\n",
            "n = [ # one\n 1,\n # two\n]\n",
            "o = '''\n a\n\n'''\r\n",
            "p = \"\"\"a\\\n  \"\"b\"\"\"\"\n",
            "q = 1979-05-27 07:32:00 # t\n",
            "r = {}\n",
            "s = { a.b = 1 , c = [ ] }\n",
            "t = [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" , 1]\n",
            "u = \"a\\\"b\"\n",
            "v = ''\n",
            "w = \"\"\n",
            "\"\" = 1.5\n",
            "张 = 1\n",
            "'张' = \"张\" # 张\n",
        ];
        proptest::sample::select(parts.map(str::to_owned).to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// What a text says stays, with its comments in their order; and a canonical text is its own form.
        #[test]
        fn nothing_is_lost_and_twice_is_once(parts in proptest::collection::vec(part(), 0..14)) {
            let text = parts.concat();
            let Ok(said) = text.parse::<toml::Table>() else { return Ok(()) };
            let formatted = format(&text);
            prop_assert_eq!(formatted.parse::<toml::Table>().unwrap(), said, "{}", formatted);
            prop_assert_eq!(comments(&formatted), comments(&text));
            prop_assert_eq!(format(&formatted), formatted.clone(), "{}", text);
            prop_assert!(!formatted.contains("\n\n\n") || formatted.contains("'''"));
        }
    }
}
