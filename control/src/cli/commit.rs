//! `ostiary commit`, `confirm`, `cancel` and `rollback`: a configuration comes into force, and the way back.

use clap::Args;
use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, Zoned};

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
    /// Not now, but then: 23:00 or "2026-11-30 23:00" (of this machine's time zone), 2026-11-30T23:00:00Z, or +2h. What is
    /// committed then is what is there now; 'cancel' takes it back
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["confirm", "on_restart"])]
    at: Option<String>,
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
        at: options.at.clone(),
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

/// A time to come, as RFC 3339: that already, a time of the machine's zone, or a span from now.
fn moment(text: &str) -> Result<String, String> {
    moment_after(text, &Zoned::now())
}

fn moment_after(text: &str, now: &Zoned) -> Result<String, String> {
    let instant = || text.parse::<Timestamp>().ok();
    let span = || {
        let span = text.strip_prefix('+')?.parse::<SignedDuration>().ok()?;
        now.timestamp().checked_add(span).ok()
    };
    let of_zone = |civil: DateTime| civil.to_zoned(now.time_zone().clone()).ok();
    let day = || of_zone(text.parse().ok().filter(|_| text.contains(':'))?).map(|time| time.timestamp());
    let hour = || {
        let time: Time = text.parse().ok().filter(|_| text.contains(':'))?;
        let today = of_zone(now.date().to_datetime(time))?;
        // One that has passed is tomorrow's.
        let next = if today > *now { today } else { of_zone(now.date().tomorrow().ok()?.to_datetime(time))? };
        Some(next.timestamp())
    };
    let time = instant().or_else(span).or_else(day).or_else(hour);
    let form = "a time is 23:00, \"2026-11-30 23:00\", 2026-11-30T23:00:00Z or +2h";
    let time = time.ok_or_else(|| form.to_owned())?;
    if time <= now.timestamp() { Err(format!("{time} has passed")) } else { Ok(time.to_string()) }
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

    #[test]
    fn a_moment_is_to_come() {
        let now: Zoned = "2026-11-22T12:00:00[Europe/Berlin]".parse().unwrap();
        let read = |text| moment_after(text, &now);
        for (text, time) in [
            ("23:00", "2026-11-22T22:00:00Z"),
            ("11:59", "2026-11-23T10:59:00Z"),
            ("2026-12-01 08:30", "2026-12-01T07:30:00Z"),
            ("2026-12-01T08:30:00Z", "2026-12-01T08:30:00Z"),
            ("2026-12-01T08:30:00+09:00", "2026-11-30T23:30:00Z"),
            ("+90m", "2026-11-22T12:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(time), "{text}");
        }
        for wrong in ["", "soon", "25:00", "2026-12-01", "12", "2026-11-22T10:00:00Z", "+", "-1h", "2026-11-01 08:00"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
