//! Logins at terminals of this machine, and who became root by sudo: by what the programs of the system say as root.

use dataplane::time::Nanos;

use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject, Via};

/// What a line of `tag` says; only lines that root says may be given here.
pub fn line(tag: &str, pid: i32, text: &str, now: Nanos) -> Option<Occurrence> {
    match tag {
        "login" => login(pid, text, now),
        "sudo" => sudo(pid, text, now),
        "passwd" | "chpasswd" | "usermod" => password(tag, pid, text, now),
        _ => None,
    }
}

fn said(event: AuditEvent, service: &str, user: &str, pid: i32, now: Nanos) -> Occurrence {
    let subject = Subject { user: Some(user.into()), pid: Some(pid), via: Some(Via::Console), ..Subject::default() };
    Occurrence::new(event, now).by(subject).with(AuditField::Service, service)
}

fn login(pid: i32, text: &str, now: Nanos) -> Option<Occurrence> {
    if let Some(rest) = text.strip_prefix("pam_unix(login:session): session ") {
        let (what, rest) = rest.split_once(" for user ")?;
        let user = rest.split([' ', '(']).next()?;
        return match what {
            "opened" => Some(said(AuditEvent::Login, "login", user, pid, now)),
            "closed" => Some(said(AuditEvent::Logout, "login", user, pid, now)),
            _ => None,
        };
    }
    // `FAILED LOGIN (1) on '/dev/tty1' FOR 'mon', Authentication failure`
    let (_, rest) = text.strip_prefix("FAILED LOGIN ")?.split_once(" FOR ")?;
    let (user, reason) = rest.rsplit_once(", ").unwrap_or((rest, "failed"));
    let user = user.trim_matches('\'');
    Some(said(AuditEvent::LoginFailed, "login", user, pid, now).with(AuditField::Reason, reason))
}

/// `mon : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh`, and with a reason before `TTY=` where it is refused.
fn sudo(pid: i32, text: &str, now: Nanos) -> Option<Occurrence> {
    let (user, rest) = text.split_once(" : ")?;
    let user = user.trim();
    let (head, tail) = rest.split_once("TTY=")?;
    let (tail, command) = tail.split_once(" ; COMMAND=").unwrap_or((tail, ""));
    let target = tail.split(" ; ").find_map(|part| part.strip_prefix("USER=")).unwrap_or("root");
    let reason = head.trim_end_matches([' ', ';']);
    if reason.is_empty() {
        return Some(said(AuditEvent::Login, "sudo", user, pid, now).with(AuditField::As, target));
    }
    if ["/date ", "/timedatectl ", "/hwclock "].iter().any(|clock| command.contains(clock)) {
        let subject =
            Subject { user: Some(user.into()), pid: Some(pid), via: Some(Via::Console), ..Subject::default() };
        let refused = Occurrence::new(AuditEvent::ClockRefused, now).by(subject);
        return Some(refused.with(AuditField::Reason, format!("sudo: {reason}")));
    }
    let failed = said(AuditEvent::LoginFailed, "sudo", user, pid, now);
    Some(failed.with(AuditField::Reason, reason).with(AuditField::As, target))
}

fn password(tag: &str, pid: i32, text: &str, now: Nanos) -> Option<Occurrence> {
    let account = text.split_once("password changed for ").map(|(_, account)| account)?;
    let account = account.split(' ').next()?;
    let subject = Subject { pid: Some(pid), via: Some(Via::Console), ..Subject::default() };
    let changed = Occurrence::new(AuditEvent::PasswordChanged, now).by(subject);
    Some(changed.with(AuditField::Account, account).with(AuditField::Service, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_login_sudo_and_passwd_are_told() {
        let told = |tag: &str, text: &str| {
            let told = line(tag, 7, text, Nanos(1))?;
            let fields = [AuditField::Account, AuditField::As, AuditField::Reason];
            let fields: Vec<&str> = fields.iter().filter_map(|field| told.field(*field)).collect();
            let user = told.subject.user.as_deref().unwrap_or("-").to_owned();
            Some(format!("{} {user} {}", told.event.name(), fields.join(" ")))
        };
        for (tag, text, expected) in [
            ("login", "pam_unix(login:session): session opened for user mon(uid=5000) by LOGIN(uid=0)", "login mon "),
            ("login", "pam_unix(login:session): session closed for user mon", "logout mon "),
            (
                "login",
                "FAILED LOGIN (1) on '/dev/tty1' FOR 'mon', Authentication failure",
                "login-failed mon Authentication failure",
            ),
            ("sudo", "     mon : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id", "login mon root"),
            (
                "sudo",
                "mon : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
                "login-failed mon root 3 incorrect password attempts",
            ),
            (
                "sudo",
                "mon : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/date -s 12:00",
                "clock-refused mon sudo: command not allowed",
            ),
            ("passwd", "pam_unix(passwd:chauthtok): password changed for mon", "password-changed - mon"),
        ] {
            assert_eq!(told(tag, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(told("su", "(to root) mon on pts/0"), None);
        assert_eq!(told("login", "anything else"), None);
    }
}
