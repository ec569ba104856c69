//! `ostiary set`, `delete`, `discard`, `diff`, `lock` and `unlock`: the candidate of the running firewall's configuration.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output::{Failure, Output, Style, paint};
use crate::config::DEFAULT_SOCKET;
use crate::config::edit::{EditKind, EditOp, Insert};
use crate::manage::configure::{ConfigAction, ConfigView, Datastore, ErrorOption};
use crate::manage::protocol::Answer;
use crate::manage::{self, ClientError};

/// Where the firewall is, and how it is told.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
    /// Write an object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `set`.
#[derive(Debug, Args)]
pub(super) struct SetOptions {
    // Not a comment of rustdoc, which takes brackets for links.
    #[arg(help = "Where, as rule[staff].action, address.office[10.1.0.0/16], log.im.enable or wire[1].ports")]
    path: String,
    /// What: TOML, as true, 3, ["tcp/80"] or { action = "deny" }; anything else is taken as a text. None for a plain member of a
    /// list that the path names, and to move a table of one
    value: Option<String>,
    /// Of a member of a list: put it, or move it, before this one
    #[arg(long, value_name = "NAME", group = "place")]
    before: Option<String>,
    /// Behind this one
    #[arg(long, value_name = "NAME", group = "place")]
    after: Option<String>,
    /// Before all others
    #[arg(long, group = "place")]
    first: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteOptions {
    #[arg(required = true, help = "Where, as rule[staff], address.office[10.1.0.0/16] or log.im")]
    paths: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffOptions {
    /// From: running, candidate, file, rescue, or the number of a generation
    #[arg(default_value = "running")]
    from: String,
    /// To; default: what a commit would take
    to: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `lock` and `unlock`.
#[derive(Debug, Args)]
pub(super) struct LockOptions {
    /// What
    #[arg(default_value = "candidate")]
    target: Target,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// What is edited
    Candidate,
    /// What is in force
    Running,
}

/// Options of `discard`.
#[derive(Debug, Args)]
pub(super) struct DiscardOptions {
    #[command(flatten)]
    asking: Asking,
}

pub(super) fn set(options: &SetOptions, output: &mut Output) -> Result<(), Failure> {
    let insert = match (&options.before, &options.after, options.first) {
        (Some(name), ..) => Some(Insert::Before(name.clone())),
        (_, Some(name), _) => Some(Insert::After(name.clone())),
        (.., true) => Some(Insert::First),
        _ => None,
    };
    let value = options.value.as_deref().map(value);
    // A table joins what is there; anything else takes its place, as whoever writes a list means that list.
    let kind = match &value {
        Some(toml::Value::Table(_)) | None => EditKind::Merge,
        Some(_) => EditKind::Replace,
    };
    edit(vec![EditOp { path: options.path.clone(), kind, value, insert }], &options.asking, output)
}

pub(super) fn delete(options: &DeleteOptions, output: &mut Output) -> Result<(), Failure> {
    let operation = |path: &String| EditOp { path: path.clone(), kind: EditKind::Delete, value: None, insert: None };
    edit(options.paths.iter().map(operation).collect(), &options.asking, output)
}

fn edit(operations: Vec<EditOp>, asking: &Asking, output: &mut Output) -> Result<(), Failure> {
    ask(
        &ConfigAction::Edit { operations, error_option: ErrorOption::RollbackOnError },
        &asking.socket,
        asking.json,
        output,
    )
}

pub(super) fn discard(options: &DiscardOptions, output: &mut Output) -> Result<(), Failure> {
    ask(&ConfigAction::Discard {}, &options.asking.socket, options.asking.json, output)
}

pub(super) fn diff(options: &DiffOptions, output: &mut Output) -> Result<(), Failure> {
    ask(
        &ConfigView::Diff { from: options.from.clone(), to: options.to.clone() },
        &options.asking.socket,
        options.asking.json,
        output,
    )
}

pub(super) fn lock(options: &LockOptions, output: &mut Output) -> Result<(), Failure> {
    ask(&ConfigAction::Lock { target: options.target.into() }, &options.asking.socket, options.asking.json, output)
}

pub(super) fn unlock(options: &LockOptions, output: &mut Output) -> Result<(), Failure> {
    ask(&ConfigAction::Unlock { target: options.target.into() }, &options.asking.socket, options.asking.json, output)
}

impl From<Target> for Datastore {
    fn from(target: Target) -> Self {
        match target {
            Target::Candidate => Self::Candidate,
            Target::Running => Self::Running,
        }
    }
}

/// A value as TOML has it, or a text.
fn value(text: &str) -> toml::Value {
    let parsed = format!("value = {text}\n").parse::<toml::Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| toml::Value::from(text))
}

/// Asks the firewall, and writes what it says.
pub(super) fn ask(request: &impl Serialize, socket: &Path, json: bool, output: &mut Output) -> Result<(), Failure> {
    let mut answers = manage::request(socket, request)?;
    loop {
        let answer = match answers.next_row() {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(()),
            // The configuration is at fault, or the moment; the firewall goes on as it was.
            Err(ClientError::Refused(why)) => return Err(Failure::Input(why)),
            Err(error) => return Err(error.into()),
        };
        if json {
            output.json(&answer)?;
            continue;
        }
        match answer {
            Answer::Text(text) => output.text(&text)?,
            Answer::Change(row) => {
                let style = match row.change.as_str() {
                    "add" => Style::Good,
                    "delete" => Style::Bad,
                    _ => Style::Odd,
                };
                // The values are of a file of the operator's; controls in them are escaped as TOML has it.
                output.line(&paint(output.colour(), style, &row.line))?;
            }
            Answer::Commit(row) => {
                for warning in &row.warnings {
                    super::output::caution(warning);
                }
                output.line(&row.to_string())?;
            }
            Answer::Done(row) => output.line(&row.text)?,
            Answer::Fault(row) if row.tag == "warning" => super::output::caution(&row.told()),
            // The error that follows has them all.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_texts() {
        assert_eq!(value("true"), toml::Value::from(true));
        assert_eq!(value("[\"a\", \"b\"]"), toml::Value::from(vec!["a", "b"]));
        assert_eq!(value("deny"), toml::Value::from("deny"));
        assert_eq!(value("10.0.0.0/8"), toml::Value::from("10.0.0.0/8"));
        assert_eq!(value("1\nother = 2"), toml::Value::from("1\nother = 2"));
        assert!(value("{ action = \"deny\" }").is_table());
    }
}
