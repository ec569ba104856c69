//! Where the program makes each event: what an assessor reads beside the table of events, and what a test holds against the
//! source.

use super::AuditEvent;

impl AuditEvent {
    /// The source file that makes it, below `control/src`.
    pub fn made_in(self) -> &'static str {
        use AuditEvent::*;
        match self {
            AuditStart | AuditStop | SystemStart | SystemStop => "runtime/house/audit.rs",
            AuditRecovered | AuditTampered | AuditCheckpoint | AuditFull | AuditSpace | AuditRotated | AuditDeleted
            | AuditUploaded | AuditUploadFailed => "audit/news.rs",
            ConfigCommit | ConfigRefused | ConfigChange | ConfigUnconfirmed | ConfigConfirmed | ConfigReverted
            | RescueLoad | KeyChange | SignatureUpdate => "runtime/house/commits/trail.rs",
            ConfigEdit | ConfigDiscard | RescueSave => "runtime/house/commits.rs",
            ConfigLock | ConfigUnlock => "runtime/house/commits/locks.rs",
            ConfigScheduled => "runtime/house/commits/schedule.rs",
            StatisticsReset => "runtime/house/users.rs",
            ChannelUp | ChannelDown | ChannelFailed | LinkChange | Overload => "runtime/house/watch.rs",
            Login | LoginFailed | LoginThreshold | Logout | SshConnect | SshNegotiationFailed | SshDisconnected
            | SshServer | SessionStart | SessionEnd | SubsystemStart => "audit/sources/sshd.rs",
            ClockChanged | ClockRefused => "audit/sources/clock.rs",
            AccountChanged | PasswordChanged => "audit/sources/accounts.rs",
            ResponseTaken | ResponseFailed | ResponseLimited | Raised => "audit/respond/mod.rs",
            SensitiveView | CliCommand | NetconfSessionStart | NetconfSessionEnd | SubscriptionStart
            | SubscriptionEnd => "manage/connection.rs",
            AccessDenied => "manage/denials.rs",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every source file of the program without its tests.
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                sources(&path, found);
            } else if name.ends_with(".rs") && !name.contains("tests") && name != "sample.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let program = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((path.to_str().unwrap().to_owned(), program));
            }
        }
    }

    /// Whether a text names the event, and no longer name that begins so.
    fn names(text: &str, event: AuditEvent) -> bool {
        let name = format!("AuditEvent::{event:?}");
        text.match_indices(&name)
            .any(|(at, _)| text[at + name.len()..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric()))
    }

    #[test]
    fn each_event_is_made_where_the_page_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        sources(&root, &mut found);
        for event in AuditEvent::ALL {
            let file = event.made_in();
            let made = found.iter().find(|(name, _)| Path::new(name) == root.join(file));
            let (_, text) = made.unwrap_or_else(|| panic!("no {file}"));
            assert!(names(text, *event), "{file} does not make {}", event.name());
        }
    }
}
