//! `ostiary commit`, `confirm`, `cancel` and `rollback`: a configuration comes into force, and the way back.

use clap::Args;

use super::configure::{Asking, ask};
use super::output::{Failure, Output};
use crate::manage::configure::ConfigAction;

/// Options of `commit`.
#[derive(Debug, Args)]
pub(super) struct CommitOptions {
    /// What is said about it, in the list of generations and in the trail
    #[arg(short = 'm', long, value_name = "TEXT")]
    comment: Option<String>,
    /// Take it back by itself unless it is confirmed within this time, as 10m, 90s or 1h; 10 seconds to one day
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    confirm: Option<u64>,
    /// Take the policy file as it was edited, and leave the candidate alone
    #[arg(long, group = "source")]
    file: bool,
    /// Take the candidate; what was edited in the policy file is kept beside it, in FILE.edited
    #[arg(long, group = "source")]
    candidate: bool,
    /// Where it cannot change while the firewall runs: write it down for the next start
    #[arg(long, conflicts_with = "confirm")]
    on_restart: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `confirm` and `cancel`.
#[derive(Debug, Args)]
pub(super) struct ConfirmOptions {
    #[command(flatten)]
    asking: Asking,
}

/// Options of `rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackOptions {
    /// So many commits ago; 1 is the configuration before the one in force
    #[arg(required_unless_present = "generation", conflicts_with = "generation")]
    back: Option<u32>,
    /// The generation of this number instead, of 'ostiary generations'
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u32>,
    /// What is said about it
    #[arg(short = 'm', long, value_name = "TEXT")]
    comment: Option<String>,
    /// As of commit
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    confirm: Option<u64>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) fn commit(options: &CommitOptions, output: &mut Output) -> Result<(), Failure> {
    let source = match (options.file, options.candidate) {
        (true, _) => Some("file".to_owned()),
        (_, true) => Some("candidate".to_owned()),
        _ => None,
    };
    let request = ConfigAction::Commit {
        comment: options.comment.clone(),
        confirm: options.confirm,
        persist: None,
        persist_id: None,
        source,
        on_restart: options.on_restart,
    };
    ask(&request, &options.asking.socket, options.asking.json, output)
}

pub(super) fn confirm(options: &ConfirmOptions, output: &mut Output) -> Result<(), Failure> {
    ask(&ConfigAction::Confirm { persist_id: None }, &options.asking.socket, options.asking.json, output)
}

pub(super) fn cancel(options: &ConfirmOptions, output: &mut Output) -> Result<(), Failure> {
    ask(&ConfigAction::Cancel { persist_id: None }, &options.asking.socket, options.asking.json, output)
}

pub(super) fn rollback(options: &RollbackOptions, output: &mut Output) -> Result<(), Failure> {
    let (back, generation) = (options.back, options.generation);
    let (comment, confirm) = (options.comment.clone(), options.confirm);
    ask(
        &ConfigAction::Rollback { back, generation, comment, confirm },
        &options.asking.socket,
        options.asking.json,
        output,
    )
}

/// A time in seconds: `10m`, `90s`, `1h`; without a unit, seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err("a time is a number with s, m or h, as 10m".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    seconds.filter(|seconds| (10..=86_400).contains(seconds)).ok_or_else(|| "10 seconds to one day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(
            [seconds("10m"), seconds("90s"), seconds("1h"), seconds("600")],
            [Ok(600), Ok(90), Ok(3_600), Ok(600)]
        );
        for wrong in ["", "m", "9", "2d", "25h", "-1m", "99999999999999999999h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
