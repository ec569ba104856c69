//! `ostiary reset`: counts begin again, once whoever asks has been warned.

use std::io::{self, IsTerminal, Write};

use super::arguments::{CountedClass, Reset, ResetOptions};
use super::output::{Failure, Output};
use super::show::seconds;
use crate::manage;
use crate::manage::protocol::{Action, Answer, Counted};

pub(super) fn reset(options: &ResetOptions, output: &mut Output) -> Result<(), Failure> {
    let Reset::Statistics { class, host, yes } = &options.what;
    if host.is_some() && *class != CountedClass::Log {
        return Err(Failure::Input("--host is of 'reset statistics log'".to_owned()));
    }
    if !yes {
        confirm()?;
    }
    let action = match class {
        CountedClass::Access => Action::ResetStatistics { class: Counted::Access },
        CountedClass::CallStatus => Action::ResetStatistics { class: Counted::CallStatus },
        CountedClass::Log => Action::ResetLogStatistics { host: host.clone() },
    };
    let mut answers = manage::request(&options.socket, &action)?;
    while let Some(answer) = answers.next_row()? {
        match answer {
            Answer::Reset(row) if options.json => output.json(&row)?,
            Answer::Reset(row) => {
                output.line(&format!("statistics of {} begin again at {}", row.class, seconds(&row.since)))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Asks on a terminal; elsewhere nobody could answer.
fn confirm() -> Result<(), Failure> {
    let warning = "Cleared statistics cannot be restored.";
    if !io::stdin().is_terminal() {
        return Err(Failure::Input(format!("{warning} Say --yes to clear them")));
    }
    let mut stderr = io::stderr().lock();
    let mut answer = String::new();
    let asked = write!(stderr, "{warning} Continue? [y/N] ").and_then(|()| stderr.flush());
    asked.and_then(|()| io::stdin().read_line(&mut answer)).map_err(Failure::from)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Input("nothing was cleared".to_owned())),
    }
}
