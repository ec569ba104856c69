//! `ostiary reload`: the running firewall takes its policy file up again.

use super::arguments::ReloadOptions;
use super::output::{Failure, Output};
use crate::manage::protocol::{Action, Answer};
use crate::manage::{self, ClientError};

pub(super) fn reload(options: &ReloadOptions, output: &mut Output) -> Result<(), Failure> {
    let mut answers = manage::request(&options.socket, &Action::Reload {})?;
    loop {
        match answers.next_row() {
            Ok(Some(Answer::Reload(row))) if options.json => output.json(&row)?,
            Ok(Some(Answer::Reload(row))) => output.line(&row.to_string())?,
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            // The file is at fault, not the firewall, which goes on as it was.
            Err(ClientError::Refused(why)) => return Err(Failure::Input(why)),
            Err(error) => return Err(error.into()),
        }
    }
}
