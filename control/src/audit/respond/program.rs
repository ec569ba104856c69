//! Programs that responses run: without a shell, bounded in number and time, and with what happened in their environment only.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Due;
use crate::confine;

/// Programs that run at once.
const RUNNING: usize = 4;
/// How long one may run.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is found where no path is given.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Those that run.
#[derive(Debug, Default)]
pub struct Programs(Vec<Running>);

#[derive(Debug)]
struct Running {
    child: Child,
    until: Instant,
    due: Due,
    /// What it is called in the records.
    measure: String,
}

impl Programs {
    /// Starts a program; what it reads, where it reads anything, is `input`.
    ///
    /// # Errors
    /// Where too many run already, or it cannot be started.
    pub fn start(
        &mut self,
        due: Due,
        arguments: &[String],
        input: Option<&str>,
        now: Instant,
    ) -> Result<(), Box<(Due, String)>> {
        if self.0.len() >= RUNNING {
            return Err(Box::new((due, format!("{RUNNING} programs run already"))));
        }
        let Some((path, rest)) = arguments.split_first() else {
            return Err(Box::new((due, "no program".to_owned())));
        };
        let mut command = Command::new(path);
        command.args(rest).env_clear().env("PATH", PATH).current_dir("/").process_group(0);
        command.env("OSTIARY_EVENT", due.event.name()).env("OSTIARY_RULE", &*due.rule);
        command.env("OSTIARY_CAUSE", &due.cause).env("OSTIARY_RECORD", &due.line);
        command.env("OSTIARY_USER", due.user.as_deref().unwrap_or(""));
        command.env("OSTIARY_ORIGIN", due.origin.map(|origin| origin.to_string()).unwrap_or_default());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = match confine::outside(move || command.spawn()) {
            Ok(child) => child,
            Err(error) => return Err(Box::new((due, format!("{path}: {error}")))),
        };
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            // It is shorter than what a pipe holds: nothing waits. A program that ended has said so by its status.
            let _ = pipe.write_all(input.as_bytes());
        }
        let measure = format!("program {path}");
        self.0.push(Running { child, until: now + PATIENCE, due, measure });
        Ok(())
    }

    /// Those that ended, and how: none is well.
    pub fn turn(&mut self, now: Instant) -> Vec<(Due, String, Option<String>)> {
        let mut ended = Vec::new();
        let mut place = 0;
        while let Some(running) = self.0.get_mut(place) {
            let how = match running.child.try_wait() {
                Ok(Some(status)) if status.success() => Some(None),
                Ok(Some(status)) => Some(Some(status.to_string())),
                Ok(None) if now < running.until => None,
                Ok(None) => {
                    running.kill();
                    Some(Some(format!("it was killed after {} s", PATIENCE.as_secs())))
                }
                Err(error) => Some(Some(error.to_string())),
            };
            match how {
                None => place += 1,
                Some(how) => {
                    let Running { due, measure, .. } = self.0.swap_remove(place);
                    ended.push((due, measure, how));
                }
            }
        }
        ended
    }
}

impl Running {
    /// With whatever it started.
    fn kill(&mut self) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Running::kill);
    }
}

/// A mail: what sendmail reads. The address was checked when the configuration was read.
pub fn mail(due: &Due, to: &str, host: &str) -> String {
    let one_line = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let (rule, event, host) = (one_line(&due.rule), due.event.name(), one_line(host));
    let origin = due.origin.map(|origin| format!("origin: {origin}\n")).unwrap_or_default();
    let user = due.user.as_deref().map(|user| format!("user: {}\n", one_line(user))).unwrap_or_default();
    format!(
        "To: {to}\nSubject: {host}: {event} ({rule})\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Auto-Submitted: auto-generated\n\n{event}\n{user}{origin}record: {}\n{}\n",
        due.cause, due.line
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Response;
    use crate::record::audit::AuditEvent;

    fn due() -> Due {
        Due {
            rule: "guessing".into(),
            response: Response::Raise(1),
            cause: "1-2".to_owned(),
            event: AuditEvent::LoginFailed,
            origin: Some("192.0.2.1".parse().unwrap()),
            user: Some("$(reboot)".into()),
            line: "{}".to_owned(),
            refused: 0,
        }
    }

    fn wait(programs: &mut Programs) -> Vec<(Due, String, Option<String>)> {
        loop {
            let ended = programs.turn(Instant::now());
            if !ended.is_empty() {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn arguments(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_has_what_happened_in_its_environment_and_no_shell() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        let out = folder.path().join("out");
        std::fs::write(&script, format!("#!/bin/sh\necho \"$1 $OSTIARY_USER $OSTIARY_ORIGIN\" > {}\n", out.display()))
            .unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut programs = Programs::default();
        programs.start(due(), &arguments(&[script.to_str().unwrap(), "a;b"]), None, Instant::now()).unwrap();
        let ended = wait(&mut programs);
        assert_eq!((ended.len(), &ended[0].2), (1, &None));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "a;b $(reboot) 192.0.2.1\n");
        assert!(programs.0.is_empty());
    }

    #[test]
    fn what_fails_hangs_or_is_too_many_is_said() {
        let mut programs = Programs::default();
        let start = Instant::now();
        programs.start(due(), &arguments(&["/bin/false"]), None, start).unwrap();
        assert_eq!(wait(&mut programs)[0].2.as_deref(), Some("exit status: 1"));
        let (_, why) = *programs.start(due(), &arguments(&["/nowhere"]), None, start).unwrap_err();
        assert!(why.starts_with("/nowhere: "), "{why}");
        for _ in 0..RUNNING {
            programs.start(due(), &arguments(&["/bin/sleep", "1000"]), Some("unread"), start).unwrap();
        }
        let (_, why) = *programs.start(due(), &arguments(&["/bin/true"]), None, start).unwrap_err();
        assert_eq!(why, "4 programs run already");
        assert!(programs.turn(start).is_empty());
        let ended = programs.turn(start + PATIENCE);
        assert!(
            ended.len() == RUNNING
                && ended.iter().all(|(_, _, how)| how.as_deref() == Some("it was killed after 30 s"))
        );
    }

    #[test]
    fn a_mail_has_one_line_for_each_header() {
        let mut due = due();
        due.user = Some("a\nBcc: x@y".into());
        let mail = mail(&due, "noc@example.net", "fw1");
        assert!(mail.starts_with("To: noc@example.net\nSubject: fw1: login-failed (guessing)\n"), "{mail}");
        assert!(!mail.contains("\nBcc:") && mail.contains("\nrecord: 1-2\n{}\n"));
    }
}
