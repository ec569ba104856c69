//! The `ostiary` command: arguments in, text and exit codes out.
//!
//! Exit codes: 0 done; 1 it failed while running; 2 the input is bad: arguments, configuration, signatures, captures.

mod access;
mod arguments;
mod audit;
mod check;
mod commit;
mod configure;
mod doctor;
mod generations;
mod log;
mod manual;
mod netconf;
mod output;
mod policy;
mod reload;
mod replay;
mod rescue;
mod reset;
mod route;
mod run;
mod show;
mod sigdb;
mod table;
mod trace;
mod trial;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};
use clap_complete::Shell;
use output::{Failure, Output};

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    // Prints help, and what is wrong with arguments, and ends with 0 or 2.
    let arguments = Arguments::parse();
    let mut output = Output::standard();
    let done = match arguments.command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => check::check(&options, &mut output),
        Command::Doctor(options) => doctor::doctor(&options, &mut output),
        Command::Replay(options) => replay::replay(&options, &mut output),
        Command::Netconf(options) => netconf::netconf(&options),
        Command::Reload(options) => reload::reload(&options, &mut output),
        Command::Set(options) => configure::set(&options, &mut output),
        Command::Delete(options) => configure::delete(&options, &mut output),
        Command::Diff(options) => configure::diff(&options, &mut output),
        Command::Discard(options) => configure::discard(&options, &mut output),
        Command::Lock(options) => configure::lock(&options, &mut output),
        Command::Unlock(options) => configure::unlock(&options, &mut output),
        Command::Commit(options) => commit::commit(&options, &mut output),
        Command::Confirm(options) => commit::confirm(&options, &mut output),
        Command::Cancel(options) => commit::cancel(&options, &mut output),
        Command::Rollback(options) => commit::rollback(&options, &mut output),
        Command::Generations(options) => generations::generations(&options, &mut output),
        Command::Rescue(options) => rescue::rescue(&options, &mut output),
        Command::Reset(options) => reset::reset(&options, &mut output),
        Command::Show(options) => show::show(&options, &mut output),
        Command::Trace(options) => trace::trace(&options, &mut output),
        Command::Audit(options) => audit::audit(&options, &mut output),
        Command::Sigdb(options) => sigdb::sigdb(&options, &mut output),
        Command::Policy { command } => policy::policy(&command, &mut output),
        Command::Records { audit: false } => output.line(crate::record::schema::page().trim_end()),
        Command::Records { audit: true } => output.line(crate::record::audit::page().trim_end()),
        Command::Man { folder } => manual::write(&folder),
        Command::Completions { shell } => completions(shell, &mut output),
        Command::Version => version(&mut output),
    };
    match done.and_then(|()| output.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn completions(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ostiary", &mut text);
    output.line(String::from_utf8_lossy(&text).trim_end())
}

fn version(output: &mut Output) -> Result<(), Failure> {
    let signatures = crate::signatures::shipped();
    output.line(&format!(
        "ostiary {}, with signatures {} of {}",
        env!("CARGO_PKG_VERSION"),
        signatures.version(),
        signatures.date()
    ))
}
