//! What is wrong with a configuration, told so that the operator can mend it without a manual.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

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
}

/// One thing that keeps a configuration from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        writeln!(f, "  found:    {}", self.found.as_deref().unwrap_or("nothing"))?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  to do:    {}", self.advice)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        writeln!(f, "  effect:   {}", self.effect)?;
        write!(f, "  to do:    {}", self.advice)
    }
}
