//! Files as log hosts: rotation under load, and troubles that pass.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use control::export::{FileSync, FileTarget, Format, HostConfig, Target, Transport};
use control::record::Class;
use export_lab::{Rig, create, flow_v4, flow_v6};

const RECORDS: u64 = 20_000;

fn host(path: PathBuf, format: Format) -> HostConfig {
    let transport = Transport::File(FileTarget { path, rotate: 256 * 1024, keep: 500, sync: FileSync::Off });
    let host = HostConfig::new("archive", Target::None, transport, vec![(Class::Session, format)]);
    HostConfig { queue: 100_000, backoff: (Duration::from_millis(20), Duration::from_millis(100)), ..host }
}

/// What is kept of a file, oldest first.
fn kept(path: &Path) -> Vec<Vec<u8>> {
    let older = (1..).map(|number| PathBuf::from(format!("{}.{number}", path.display())));
    let older: Vec<_> = older.take_while(|path| path.exists()).collect();
    older.iter().rev().chain([&path.to_owned()]).map(|path| fs::read(path).unwrap()).collect()
}

fn push(rig: &mut Rig, records: std::ops::RangeInclusive<u64>) {
    for sequence in records {
        rig.push(&create(sequence, if sequence % 2 == 0 { flow_v4() } else { flow_v6() }));
        if sequence % 256 == 0 {
            rig.turn();
        }
    }
}

fn stop(mut rig: Rig) {
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    let counts = rig.counts("archive", Class::Session);
    assert_eq!((counts.acknowledged, counts.queued, counts.dropped()), (RECORDS, 0, 0));
}

#[test]
fn l10_file_exporter_rotates_without_losing_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.json");
    let mut rig = Rig::new(vec![host(path.clone(), Format::Json)]);
    push(&mut rig, 1..=RECORDS);
    stop(rig);
    let files = kept(&path);
    assert!(files.len() > 10, "{} files", files.len());
    let mut sequences = Vec::new();
    for file in &files {
        assert!(file.ends_with(b"\n") && file.len() <= 256 * 1024);
        for line in std::str::from_utf8(file).unwrap().lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&object["schema"], &object["action"]), (&3.into(), &"create".into()));
            sequences.push(object["seq"].as_u64().unwrap());
        }
    }
    assert_eq!(sequences, (1..=RECORDS).collect::<Vec<_>>());
}

#[test]
fn each_ipfix_file_stands_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.ipfix");
    let mut rig = Rig::new(vec![host(path.clone(), Format::Binary)]);
    push(&mut rig, 1..=RECORDS);
    stop(rig);
    let files = kept(&path);
    assert!(files.len() > 5, "{} files", files.len());
    let mut sequences = BTreeSet::new();
    for file in &files {
        let (mut at, mut counted) = (0, 0_u32);
        assert_eq!(file[16..18], [0, 3], "options templates come first");
        while at < file.len() {
            let word = |at: usize| usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
            let (end, mut set) = (at + word(at + 2), at + 16);
            assert_eq!((word(at), u32::from_be_bytes(file[at + 8..at + 12].try_into().unwrap())), (10, counted));
            while set < end {
                let next = set + word(set + 2);
                match word(set) {
                    2 | 3 => {}
                    256 => counted += type_information(&file[set + 4..next]),
                    260 | 261 => {
                        let mut record = set + 4;
                        while record < next {
                            sequences.insert(u64::from_be_bytes(file[record + 16..record + 24].try_into().unwrap()));
                            record = end_of_create(file, record, word(set) == 260);
                            counted += 1;
                        }
                    }
                    other => panic!("a set of {other}"),
                }
                set = next;
            }
            at = end;
        }
    }
    assert_eq!(sequences, (1..=RECORDS).collect());
}

/// Records of RFC 5610 in a set: 26 octets and two texts each.
fn type_information(mut rest: &[u8]) -> u32 {
    let mut records = 0;
    while !rest.is_empty() {
        rest = &rest[26..];
        for _ in 0..2 {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        records += 1;
    }
    records
}

/// Templates 260 and 261: time, boot, sequence, session; addresses, ports, protocol and VLANs; six texts; the user; the event.
fn end_of_create(file: &[u8], record: usize, is_v4: bool) -> usize {
    let text = |at: usize| at + 1 + usize::from(file[at]);
    let texts = record + 32 + if is_v4 { 8 } else { 32 } + 11;
    let user = (0..6).fold(texts, |at, _| text(at));
    text(text(user) + 6) + 17
}

#[test]
fn a_folder_that_is_not_there_yet_costs_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("records.log");
    let mut rig = Rig::new(vec![host(path.clone(), Format::Syslog)]);
    push(&mut rig, 1..=RECORDS / 2);
    rig.until("the trouble", |rig| rig.status("archive").last_error.is_some_and(|text| text.contains("cannot write")));
    fs::create_dir(folder.path().join("later")).unwrap();
    push(&mut rig, RECORDS / 2 + 1..=RECORDS);
    stop(rig);
    let sequences: Vec<u64> = kept(&path)
        .iter()
        .flat_map(|file| std::str::from_utf8(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| export_lab::parameter(&line, "seq").unwrap().parse().unwrap())
        .collect();
    assert_eq!(sequences, (1..=RECORDS).collect::<Vec<_>>());
}
