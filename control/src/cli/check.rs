//! `ostiary check`: every fault of a policy file, and every doubt about it.

use std::os::unix::net::UnixStream;

use serde::Serialize;

use super::arguments::CheckOptions;
use super::configure::ask;
use super::output::{Failure, Output, Style, count, paint};
use crate::config::{self, Compiled, Excerpt, Fault, Place, Purpose, Warning};
use crate::manage::configure::ConfigAction;
use crate::presence::access::labels::Label;
use crate::runtime;

/// A fault or a warning, for programs. Keys are only ever added.
#[derive(Serialize)]
struct Note<'a> {
    /// `error` or `warning`.
    level: &'static str,
    file: String,
    /// 0 where it is of the file, or of the machine, as a whole.
    line: usize,
    column: usize,
    /// Behind the last character of what stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End>,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    /// What was expected, or what a warning is about.
    text: &'a str,
    advice: &'a str,
}

/// Line and column, from 1.
#[derive(Serialize)]
struct End {
    line: usize,
    column: usize,
}

/// Checks the file, and the machine as far as the file depends on it.
pub(super) fn check(options: &CheckOptions, output: &mut Output) -> Result<(), Failure> {
    if options.running {
        return ask(&ConfigAction::Check { source: None, text: None }, &options.socket, options.json, output);
    }
    match config::load(&options.file, Purpose::Run) {
        // Whether anybody reads it or not, the file is at fault.
        Err(faults) => match put_faults(&faults, options, output) {
            Ok(()) | Err(Failure::Unread) => Err(Failure::InputSaid),
            Err(failure) => Err(failure),
        },
        Ok((compiled, warnings)) => {
            for warning in &warnings {
                put_warning(warning, options.json, output)?;
            }
            machine(&compiled, options, output)?;
            if !options.json {
                let word = paint(output.colour(), Style::Good, "can be run");
                let line = format!("{}: {word}, {}", options.file.display(), count(warnings.len(), "warning"));
                output.line(&line)?;
                output.line(&summary(&compiled))?;
            }
            Ok(())
        }
    }
}

/// What only this machine can tell: NICs, hugepages, privileges. A firewall that runs already holds them, so that they
/// look taken: then it is left out.
fn machine(compiled: &Compiled, options: &CheckOptions, output: &mut Output) -> Result<(), Failure> {
    if UnixStream::connect(&compiled.socket).is_ok() {
        if !options.json {
            output.line("ostiary is running: ports and hugepages, which it holds, were not checked")?;
        }
        return Ok(());
    }
    let Err(error) = runtime::preflight(&compiled.dataplane) else { return Ok(()) };
    let text = error.to_string();
    if options.json {
        let file = options.file.display().to_string();
        let note =
            Note { level: "error", file, line: 0, column: 0, end: None, key: "", found: None, text: &text, advice: "" };
        output.json(&note)?;
    } else {
        let word = paint(output.colour(), Style::Bad, "error");
        output.line(&format!("{word}: this machine cannot run {}: {text}", options.file.display()))?;
    }
    output.finish()?;
    Err(Failure::InputSaid)
}

fn put_faults(faults: &[Fault], options: &CheckOptions, output: &mut Output) -> Result<(), Failure> {
    for fault in faults {
        put_fault(fault, options.json, output)?;
    }
    if !options.json {
        output.line(&format!("{}: {}", options.file.display(), count(faults.len(), "error")))?;
    }
    output.finish()
}

fn put_fault(fault: &Fault, json: bool, output: &mut Output) -> Result<(), Failure> {
    if json {
        let at = (&fault.place, fault.excerpt.as_ref());
        return output.json(&note("error", at, fault.found.as_deref(), &fault.expected, &fault.advice));
    }
    let word = paint(output.colour(), Style::Bad, "error");
    let fault = if output.colour() { format!("{fault:#}") } else { fault.to_string() };
    output.line(&format!("{word}: {fault}\n"))
}

fn put_warning(warning: &Warning, json: bool, output: &mut Output) -> Result<(), Failure> {
    if json {
        let at = (&warning.place, warning.excerpt.as_ref());
        return output.json(&note("warning", at, None, &warning.effect, &warning.advice));
    }
    let word = paint(output.colour(), Style::Odd, "warning");
    let warning = if output.colour() { format!("{warning:#}") } else { warning.to_string() };
    output.line(&format!("{word}: {warning}\n"))
}

fn note<'a>(
    level: &'static str,
    (place, excerpt): (&'a Place, Option<&Excerpt>),
    found: Option<&'a str>,
    text: &'a str,
    advice: &'a str,
) -> Note<'a> {
    let file = place.file.display().to_string();
    let end = excerpt.map(|excerpt| End { line: excerpt.end.0, column: excerpt.end.1 });
    Note { level, file, line: place.line, column: place.column, end, key: &place.key, found, text, advice }
}

/// What will run, in a line.
fn summary(compiled: &Compiled) -> String {
    let im = if compiled.im.enable {
        format!("on, accounts {}", compiled.im.accounts.general.word())
    } else {
        "off".to_owned()
    };
    let named = |kind: fn(&&Label) -> bool| compiled.users.iter().filter(kind).count();
    let (one, groups) =
        (named(|label| matches!(label, Label::User(_))), named(|label| matches!(label, Label::Group(_))));
    let users = match one + groups {
        0 => String::new(),
        _ => format!(", rules for {} and {}", count(one, "user"), count(groups, "user group")),
    };
    let file = compiled.signatures.as_ref().map_or_else(|| "built in".to_owned(), |file| file.display().to_string());
    format!(
        "{}, {}, {}, {}{users}; signatures {} ({file}); sign-on logging {im}; policy {} KiB",
        count(compiled.policy.source().rules.len(), "rule"),
        count(compiled.dataplane.ports.len(), "port"),
        count(compiled.dataplane.workers.len(), "worker"),
        count(compiled.hosts.len(), "log host"),
        compiled.database.version(),
        compiled.policy.memory().div_ceil(1024),
    )
}
