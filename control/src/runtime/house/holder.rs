//! Who holds a lock, so that it ends with them.

use std::fs;

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
        let found = leader(pid, Process::read).and_then(|leader| Some((leader, Process::read(leader)?.started)));
        found.map_or(Self::Nobody, |(leader, started)| Self::Terminal { leader, started })
    }

    /// Whether it is still there. Sessions of NETCONF are ended by whoever serves them.
    pub(super) fn lives(&self) -> bool {
        match self {
            Self::Session(_) => true,
            Self::Terminal { leader, started } => Process::read(*leader).is_some_and(|found| found.started == *started),
            Self::Nobody => false,
        }
    }
}

/// What is known of a process (proc(5), its `stat`).
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: i32,
    /// The leader of its session; 0 where that is outside of our namespace of processes.
    session: i32,
    /// In ticks since the boot.
    started: u64,
}

impl Process {
    /// None where there is none, or it has ended and nobody has asked how.
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is the command in parentheses, and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        match *fields.first()? {
            "Z" | "X" => None,
            _ => Some(Self { parent: number(1)?, session: number(3)?, started: fields.get(19)?.parse().ok()? }),
        }
    }
}

/// Who stands for the session of a process: its leader or, in a container that was entered from a session outside, the eldest
/// of that session that can be seen.
fn leader(pid: i32, read: impl Fn(i32) -> Option<Process>) -> Option<i32> {
    let mut eldest = pid;
    let mut process = read(pid)?;
    while process.session == 0 && process.parent != 0 {
        match read(process.parent) {
            Some(parent) if parent.session == 0 => (eldest, process) = (process.parent, parent),
            _ => break,
        }
    }
    Some(if process.session == 0 { eldest } else { process.session })
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

    #[test]
    fn a_session_from_outside_is_known_by_its_eldest() {
        let read = |pid: i32| {
            let (parent, session) = match pid {
                1 => (0, 1),
                10 | 30 => (1, 0),
                11 => (10, 0),
                12 => (11, 0),
                20 => (11, 20),
                21 => (20, 20),
                40 => (0, 0),
                _ => return None,
            };
            Some(Process { parent, session, started: 5 })
        };
        let leaders = [10, 12, 11, 30, 20, 21, 40, 1, 7].map(|pid| leader(pid, read));
        assert_eq!(leaders, [10, 10, 10, 30, 20, 20, 40, 1, 0].map(|pid| (pid != 0).then_some(pid)));
    }

    #[test]
    fn a_command_may_have_any_name() {
        let stat = "7 (a) Z 1) S 4 7 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1000 10";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.parent, process.session, process.started), (4, 6, 99));
        assert!(Process::parse(&stat.replace(") S", ") Z")).is_none() && Process::parse("7 (a) S 4").is_none());
    }
}
