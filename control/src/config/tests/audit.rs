//! `[audit]` and its files.

use std::path::Path;
use std::time::Duration;

use super::{compiled, refused};
use crate::audit::{Mode, Selector, Site, Sync, TRAIL, WhenFull};
use crate::record::Class;

#[test]
fn without_a_word_there_is_the_trail() {
    let audit = compiled("").audit;
    assert_eq!(audit.folder, Path::new("/var/lib/ostiary/audit"));
    assert_eq!((audit.files.len(), &*audit.files[0].name), (1, TRAIL));
    let state = compiled("[system]\nstate-directory = \"/var/lib/fw\"\n").audit;
    assert_eq!(state.folder, Path::new("/var/lib/fw/audit"));
}

#[test]
fn every_key_is_taken() {
    let all = compiled(
        r#"
        [audit]
        mode = "stream"
        directory = "/srv/trail"
        when-full = "drop-new"
        sync = "2 s"
        checkpoint-records = 50
        checkpoint-interval = "10 s"
        group = 995
        syslog-socket = "/run/ostiary/log"
        [audit.sftp]
        identity = "/k"
        known-hosts = "/h"
        program = "/usr/bin/sftp"
        [[audit.file]]
        name = "audit"
        archive = { files = 3, size = "1 MiB", compress = false, sites = ["sftp://a@b:24/c"] }
        [[audit.file]]
        name = "grave"
        select = ["any/warning", "im", "session.notice"]
        archive = { start-time = "2026-12-01T00:00:00Z", transfer-interval = "1 h" }
        "#,
    );
    assert_eq!(all.syslog_socket.as_deref(), Some(Path::new("/run/ostiary/log")));
    let audit = all.audit;
    assert_eq!(
        (audit.mode, audit.when_full, audit.sync),
        (Mode::Stream, WhenFull::DropNew, Sync::Every(Duration::from_secs(2)))
    );
    assert_eq!((audit.checkpoint, audit.group), ((50, Duration::from_secs(10)), Some(995)));
    assert_eq!(audit.folder, Path::new("/srv/trail"));
    assert_eq!(audit.sftp.identity.as_deref(), Some(Path::new("/k")));
    assert_eq!(audit.sftp.known_hosts.as_deref(), Some(Path::new("/h")));
    assert_eq!(audit.sftp.program, Path::new("/usr/bin/sftp"));
    let [trail, grave] = &audit.files[..] else { panic!("{:?}", audit.files) };
    let archive = &trail.archive;
    assert_eq!((archive.files, archive.size, archive.compress), (3, 1 << 20, false));
    assert_eq!(archive.sites, [Site::parse("sftp://a@b:24/c").unwrap()]);
    let select = |class, severity| Selector { class, severity };
    assert_eq!(grave.select, [select(None, 4), select(Some(Class::Im), 7), select(Some(Class::Session), 5)]);
    assert_eq!(grave.archive.interval, Some(Duration::from_secs(3600)));
    assert!(grave.archive.start.is_some());
}

#[test]
fn what_cannot_be_is_refused() {
    let file = |keys: &str| format!("[[audit.file]]\n{keys}\n");
    refused("[audit]\nmode = \"off\"\n", 2, "audit.mode", "event", "");
    refused("[audit]\ndirectory = \"trail\"\n", 2, "audit.directory", "absolute", "");
    let select = file("name = \"x\"\nselect = [\"sessions/info\"]");
    refused(&select, 3, "audit.file[x].select", "CLASS/SEVERITY", "session");
    let size = file("name = \"x\"\nselect = [\"any\"]\narchive = { size = \"1 KiB\" }");
    refused(&size, 4, "audit.file[x].archive.size", "64 KiB", "");
    let site = file("name = \"audit\"\narchive = { sites = [\"ftp://a@b\"] }");
    refused(&site, 3, "audit.file[audit].archive.sites", "sftp://USER@HOST", "password");
    let trail = file("name = \"audit\"\nselect = [\"any\"]");
    refused(&trail, 3, "audit.file[audit].select", "nothing", "leave select out");
    refused("[audit]\nwhen-full = \"stop\"\n", 2, "audit.when-full", "refuse-traffic", "");
}
