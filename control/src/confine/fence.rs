//! Landlock: the kernel refuses a thread what is not named, whatever user it runs as.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use super::reach::Reach;

/// The newest version that this knows; of an older kernel, what it has is used.
const NEWEST: ABI = ABI::V5;
/// The files of the system's accounts, names and libraries.
const SYSTEM: [&str; 9] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/proc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
];

/// What the kernel does of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// The kernel has no Landlock, or it is turned off.
    Absent,
    /// So many folders and files are left.
    Stands {
        /// All that is asked for, or as much as an older kernel has.
        whole: bool,
        read: usize,
        write: usize,
    },
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "no capabilities; this kernel has no Landlock, so that files are not"),
            Self::Stands { whole, read, write } => {
                let how = if *whole { "Landlock" } else { "Landlock, as far as this kernel has it" };
                write!(f, "no capabilities; {how}: {read} places are read, {write} written, no other is reached")
            }
        }
    }
}

/// Whether the kernel has Landlock: a domain is made, and nobody put into it.
pub(super) fn abi() -> Option<()> {
    let made = Ruleset::default().handle_access(AccessFs::Execute).and_then(Ruleset::create);
    // Without the kernel's help the library makes one that does nothing, and only says so of a thread that enters it.
    let entered = std::thread::spawn(move || made.and_then(RulesetCreated::restrict_self)).join();
    let status = entered.ok().and_then(Result::ok)?;
    (status.ruleset != RulesetStatus::NotEnforced).then_some(())
}

/// For the control side.
pub(super) fn control(reach: &Reach) -> io::Result<Fence> {
    let (all, read) = (AccessFs::from_all(NEWEST), AccessFs::ReadFile | AccessFs::ReadDir);
    // What is kept is never run, and no device is made.
    let write = all & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let remove: BitFlags<AccessFs> = AccessFs::RemoveFile.into();
    let fence = || {
        let mut domain = handled()?;
        domain = allow(domain, &reach.read, read)?;
        domain = allow(domain, &[PathBuf::from("/dev/null")], read | AccessFs::WriteFile)?;
        domain = allow(domain, &reach.write, write)?;
        domain = allow(domain, &reach.remove, remove)?;
        for port in &reach.ports {
            domain = domain.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        // A source address is bound to with whatever port the kernel chooses.
        domain.add_rule(NetPort::new(0, AccessNet::BindTcp))?.restrict_self()
    };
    let status = fence().map_err(io::Error::other)?;
    Ok(of_status(&status, reach.read.len(), reach.write.len()))
}

/// For who looks names up and enters namespaces.
pub(super) fn lookups(reach: &Reach) -> io::Result<()> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let system: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    let fence = || {
        // Where it connects to, it is told by others: a name's addresses, a cluster's brokers.
        let domain = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.handle_access(AccessNet::BindTcp)?;
        let mut domain = domain.create()?;
        domain = allow(domain, &system, read)?;
        domain = allow(domain, &reach.read, read)?;
        domain = allow(domain, &reach.namespaces, read)?;
        domain.add_rule(NetPort::new(0, AccessNet::BindTcp))?.restrict_self()
    };
    fence().map(drop).map_err(io::Error::other)
}

/// For who needs nothing any more.
pub(super) fn nothing() -> io::Result<()> {
    handled().and_then(RulesetCreated::restrict_self).map(drop).map_err(io::Error::other)
}

/// A domain in which nothing is allowed yet.
fn handled() -> Result<RulesetCreated, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    Ruleset::default().handle_access(all)?.handle_access(AccessNet::from_all(NEWEST))?.create()
}

/// Allows that of what is there: a file or a folder with all below it.
fn allow(
    mut domain: RulesetCreated,
    paths: &[PathBuf],
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        let Ok(opened) = PathFd::new(path) else { continue };
        let access = if is_folder(path) { access } else { access & AccessFs::from_file(NEWEST) };
        domain = domain.add_rule(PathBeneath::new(opened, access))?;
    }
    Ok(domain)
}

fn is_folder(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_dir())
}

fn of_status(status: &RestrictionStatus, read: usize, write: usize) -> Fence {
    match status.ruleset {
        RulesetStatus::NotEnforced => Fence::Absent,
        RulesetStatus::PartiallyEnforced => Fence::Stands { whole: false, read, write },
        RulesetStatus::FullyEnforced => Fence::Stands { whole: true, read, write },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// In a thread of its own: nobody comes out again.
    fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    #[test]
    fn what_is_not_named_is_out_of_reach() {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(own.path().join("a"), "a").unwrap();
        fs::write(other.path().join("b"), "b").unwrap();
        let reach = Reach { read: vec![], write: vec![own.path().to_owned()], ..Reach::default() };
        let (inside, outside) = (own.path().to_owned(), other.path().to_owned());
        let seen = within(move || {
            let fence = control(&reach).unwrap();
            let may_rename = fs::rename(inside.join("a"), inside.join("c"));
            (
                fence,
                fs::read(inside.join("c")),
                may_rename,
                fs::read(outside.join("b")),
                fs::write(outside.join("d"), ""),
            )
        });
        let (fence, read, renamed, refused, not_written) = seen;
        assert!(read.is_ok() && renamed.is_ok());
        if fence == Fence::Absent {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        assert!(refused.is_err() && not_written.is_err(), "{fence}");
        assert!(fence.to_string().contains("1 written"), "{fence}");
    }

    #[test]
    fn who_needs_nothing_opens_nothing() {
        let opened = within(|| {
            nothing().unwrap();
            fs::read("/etc/passwd").is_ok()
        });
        assert!(!opened || abi().is_none());
    }
}
