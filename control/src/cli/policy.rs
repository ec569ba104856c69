//! `ostiary policy`: the policy file described and written out.

use clap::Subcommand;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::output::{Failure, Output};
use super::run::refuse;
use crate::config::{DEFAULT_FILE, format, reference, store};

/// What of it.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Print the JSON Schema (draft-07) of the policy file, for editors
    ///
    /// An editor that speaks it (taplo, Even Better TOML) completes keys, shows what they mean, and marks what is no key and no
    /// value of one. What it cannot say, 'ostiary check' does.
    Schema,
    /// Print every section and key of the policy file, as Markdown: what it takes, its default, its meaning
    Reference,
    /// Print a policy file to begin with
    Example {
        /// With every key, commented out where it is not set; what has a default stands there with it
        #[arg(long)]
        full: bool,
    },
    /// Write a policy file in its canonical form
    ///
    /// Spaces, quotes, blank lines and long lists have one form; what the file says, its comments and the order of everything
    /// stay. The file is replaced as a whole, with its mode and owner. One that is no TOML is refused.
    Fmt {
        /// The file; '-': standard input, to standard output
        #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Change nothing: print what would change, and end with 2 where anything would
        #[arg(long)]
        check: bool,
    },
}

pub(super) fn policy(command: &PolicyCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        PolicyCommand::Schema => output.line(&format!("{:#}", reference::schema())),
        PolicyCommand::Reference => output.line(reference::page().trim_end()),
        PolicyCommand::Example { full } => output.line(reference::example(*full).trim_end()),
        PolicyCommand::Fmt { file, check } => fmt(file, *check, output),
    }
}

fn fmt(file: &Path, check: bool, output: &mut Output) -> Result<(), Failure> {
    let is_input = file == Path::new("-");
    let cannot = |error: std::io::Error| Failure::Input(format!("{}: {error}", file.display()));
    let mut text = String::new();
    match is_input {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()).map_err(cannot)?,
        false => text = fs::read_to_string(file).map_err(cannot)?,
    }
    let formatted = format::formatted(file, &text).map_err(|faults| refuse(&faults))?;
    if check {
        if formatted == text {
            return Ok(());
        }
        let (old, new) = (file.display().to_string(), format!("{} (formatted)", file.display()));
        output.text(&TextDiff::from_lines(&text, &formatted).unified_diff().header(&old, &new).to_string())?;
        output.finish()?;
        return Err(Failure::InputSaid);
    }
    if is_input {
        return output.raw(&formatted);
    }
    if formatted != text {
        // A link stays one.
        let path = fs::canonicalize(file).map_err(cannot)?;
        store::replace(&path, formatted.into_bytes()).map_err(|error| Failure::Running(error.to_string()))?;
    }
    Ok(())
}
