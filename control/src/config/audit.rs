//! `[audit]`: the files that are kept on this machine, each with what goes into it. The trail itself is always kept.

use super::document::{Located, Notes};
use super::groups;
use super::schema::Source;
use super::schema::audit::{self as written, File};
use crate::audit::{Archive, FOLDER, FileConfig, Site, StoreConfig, TRAIL};

/// The severities of RFC 5424, table 2, from 0 on.
pub(crate) const SEVERITIES: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/// Files at most, the trail among them.
const FILES: usize = 31;

/// The files of the machine that runs it; their folder is below that of what is kept over a restart, unless it is named.
pub(super) fn compile(source: &Source, notes: &mut Notes) -> StoreConfig {
    let written = &source.audit;
    let state = source.system.state.as_ref().map(|state| state.value.join(TRAIL));
    let folder = written.directory.clone().or(state).unwrap_or_else(|| FOLDER.into());
    let mut config = StoreConfig::new(folder);
    (config.mode, config.when_full, config.sync) = (written.mode, written.when_full, written.sync);
    config.checkpoint.0 = written.checkpoint_records.unwrap_or(config.checkpoint.0);
    config.checkpoint.1 = written.checkpoint_interval.unwrap_or(config.checkpoint.1);
    let sftp = &written.sftp;
    config.sftp.identity.clone_from(&sftp.identity);
    config.sftp.known_hosts.clone_from(&sftp.known_hosts);
    if let Some(program) = &sftp.program {
        config.sftp.program.clone_from(program);
    }
    for file in &written.files {
        add(&mut config, file, notes);
    }
    config
}

/// The number of the group that may read, which is asked of this machine.
pub(super) fn group(source: &Source, notes: &mut Notes) -> Option<u32> {
    source.audit.group.as_ref().and_then(|group| groups::resolve(group, notes))
}

fn add(config: &mut StoreConfig, file: &File, notes: &mut Notes) {
    let Some(name) = &file.name else { return };
    let archive = archive_of(&file.archive, notes);
    if name.value == TRAIL {
        if let Some(select) = &file.select {
            let advice = "leave select out: what the trail has is not a matter of configuration";
            notes.fault(&select.place, None, "nothing: the file \"audit\" has all records of class audit", advice);
        }
        config.files[0].archive = archive;
    } else if config.files.iter().any(|other| *other.name == *name.value) {
        notes.fault(&name.place, Some(name.value.clone()), "a name that no other file has", "choose another");
    } else if config.files.len() == FILES {
        notes.fault(&name.place, None, format!("at most {FILES} files"), "join some of them");
    } else if let Some(select) = &file.select {
        let select = select.value.iter().map(|selector| selector.value).collect();
        config.files.push(FileConfig { name: name.value.as_str().into(), select, archive });
    } else {
        let advice = "write select = [\"any/notice\"], for example";
        notes.fault(&name.place, None, "select: which records go into the file", advice);
    }
}

fn archive_of(written: &written::Archive, notes: &mut Notes) -> Archive {
    let default = Archive::default();
    if let (Some(start), None) = (&written.start, &written.interval) {
        notes.fault(&start.place, None, "transfer-interval beside it", "say how often files are closed after that");
    }
    Archive {
        files: written.files.unwrap_or(default.files),
        size: written.size.unwrap_or(default.size),
        compress: written.compress.unwrap_or(default.compress),
        start: written.start.as_ref().map(|start| start.value),
        interval: written.interval.as_ref().map(|interval| interval.value),
        sites: written.sites.iter().filter_map(|site| read_site(site, notes)).collect(),
    }
}

fn read_site(site: &Located<String>, notes: &mut Notes) -> Option<Site> {
    let read = Site::parse(&site.value);
    if read.is_none() {
        let advice = "write it like \"sftp://backup@archive.example.net:22/ostiary\"; a password has no place in it";
        notes.fault(&site.place, Some(site.value.clone()), "sftp://USER@HOST[:PORT][/FOLDER]", advice);
    }
    read
}
