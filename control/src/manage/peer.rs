//! Who is at the other end of a connection, as the kernel says.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use super::role::{Right, Role};
use crate::config::Roles;
use crate::confine;
use crate::record::Name;
use crate::record::audit::{Origin, Subject, Via};

/// A process, as it was when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The process.
    pub pid: i32,
    /// The groups of the process, its own first.
    pub groups: Box<[u32]>,
    /// The user's name, where this machine's own list of accounts has one.
    pub user: Option<Name>,
}

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The process.
    pub peer: Peer,
    /// What it may; of a user with several roles, the one that may most.
    pub role: Role,
    /// In which session.
    pub session: Option<u32>,
    /// By which way.
    pub via: Via,
    /// From where, as far as that is proven.
    pub origin: Option<Origin>,
}

impl Peer {
    /// The process at the other end of a socket.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let peer = rustix::net::sockopt::socket_peercred(socket)?;
        let (uid, pid) = (peer.uid.as_raw(), peer.pid.as_raw_nonzero().get());
        let mut groups = vec![peer.gid.as_raw()];
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        groups.extend(supplementary(&status, uid));
        let user = confine::account_list("/etc/passwd").ok().and_then(|text| account(&text, uid).map(Name::from));
        Ok(Self { uid, pid, groups: groups.into(), user })
    }

    /// What it may, where these groups have these roles; without any, whoever may connect is an administrator.
    pub fn role(&self, roles: Option<&Roles>) -> Role {
        match roles {
            Some(roles) if !self.is_ourselves() => roles.of(&self.groups),
            _ => Role::Administrator,
        }
    }

    /// Whether it may do that.
    pub fn may(&self, right: Right, roles: Option<&Roles>) -> bool {
        match roles {
            Some(roles) if !self.is_ourselves() => roles.allow(&self.groups, right),
            _ => true,
        }
    }

    /// Root, or the user that the firewall runs as, who could do anything to it in other ways.
    pub(super) fn is_ourselves(&self) -> bool {
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw()
    }
}

impl Asker {
    /// As the trail names it.
    pub fn subject(&self) -> Subject {
        Subject {
            user: self.peer.user.clone(),
            uid: Some(self.peer.uid),
            pid: Some(self.peer.pid),
            role: Some(self.role),
            origin: self.origin,
            via: Some(self.via),
            session: self.session,
        }
    }
}

/// How far up the processes above one are looked at: sshd's own is behind a shell and what that started.
const ANCESTORS: usize = 5;

/// A process, and those that started it, as far as they are there and can be told.
pub fn lineage(pid: i32) -> Vec<i32> {
    let parent = |pid: &i32| parent(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    std::iter::successors(Some(pid), parent).take(ANCESTORS).collect()
}

/// The parent in proc(5)'s `status`; none of a process that has none here.
fn parent(status: &str) -> Option<i32> {
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Effective and supplementary groups of proc(5)'s `status`, if it is of a process of that user: by now the number may be
/// another's, and one of the same user's can do no more than that user.
fn supplementary(status: &str, uid: u32) -> Vec<u32> {
    let numbers = |field: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.map_or_else(Vec::new, |line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
    };
    if numbers("Uid:").get(1) != Some(&uid) {
        return Vec::new();
    }
    let mut groups = numbers("Groups:");
    groups.extend(numbers("Gid:").get(1));
    groups
}

/// The name of a user in passwd(5).
fn account(text: &str, uid: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    const STATUS: &str = "Name:\tssh\nUid:\t5000\t5000\t5000\t5000\nGid:\t5000\t5001\t5000\t5000\nGroups:\t4 27 110 \n";

    #[test]
    fn groups_are_those_of_the_process_if_it_is_still_the_same_user() {
        assert_eq!(supplementary(STATUS, 5_000), [4, 27, 110, 5_001]);
        assert!(supplementary(STATUS, 5_001).is_empty());
        assert!(supplementary("", 0).is_empty() && supplementary("Uid:\tx\nGroups:\t4\n", 0).is_empty());
    }

    #[test]
    fn processes_have_parents() {
        assert_eq!((parent("Pid:\t7\nPPid:\t4711\n"), parent("PPid:\t0\n"), parent("")), (Some(4_711), None, None));
        let own = std::process::id() as i32;
        let all = lineage(own);
        assert!(all[0] == own && all.len() <= ANCESTORS);
        assert_eq!(all.get(1).copied(), parent(&fs::read_to_string("/proc/self/status").unwrap()));
    }

    #[test]
    fn accounts_have_names() {
        let text = "root:x:0:0:root:/root:/bin/sh\nbroken\nmon:x:5000:5000::/:/bin/false\n";
        assert_eq!((account(text, 5_000), account(text, 0), account(text, 7)), (Some("mon"), Some("root"), None));
    }

    #[test]
    fn a_process_knows_its_own_credentials() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.pid as u32, std::process::id());
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert!(peer.groups.contains(&rustix::process::getegid().as_raw()));
        let nobody = Roles::new([]);
        assert!(peer.role(Some(&nobody)) == Role::Administrator && peer.may(Right::Commit, Some(&nobody)));
    }

    #[test]
    fn others_have_the_roles_of_their_groups() {
        let peer = Peer { uid: 4_000_000_001, pid: 1, groups: [7, 9].into(), user: None };
        let roles = Roles::new([(9, Role::Auditor)]);
        assert_eq!((peer.role(Some(&roles)), peer.role(None)), (Role::Auditor, Role::Administrator));
        assert!(peer.may(Right::ShowAudit, Some(&roles)) && !peer.may(Right::ShowConfiguration, Some(&roles)));
        assert_eq!(peer.role(Some(&Roles::new([(8, Role::Operator)]))), Role::None);
    }
}
