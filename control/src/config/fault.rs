//! What is wrong with a configuration, told so that the operator can mend it without a manual.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::excerpt::{Colour, Excerpt};

/// A place in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Line, from 1; 0 where the fault is of the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 where `line` is.
    pub column: usize,
    /// The key with its section: `rule[staff-im].source`, `log.im.account`; empty for the file as a whole.
    pub key: String,
    /// First octet of what stands there, and the one behind its last.
    pub(super) span: (usize, usize),
}

/// One thing that keeps a configuration from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// Its line; none where the fault is of the file as a whole.
    pub excerpt: Option<Excerpt>,
    /// What stands there; none where something is missing.
    pub found: Option<String>,
    /// What should stand there.
    pub expected: String,
    /// What to do.
    pub advice: String,
}

/// Something that is allowed, and probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// Its line; none where the warning is of the file as a whole.
    pub excerpt: Option<Excerpt>,
    /// What will happen.
    pub effect: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        Ok(())
    }
}

impl Fault {
    /// Without the line of the file: for records, and for programs that have the file.
    pub fn brief(&self) -> String {
        Self { excerpt: None, ..self.clone() }.to_string()
    }
}

impl Warning {
    /// Without the line of the file.
    pub fn brief(&self) -> String {
        Self { excerpt: None, ..self.clone() }.to_string()
    }
}

/// In colour where the alternate form is asked for.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        if let Some(excerpt) = &self.excerpt {
            excerpt.write(f, f.alternate().then_some(Colour::Red))?;
        }
        writeln!(f, "  found:    {}", self.found.as_deref().unwrap_or("nothing"))?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  to do:    {}", self.advice)
    }
}

/// In colour where the alternate form is asked for.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        if let Some(excerpt) = &self.excerpt {
            excerpt.write(f, f.alternate().then_some(Colour::Yellow))?;
        }
        writeln!(f, "  effect:   {}", self.effect)?;
        write!(f, "  to do:    {}", self.advice)
    }
}
