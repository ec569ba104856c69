//! Programs of root's that anybody may start, and what they say to the system log: who became somebody else by `su` or `sudo`,
//! who changed a password. They say it as whoever called them, as anybody could: their lines are taken from processes only
//! that run a set-user-id program of root's of that name with root's rights. Who called is the user whom the kernel names.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dataplane::time::Nanos;

use super::console;
use super::syslog_socket::Heard;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject, Via};

/// Processes that are followed.
const PROCESSES: usize = 256;

/// What they are called.
pub const PROGRAMS: &[&str] = &["su", "sudo", "passwd"];

/// The processes that spoke and are still there.
#[derive(Debug, Default)]
pub struct Callers(BTreeMap<i32, Process>);

#[derive(Debug, Default)]
struct Process {
    /// A failure was told.
    failed: bool,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Opened(&'a str),
    Closed(&'a str),
    /// The proof was refused.
    Refused(&'a str),
    /// Whatever the reason.
    Failed(&'a str),
}

impl Callers {
    /// What a line of one of [`PROGRAMS`] says. `is_program` tells whether a process is what it calls itself, `name` what a user is
    /// called.
    pub fn line(
        &mut self,
        heard: &Heard,
        now: Nanos,
        is_program: impl Fn(i32, &str) -> bool,
        name: impl Fn(u32) -> Option<String>,
    ) -> Option<Occurrence> {
        // Each is looked at when it speaks first, of whatever: it may be gone before its last line is read.
        if !self.0.contains_key(&heard.pid) {
            if self.0.len() >= PROCESSES || !(heard.uid == 0 || is_program(heard.pid, &heard.tag)) {
                return None;
            }
            self.0.insert(heard.pid, Process::default());
        }
        if heard.tag != "su" {
            let mut said = console::line(&heard.tag, heard.pid, &heard.text, now)?;
            said.subject.uid = Some(heard.uid);
            return Some(said);
        }
        let line = parse(&heard.text)?;
        let process = self.0.get_mut(&heard.pid)?;
        let (event, account, reason) = match line {
            Line::Opened(account) => (AuditEvent::Login, account, None),
            Line::Closed(account) => (AuditEvent::Logout, account, None),
            Line::Failed(_) if process.failed => return None,
            Line::Failed(account) => (AuditEvent::LoginFailed, account, Some("refused")),
            Line::Refused(account) => (AuditEvent::LoginFailed, account, Some("wrong password")),
        };
        process.failed |= event == AuditEvent::LoginFailed;
        let subject = Subject {
            user: name(heard.uid).map(|name| name.as_str().into()),
            uid: Some(heard.uid),
            pid: Some(heard.pid),
            via: Some(Via::Console),
            ..Subject::default()
        };
        let said = Occurrence::new(event, now).by(subject);
        let said = said.with(AuditField::Service, "su").with(AuditField::As, account);
        Some(match reason {
            Some(reason) => said.with(AuditField::Reason, reason),
            None => said,
        })
    }

    /// Forgets processes that are gone: another may get their number.
    pub fn forget(&mut self, is_there: impl Fn(i32) -> bool) {
        self.0.retain(|pid, _| is_there(*pid));
    }
}

/// `pam_unix(su:session): session opened for user root(uid=0) by mon(uid=1000)` and `session closed for user root`;
/// `pam_unix(su:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/0 ruser=mon rhost=  user=root`;
/// `FAILED SU (to root) mon on pts/0`, which follows that, and stands alone where an account may not be used. A login shell
/// (`su -`) calls itself `su-l`.
fn parse(text: &str) -> Option<Line<'_>> {
    if let Some(rest) = text.strip_prefix("FAILED SU (to ") {
        // The name may have parentheses; who calls and where follow the last.
        return Some(Line::Failed(rest.rsplit_once(')')?.0));
    }
    let (module, rest) = text.split_once("): ")?;
    match module {
        "pam_unix(su:session" | "pam_unix(su-l:session" => {
            if let Some(rest) = rest.strip_prefix("session opened for user ") {
                return Some(Line::Opened(rest.split([' ', '(']).next()?));
            }
            Some(Line::Closed(rest.strip_prefix("session closed for user ")?))
        }
        "pam_unix(su:auth" | "pam_unix(su-l:auth" if rest.starts_with("authentication failure;") => {
            // Without a name: of one that is not there.
            Some(Line::Refused(rest.rsplit_once(" user=").map_or("(unknown)", |(_, account)| account)))
        }
        _ => None,
    }
}

/// Whether a process runs a program of root's of that name that gives root's rights to whoever starts it. The link is followed to
/// the file itself, so that no other file system can stand before it.
pub fn is_program(pid: i32, name: &str) -> bool {
    /// S_ISUID.
    const SET_USER_ID: u32 = 0o4000;
    let exe = Path::new("/proc").join(pid.to_string()).join("exe");
    let is_roots = fs::metadata(&exe).is_ok_and(|file| file.uid() == 0 && file.mode() & SET_USER_ID != 0);
    let is_named = fs::read_link(&exe).is_ok_and(|path| path.file_name().is_some_and(|file| file == name));
    let status = fs::read_to_string(exe.with_file_name("status")).unwrap_or_default();
    // Real, effective, saved, of the file system.
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    is_roots && is_named && effective == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: &str = "pam_unix(su:session): session opened for user root(uid=0) by mon(uid=5000)";
    const CLOSED: &str = "pam_unix(su:session): session closed for user root";
    const REFUSED: &str = "pam_unix(su:auth): authentication failure; logname= uid=5000 euid=0 tty=/dev/pts/0 ruser=mon rhost=  user=root";

    fn hear(callers: &mut Callers, (tag, pid): (&str, i32), text: &str, is_program: bool) -> Option<String> {
        let heard = Heard { pid, uid: 5_000, tag: tag.to_owned(), text: text.to_owned() };
        let name = |uid| (uid == 5_000).then(|| "mon".to_owned());
        let said = callers.line(&heard, Nanos(1), |_, _| is_program, name)?;
        assert_eq!(said.subject.uid, Some(5_000));
        let field = |field| said.field(field).unwrap_or("-").to_owned();
        let user = said.subject.user.as_deref().unwrap_or("-").to_owned();
        let (name, account, reason) = (said.event.name(), field(AuditField::As), field(AuditField::Reason));
        Some(format!("{name} {user} {account} {reason}"))
    }

    #[test]
    fn who_becomes_whom_is_told_of_real_ones_only() {
        let mut callers = Callers::default();
        assert_eq!(hear(&mut callers, ("su", 7), OPENED, false), None, "anybody can say so");
        assert_eq!(hear(&mut callers, ("su", 7), OPENED, true).as_deref(), Some("login mon root -"));
        assert_eq!(hear(&mut callers, ("su", 7), CLOSED, false).as_deref(), Some("logout mon root -"), "one before");
        callers.forget(|_| false);
        assert_eq!(hear(&mut callers, ("su", 7), CLOSED, false), None);
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut callers = Callers::default();
        let refused = hear(&mut callers, ("su", 7), REFUSED, true);
        assert_eq!(refused.as_deref(), Some("login-failed mon root wrong password"));
        assert_eq!(hear(&mut callers, ("su", 7), "FAILED SU (to root) mon on pts/0", true), None);
        let other = "FAILED SU (to a) b (c) mon on none";
        assert_eq!(hear(&mut callers, ("su", 8), other, true).as_deref(), Some("login-failed mon a) b (c refused"));
        assert_eq!(hear(&mut callers, ("su", 9), "(to root) mon on pts/0", true), None);
    }

    #[test]
    fn sudo_is_known_by_its_first_line_of_whatever() {
        let mut callers = Callers::default();
        let refused = "mon : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh";
        assert_eq!(hear(&mut callers, ("sudo", 7), refused, false), None);
        assert_eq!(hear(&mut callers, ("sudo", 7), "pam_unix(sudo:auth): authentication failure; x", true), None);
        let told = hear(&mut callers, ("sudo", 7), refused, false);
        assert_eq!(told.as_deref(), Some("login-failed mon root 3 incorrect password attempts"));
    }

    #[test]
    fn this_process_is_none() {
        assert!(!is_program(std::process::id() as i32, "su") && !is_program(-1, "su"));
    }

    #[test]
    fn those_that_are_followed_are_bounded() {
        let mut callers = Callers::default();
        let told = (0..PROCESSES as i32 + 9).filter(|pid| hear(&mut callers, ("su", *pid), OPENED, true).is_some());
        assert_eq!(told.count(), PROCESSES);
    }
}
