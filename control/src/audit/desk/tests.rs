//! A file of the trail at work, on a disk with and without room.

use std::sync::Arc;

use super::*;
use crate::audit::live::Common;
use crate::audit::series::Series;
use crate::audit::verify::{Asked, verify};

fn desk(folder: &Path, files: u32, when_full: WhenFull) -> Desk {
    let (key, _) = crate::audit::key::of(folder, None).unwrap();
    let common = Common { key: Arc::new(key), boot: "0f".into(), group: None };
    let live = Live::open(Series::new(folder, "audit"), common, true, Nanos(1)).unwrap().0;
    let archive = Archive { files, size: 2_000, ..Archive::default() };
    let limits = Limits { archive, when_full, checkpoint: (5, Duration::from_secs(60)) };
    Desk::new(live, limits, (Instant::now(), Nanos(1)))
}

fn entry(sequence: u64) -> Entry {
    let object = format!("{{\"seq\":{sequence},\"text\":\"{}\"}}", "x".repeat(100)).into_bytes();
    Entry { class: Class::Session, sequence, time: Nanos(sequence), stands_for: None, is_checkpoint: false, object }
}

fn series(folder: &Path) -> Series {
    Series::new(folder, "audit")
}

#[test]
fn files_are_rotated_by_their_size_and_signed_as_they_grow() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(folder.path(), 100, WhenFull::OverwriteOldest);
    for sequence in 1..=40 {
        desk.take(&entry(sequence), Nanos(sequence));
        desk.put(Nanos(sequence));
        desk.turn(Instant::now(), Nanos(sequence));
    }
    let rotated = desk.told.iter().filter(|told| matches!(told, Told::Rotated(..))).count();
    let signed = desk.told.iter().filter(|told| matches!(told, Told::Checkpoint { .. })).count();
    assert_eq!(rotated, series(folder.path()).archives().unwrap().len());
    assert!(rotated >= 3 && signed >= 3, "{rotated} {signed}");
    assert_eq!(desk.end((Instant::now(), Nanos(99))), []);
    let report = verify(&series(folder.path()), &Asked::default()).unwrap();
    assert!(report.is_intact() && report.unsigned == 0, "{:?}", report.faults);
    assert_eq!((report.records, report.lost), (40, 0));
    assert_eq!(report.proven, [(1, 40)]);
}

/// No archive more than are to be: what comes then is lost, counted, and said once there is room.
#[test]
fn without_room_new_records_are_dropped_and_counted_to_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(folder.path(), 2, WhenFull::DropNew);
    for sequence in 1..=60 {
        desk.take(&entry(sequence), Nanos(sequence));
        desk.put(Nanos(sequence));
    }
    assert!(desk.stands());
    let kept = verify(&series(folder.path()), &Asked::default()).unwrap().records;
    let full = desk.told.iter().filter(|told| matches!(told, Told::Full { .. })).count();
    assert_eq!(full, 1);
    desk.turn(Instant::now(), Nanos(61));
    assert!(desk.told.contains(&Told::Space { percent: 100, of: "files" }) && desk.stands());
    assert!(!desk.told.iter().any(|told| matches!(told, Told::Lost(..))));
    // A record that tells of losses is lost itself: what it tells of counts.
    desk.take(&Entry { stands_for: Some((7, Some((3, 9)))), ..entry(61) }, Nanos(61));
    std::fs::remove_file(series(folder.path()).archive(1)).unwrap();
    desk.look(Nanos(62));
    desk.turn(Instant::now(), Nanos(62));
    assert!(!desk.stands() && desk.told.contains(&Told::Room));
    let lost = desk.told.iter().find_map(|told| match told {
        Told::Lost(Class::Session, lost) => Some(*lost),
        _ => None,
    });
    let lost = lost.unwrap();
    assert_eq!((lost.count, lost.sequences), (60 - kept + 7, (3, 60)));
    desk.take(&entry(62), Nanos(62));
    desk.end((Instant::now(), Nanos(63)));
    let report = verify(&series(folder.path()), &Asked::default()).unwrap();
    assert!(report.is_intact(), "{:?}", report.faults);
    assert_eq!(report.lost, 60 - kept + 7, "the signed lines say it too");
}

/// A run that was killed left records without a signature: they count for the next.
#[test]
fn what_a_killed_run_left_unsigned_is_signed_with_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    for sequence in 1..=2 {
        let mut desk = desk(folder.path(), 5, WhenFull::OverwriteOldest);
        for at in 0..3 {
            desk.take(&entry(sequence * 3 + at), Nanos(sequence));
        }
        desk.put(Nanos(sequence));
        desk.turn(Instant::now(), Nanos(sequence));
        let signed = desk.told.iter().any(|told| matches!(told, Told::Checkpoint { .. }));
        assert_eq!(signed, sequence == 2, "after five, in whichever run");
    }
}

#[test]
fn the_interval_begins_a_file_if_anything_came() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(folder.path(), 5, WhenFull::OverwriteOldest);
    let hour = Duration::from_secs(3600);
    let archive =
        Archive { start: jiff::Timestamp::from_second(1_800).ok(), interval: Some(hour), ..Archive::default() };
    for (now, next) in [(0, 1_800), (1_800, 5_400), (1_801, 5_400), (5_399, 5_400), (10_000, 12_600)] {
        assert_eq!(next_turn(&archive, Nanos::from_parts(now, 0)), Some(Nanos::from_parts(next, 0)), "{now}");
    }
    desk.limits.archive = archive;
    desk.turn = Some(Nanos::from_parts(1_800, 0));
    desk.turn(Instant::now(), Nanos::from_parts(1_801, 0));
    assert_eq!(series(folder.path()).archives().unwrap().len(), 0, "nothing had come");
    desk.take(&entry(1), Nanos(1));
    desk.put(Nanos(1));
    desk.turn(Instant::now(), Nanos::from_parts(5_401, 0));
    assert_eq!(series(folder.path()).archives().unwrap().len(), 1);
}
