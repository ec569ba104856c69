//! What is heard of the machine for the audit trail: what its programs say to the system log, its clock, its accounts.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dataplane::time::Nanos;
use mio::{Registry, Token};

use crate::confine;
use crate::record::audit::{Occurrence, Origin};

pub mod accounts;
pub mod callers;
pub mod clock;
pub mod console;
pub mod sshd;
pub mod syslog_socket;

use accounts::Accounts;
use callers::Callers;
use clock::Watch;
use sshd::Tracker;
use syslog_socket::SyslogSocket;

/// How often it is looked whether the server's processes are still there.
const PROCESSES: Duration = Duration::from_secs(1);
/// How often the files of accounts are looked at.
const ACCOUNTS: Duration = Duration::from_secs(5);

/// Events of the poll that [`Sources`] takes, from the token that it was given on.
pub const TOKENS: usize = 2;

/// See the module.
#[derive(Debug)]
pub struct Sources {
    socket: Option<SyslogSocket>,
    token: usize,
    sshd: Tracker,
    callers: Callers,
    clock: Watch,
    accounts: Accounts,
    /// Users as whom the clock is kept.
    keepers: Vec<u32>,
    looked: (Instant, Instant),
    /// Processes of sshd that were not there any more when it was last looked.
    missing: BTreeSet<i32>,
}

impl Sources {
    /// Begins to listen: at a socket of the system log, where one is configured, and to the rest always.
    ///
    /// # Errors
    /// Where the socket or the clock's timer cannot be made, with what it was about.
    pub fn bind(socket: Option<&Path>, registry: &Registry, token: Token) -> Result<Self, (PathBuf, io::Error)> {
        let bound =
            socket.map(|path| SyslogSocket::bind(path, registry, token).map_err(|error| (path.to_owned(), error)));
        let clock = Watch::new(registry, Token(token.0 + 1));
        let now = Instant::now();
        Ok(Self {
            socket: bound.transpose()?,
            token: token.0,
            sshd: Tracker::default(),
            callers: Callers::default(),
            clock: clock.map_err(|error| (PathBuf::from("the clock's timer"), error))?,
            accounts: Accounts::new(Path::new("/etc")),
            keepers: users(clock::KEEPER_USERS),
            looked: (now, now),
            missing: BTreeSet::new(),
        })
    }

    /// Whether the poll's event is for it.
    pub fn owns(&self, token: Token) -> bool {
        (self.token..self.token + TOKENS).contains(&token.0)
    }

    /// The poll says that there is something.
    pub fn event(&mut self, token: Token) {
        match (&mut self.socket, token.0 - self.token) {
            (Some(socket), 0) => socket.wake(),
            _ => self.clock.look(),
        }
    }

    /// What happened, and whether there may be more: a bounded piece of work.
    pub fn turn(&mut self, now: Nanos, instant: Instant) -> (Vec<Occurrence>, bool) {
        let mut said = Vec::new();
        let mut more = false;
        if let Some(socket) = &mut self.socket {
            let (sshd, callers, clock, keepers) = (&mut self.sshd, &mut self.callers, &mut self.clock, &self.keepers);
            more = socket.turn(|heard| match heard.tag.as_str() {
                "sshd" | "sshd-session" | "sshd-auth" => said.extend(sshd.line(heard.pid, heard.uid, &heard.text, now)),
                tag if callers::PROGRAMS.contains(&tag) => {
                    said.extend(callers.line(&heard, now, is_program, user_of));
                }
                tag if heard.uid == 0 || keepers.contains(&heard.uid) => {
                    said.extend(clock.heard(tag, &heard.text, now));
                    if heard.uid == 0 {
                        said.extend(console::line(tag, heard.pid, &heard.text, now));
                    }
                }
                _ => {}
            });
        }
        // Lines that wait may say what a process did before it ended; one that came since the socket was read is read before
        // the next look.
        if !more && instant.duration_since(self.looked.0) >= PROCESSES {
            self.looked.0 = instant;
            self.clock.look();
            let missing: BTreeSet<i32> = self.sshd.pids().filter(|pid| !is_there(*pid)).collect();
            for pid in missing.intersection(&self.missing) {
                said.extend(self.sshd.gone(*pid, now));
            }
            self.missing = missing;
            self.callers.forget(is_there);
        }
        if instant.duration_since(self.looked.1) >= ACCOUNTS {
            self.looked.1 = instant;
            let mut accounts = std::mem::take(&mut self.accounts);
            let (accounts, changes) = confine::lookup(move || {
                let changes = accounts.look(now);
                (accounts, changes)
            });
            self.accounts = accounts;
            said.extend(changes);
        }
        said.extend(self.clock.turn(now));
        (said, more)
    }

    /// Lines about sshd that said nothing known, and lines that their sender had no right to say.
    pub fn ignored(&self) -> (u64, u64) {
        self.sshd.ignored()
    }

    /// Who is logged in by SSH at a process, and from where.
    pub fn ssh_session(&self, pid: i32) -> Option<(&str, Option<Origin>)> {
        self.sshd.session_of(pid)
    }
}

/// Whether a process is the set-user-id program that it calls itself.
fn is_program(pid: i32, tag: &str) -> bool {
    let tag = tag.to_owned();
    confine::outside(move || callers::is_program(pid, &tag))
}

fn is_there(pid: i32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// What a user of this machine is called.
fn user_of(uid: u32) -> Option<String> {
    let passwd = confine::account_list("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The numbers of those users that this machine has.
fn users(names: &[&str]) -> Vec<u32> {
    let passwd = confine::account_list("/etc/passwd").unwrap_or_default();
    let number = |line: &str| {
        let mut fields = line.split(':');
        let is_named = names.contains(&fields.next()?);
        fields.nth(1)?.parse().ok().filter(|_| is_named)
    };
    passwd.lines().filter_map(number).collect()
}
