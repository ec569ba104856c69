//! Who holds a lock, so that it ends with them.

use std::fs;

use rustix::process::{Pid, getsid};

/// The holder of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A session of NETCONF.
    Session(u32),
    /// A session of the system: all commands of one terminal. Its leader is the process that began it, most often a shell.
    Terminal {
        /// The leader.
        leader: i32,
        /// When it was started, in ticks since the boot: a number may be given anew.
        started: u64,
    },
    /// Whoever asked is gone already.
    Nobody,
}

impl Holder {
    /// Of a process that asks, or of its session of NETCONF.
    pub(super) fn of(pid: i32, session: Option<u32>) -> Self {
        if let Some(session) = session {
            return Self::Session(session);
        }
        let leader =
            Pid::from_raw(pid).and_then(|pid| getsid(Some(pid)).ok()).map(|leader| leader.as_raw_nonzero().get());
        let found = leader.and_then(|leader| Some((leader, started(leader)?)));
        found.map_or(Self::Nobody, |(leader, started)| Self::Terminal { leader, started })
    }

    /// Whether it is still there. Sessions of NETCONF are ended by whoever serves them.
    pub(super) fn lives(&self) -> bool {
        match self {
            Self::Session(_) => true,
            Self::Terminal { leader, started: then } => started(*leader) == Some(*then),
            Self::Nobody => false,
        }
    }
}

/// When a process was started (proc(5), the 22nd field of its `stat`); none where there is none, or it has ended and nobody
/// has asked how.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses, and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;

    #[test]
    fn a_terminal_is_the_same_for_its_commands_and_ends_with_its_leader() {
        let own = Holder::of(id() as i32, None);
        assert!(own.lives() && matches!(own, Holder::Terminal { .. }));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert_eq!(Holder::of(child.id() as i32, None), own);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Holder::of(child.id() as i32, None), Holder::Nobody);
        let gone = Holder::Terminal { leader: child.id() as i32, started: 1 };
        assert!(!gone.lives() && !Holder::Nobody.lives() && Holder::of(1, Some(4)).lives());
    }
}
