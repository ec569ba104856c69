//! Which files the control side needs while it runs, derived from the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use super::named;
use crate::config::Compiled;
use crate::export::{Target, Transport};

/// Folders that hold what is everybody's: a file in one of them is reached by itself, and the folder is not.
const COMMON: [&str; 22] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/ssl",
    "/home",
    "/lib",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/tmp",
];
/// What is read besides: processes that ask, time zones, the signatures of the package, what the allocator looks at.
const ALWAYS: [&str; 6] =
    ["/proc", "/usr/share/zoneinfo", "/usr/share/ostiary", "/sys/devices/system/cpu", "/dev/urandom", "/dev/null"];

/// Where the control side may go.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Files, and folders with all below, that are read.
    pub(super) read: Vec<PathBuf>,
    /// Folders with all below that are written.
    pub(super) write: Vec<PathBuf>,
    /// Folders out of which files are taken: sockets, at the end.
    pub(super) remove: Vec<PathBuf>,
    /// TCP ports of log hosts.
    pub(super) ports: Vec<u16>,
    /// Folders of network namespaces.
    pub(super) namespaces: Vec<PathBuf>,
    /// A namespace is named by a process.
    pub(super) names_processes: bool,
    /// The folder of the policy file, where that is a common one.
    pub(super) too_wide: Option<PathBuf>,
}

impl Reach {
    /// Of a configuration that was read from `file`, with its text.
    pub(super) fn of(compiled: &Compiled, file: &Path, text: &str) -> Self {
        let mut reach = Self { read: ALWAYS.iter().map(PathBuf::from).collect(), ..Self::default() };
        for (_, path) in named::files(text) {
            reach.read.extend(readable(&path));
        }
        // A policy file that is a link is published where it points to; what is committed stands beside the link as well.
        for folder in folders(file) {
            if is_common(&folder) && compiled.state.is_some() {
                reach.too_wide = Some(folder.clone());
            }
            if compiled.state.is_some() { reach.write.push(folder) } else { reach.read.extend(readable(file)) }
        }
        reach.write.extend(compiled.state.as_ref().map(|state| state.path().to_owned()));
        reach.write.push(compiled.audit.folder.clone());
        for host in &compiled.hosts {
            match &host.transport {
                Transport::File(target) => reach.write.extend(folders(&target.path)),
                Transport::Udp => {}
                _ => reach.ports.extend(match &host.target {
                    Target::Address(address) => Some(address.port()),
                    Target::Name { port, .. } => Some(*port),
                    Target::None => None,
                }),
            }
            if let Some(namespace) = &host.via.namespace {
                reach.names_processes |= namespace.starts_with("/proc");
                // It may be made later.
                let folders = folders(namespace);
                let there = folders.iter().filter_map(|folder| folder.ancestors().find(|folder| folder.exists()));
                reach.namespaces.extend(there.map(Path::to_owned));
            }
        }
        for socket in [Some(&compiled.socket), compiled.syslog_socket.as_ref()].into_iter().flatten() {
            reach.remove.extend(folders(socket));
        }
        reach
    }

    /// Whether a file can be read: it, or the folder that it is really in, is named.
    pub(super) fn reads(&self, path: &Path) -> bool {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let below = |folder: &PathBuf| {
            let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            real.starts_with(folder)
        };
        self.read.iter().chain(&self.write).any(below)
    }
}

/// The folders of a file: as it is named, and where it really is. Files are replaced by others of their name, which only the
/// folder stands for.
fn folders(path: &Path) -> Vec<PathBuf> {
    let of =
        |path: &Path| path.parent().map(|folder| if folder == Path::new("") { ".".into() } else { folder.to_owned() });
    let mut folders: Vec<PathBuf> = of(path).into_iter().collect();
    folders.extend(fs::canonicalize(path).ok().as_deref().and_then(of));
    folders.dedup();
    folders
}

/// What stands for a file that is read: its folders, or where that is a common one, the file.
fn readable(path: &Path) -> Vec<PathBuf> {
    folders(path).into_iter().map(|folder| if is_common(&folder) { path.to_owned() } else { folder }).collect()
}

fn is_common(folder: &Path) -> bool {
    let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    COMMON.iter().any(|common| real == Path::new(common))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_common_folder_is_reached_alone() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("ca.pem");
        fs::write(&own, "").unwrap();
        assert_eq!(readable(&own), [folder.path()]);
        assert_eq!(readable(Path::new("/etc/passwd")), [Path::new("/etc/passwd"); 1]);
        let reach = Reach { read: readable(&own), ..Reach::default() };
        assert!(
            reach.reads(&own) && reach.reads(&folder.path().join("another")) && !reach.reads(Path::new("/etc/passwd"))
        );
        let reach = Reach { read: readable(Path::new("/etc/passwd")), ..Reach::default() };
        assert!(reach.reads(Path::new("/etc/passwd")) && !reach.reads(Path::new("/etc/shadow")));
    }

    #[test]
    fn a_link_leads_to_its_folder_too() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (here.path().join("cert.pem"), there.path().join("cert1.pem"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let reach = Reach { read: readable(&link), ..Reach::default() };
        assert_eq!(reach.read, [here.path(), there.path()]);
        assert!(reach.reads(&link) && reach.reads(&file));
        let narrow = Reach { read: vec![here.path().to_owned()], ..Reach::default() };
        assert!(!narrow.reads(&link), "it is what it points to");
    }
}
