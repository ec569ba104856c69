//! Where text goes, and how a command ends.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::process::ExitCode;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// The input is bad; exit code 2.
    Input(String),
    /// What is bad was said already; exit code 2.
    InputSaid,
    /// Something failed while running; exit code 1.
    Running(String),
    /// Nobody reads what we write, as with `| head`: that is no failure of ours; exit code 0.
    Unread,
}

impl Failure {
    /// Says it on standard error, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Self::Input(text) => (Some(text), 2),
            Self::InputSaid => (None, 2),
            Self::Running(text) => (Some(text), 1),
            Self::Unread => (None, 0),
        };
        if let Some(text) = text {
            complain(&text);
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    /// Of an error in writing our output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Running(format!("cannot write: {error}")),
        }
    }
}

/// Writes an error to standard error, red on a terminal.
pub(super) fn complain(text: &str) {
    say(Style::Bad, "error", text);
}

/// Writes a warning to standard error, yellow on a terminal.
pub(super) fn caution(text: &str) {
    say(Style::Odd, "warning", text);
}

/// Likewise, of what has a form in colour, its alternate one.
pub(super) fn complain_of(what: &impl Display) {
    complain(&in_colour(what));
}

/// Likewise a warning.
pub(super) fn caution_of(what: &impl Display) {
    caution(&in_colour(what));
}

fn in_colour(what: &impl Display) -> String {
    if has_colour(io::stderr().is_terminal()) { format!("{what:#}") } else { what.to_string() }
}

fn say(style: Style, word: &str, text: &str) {
    let mut stderr = io::stderr().lock();
    let word = paint(has_colour(stderr.is_terminal()), style, word);
    // Where standard error is closed, there is nobody left to tell.
    let _ = writeln!(stderr, "{word}: {text}");
}

/// How a word looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// A head or a name.
    Bold,
    /// All is well.
    Good,
    /// Worth a look.
    Odd,
    /// A fault.
    Bad,
}

/// A word in its style, where there is colour. The word must not come from the network.
pub(super) fn paint(colour: bool, style: Style, word: &str) -> String {
    let code = match style {
        _ if !colour => return word.to_owned(),
        Style::Plain => return word.to_owned(),
        Style::Bold => "1",
        Style::Good => "32",
        Style::Odd => "33",
        Style::Bad => "1;31",
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

/// Colour on terminals that have it, unless NO_COLOR (no-color.org) is set to anything.
fn has_colour(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    stdout: BufWriter<Stdout>,
    colour: bool,
}

impl Output {
    pub(super) fn standard() -> Self {
        let stdout = io::stdout();
        let colour = has_colour(stdout.is_terminal());
        Self { stdout: BufWriter::new(stdout), colour }
    }

    /// Whether words may be coloured.
    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    pub(super) fn line(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{line}")?)
    }

    /// A part of a file's text: its lines and tabs stay, and what else would command a terminal is made visible.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        for part in text.split_inclusive(['\n', '\t']) {
            let (line, end) = match part.strip_suffix(['\n', '\t']) {
                Some(line) => part.split_at(line.len()),
                None => (part, ""),
            };
            write!(self.stdout, "{}{end}", visible(line))?;
        }
        Ok(())
    }

    /// A file's text as it is, for what it is handed to.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.stdout.write_all(text.as_bytes())?)
    }

    /// A row for programs.
    pub(super) fn json(&mut self, row: &impl serde::Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, row).map_err(io::Error::from)?;
        Ok(self.stdout.write_all(b"\n")?)
    }

    /// Writes out what is still held back.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }
}

/// `no rules`, `1 rule`, `2 rules`.
pub(super) fn count(count: usize, thing: &str) -> String {
    match count {
        0 => format!("no {thing}s"),
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// Text from the network or from files, with what would command a terminal made visible.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_made_visible() {
        assert_eq!(visible("10001"), "10001");
        assert_eq!(visible("Zoë 张"), "Zoë 张");
        assert_eq!(visible("a\u{1b}[2Jb\r\n\u{9b}"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert!(matches!(Failure::from(io::Error::from(ErrorKind::BrokenPipe)), Failure::Unread));
        assert!(matches!(Failure::from(io::Error::from(ErrorKind::StorageFull)), Failure::Running(_)));
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(paint(false, Style::Bad, "error"), "error");
        assert_eq!(paint(true, Style::Plain, "error"), "error");
        assert_eq!(paint(true, Style::Bad, "error"), "\u{1b}[1;31merror\u{1b}[0m");
        assert!(!has_colour(false));
    }
}
