//! Folders that are written to and addresses that are listened at.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::{Examination, Finding, Severity};

/// Of this machine only: a recorded one cannot be asked.
pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let Some(config) = examination.config.filter(|_| examination.machine.is_here()) else { return Vec::new() };
    let mut findings = Vec::new();
    if examination.running.is_none() {
        findings.push(socket(&config.socket, examination));
        let listeners = [
            ("metrics", config.metrics.as_ref().map(|metrics| metrics.listen), false),
            ("dashboard", config.dashboard.as_ref().map(|dashboard| dashboard.listen), false),
            ("receiver", config.access.receiver, true),
        ];
        for (topic, address, datagrams) in listeners {
            findings.extend(address.map(|address| listener(topic, address, datagrams)));
        }
    }
    if let Some(state) = &config.state {
        findings.push(folder("state-directory", state.path()));
    }
    findings.push(folder("audit-directory", &config.audit.folder));
    findings
}

/// Whether the management socket can be made.
fn socket(path: &Path, examination: &Examination<'_>) -> Finding {
    let shown = path.display();
    let expected = "a path that is free";
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Finding::fault("socket", format!("{shown} is no socket"), expected, format!("sudo rm {shown}"))
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => {
                let command =
                    format!("sudo fuser -v {shown}; then end that program, or another socket in [management]");
                Finding::fault("socket", format!("another program listens at {shown}"), expected, command)
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let command =
                    format!("sudo {} doctor --config {}", examination.hands.ostiary, examination.file.display());
                let seen = format!("{shown} is there, and we may not look who listens");
                Finding::fault("socket", seen, "root, or a member of its group", command)
            }
            Err(_) => Finding::fine("socket", "left over from a firewall that is gone"),
        },
        Err(_) => match folder("socket", path.parent().unwrap_or(Path::new("/"))) {
            Finding { severity: Severity::Fault, seen, expected, command, .. } => {
                Finding::fault("socket", seen, expected, command)
            }
            _ => Finding::fine("socket", "can be made"),
        },
    }
    .from(shown.to_string())
}

/// Whether a folder is there, or can be made, and has room.
fn folder(topic: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    // What is not there yet is made below what is.
    let Some(there) = path.ancestors().find(|folder| folder.exists()) else {
        return Finding::fault(topic, format!("{shown} cannot be made"), "a folder", format!("sudo mkdir -p {shown}"));
    };
    let finding = if !there.is_dir() {
        let seen = format!("{} is no folder", there.display());
        Finding::fault(topic, seen, "a folder", format!("ls -ld {}", there.display()))
    } else if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let command = format!("sudo install -d -o \"$(id -un)\" -m 700 {shown}");
        Finding::fault(topic, format!("{} cannot be written to", there.display()), "a folder of ours", command)
    } else {
        let free = statvfs(there).map_or(u64::MAX, |system| system.f_bavail.saturating_mul(system.f_frsize));
        if free < LEAST_FREE {
            let seen = format!("{} MiB are free", free >> 20);
            Finding::warning(topic, seen, "1 GiB and more", format!("df -h {}", there.display()))
        } else {
            let made = if there == path { "" } else { ", will be made" };
            Finding::fine(topic, format!("{} MiB free{made}", free >> 20))
        }
    };
    finding.from(shown.to_string())
}

/// What records of a busy hour may take.
const LEAST_FREE: u64 = 1 << 30;

/// Whether an address can be listened at.
fn listener(topic: &'static str, address: SocketAddr, datagrams: bool) -> Finding {
    let tried = if datagrams { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) };
    let Err(error) = tried else { return Finding::fine(topic, format!("{address} is free")) };
    let seen = format!("{address}: {error}");
    let letter = if datagrams { 'u' } else { 't' };
    match error.kind() {
        ErrorKind::AddrInUse => {
            let command =
                format!("sudo ss -ln{letter}p 'sport = :{}'; then end that program, or another port", address.port());
            Finding::fault(topic, seen, "a port that nothing else has", command)
        }
        ErrorKind::PermissionDenied => {
            Finding::fault(topic, seen, "root, or a port above 1023", "in the policy file: listen")
        }
        _ => Finding::fault(topic, seen, "an address of this machine", "ip -brief address"),
    }
}
