//! The trail as the control core has it, with its threads.

use super::*;
use crate::audit::Selector;
use crate::audit::verify::{Asked, verify};
use crate::record::sample;

fn config(folder: &std::path::Path) -> StoreConfig {
    let mut config = StoreConfig::new(folder.to_owned());
    let select = vec![Selector { class: None, severity: 7 }];
    config.files.push(FileConfig { name: "all".into(), select, archive: crate::audit::Archive::default() });
    config
}

fn start(config: StoreConfig) -> Store {
    Store::start(config, "fw1", BootId(5), || Nanos::from_parts(1_772_352_930, 0)).unwrap()
}

fn classes(folder: &std::path::Path, file: &str) -> Vec<String> {
    let mut classes = Vec::new();
    reader::search(&Series::new(folder, file), &Query::default(), |line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["severity"].as_u64().is_some_and(|severity| severity <= 7), "{line}");
        classes.push(value["event"].as_str().unwrap().to_owned());
        true
    })
    .unwrap();
    classes
}

/// Every sample record there is, of every class, and nothing in the trail but its own.
#[test]
fn every_class_is_stored_where_it_is_selected() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(config(folder.path()));
    let records = sample::all();
    records.iter().for_each(|record| store.push(&Arc::new(record.clone())));
    assert!(store.stop(Instant::now() + Duration::from_secs(60)).is_empty());
    assert_eq!(classes(folder.path(), "all").len(), records.len());
    let own = records.iter().filter(|record| record.body.class() == Class::Audit).count();
    let stored = classes(folder.path(), TRAIL);
    assert!(own > 0 && stored.len() == own, "{stored:?}");
    for file in [TRAIL, "all"] {
        let report = verify(&Series::new(folder.path(), file), &Asked::default()).unwrap();
        assert!(report.is_intact() && report.unsigned == 0, "{file}: {:?}", report.faults);
    }
}

#[test]
fn in_stream_mode_sessions_are_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(StoreConfig { mode: Mode::Stream, ..config(folder.path()) });
    let records = sample::all();
    records.iter().for_each(|record| store.push(&Arc::new(record.clone())));
    let sessions = records.iter().filter(|record| record.body.class() == Class::Session).count();
    assert_eq!(store.forwarded(), sessions as u64);
    store.stop(Instant::now() + Duration::from_secs(60));
    assert_eq!(classes(folder.path(), "all").len(), records.len() - sessions);
}

/// The slow twin: by the words of the documentation, one by one.
#[test]
fn selectors_take_that_severity_and_graver() {
    for class in Class::ALL.into_iter().map(Some).chain([None]) {
        for severity in 0..=7 {
            let select = vec![Selector { class, severity }];
            let file = FileConfig { name: "x".into(), select, archive: crate::audit::Archive::default() };
            for other in Class::ALL {
                for record in 0..=7 {
                    let graver = (0..=severity).any(|taken| taken == record);
                    let taken = match class {
                        Some(class) => class == other && graver,
                        None => graver,
                    };
                    assert_eq!(file.selects(other, record), taken);
                }
            }
        }
    }
    assert!(FileConfig { select: Vec::new(), ..FileConfig::trail() }.selects(Class::Audit, 7), "not stoppable");
}

#[test]
fn what_became_of_a_record_is_known_once_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(config(folder.path()));
    let record = sample::all().into_iter().find(|record| record.body.class() == Class::Audit).unwrap();
    let sequence = record.sequence;
    store.push(&Arc::new(record));
    assert_eq!(store.fate(sequence..=sequence), None, "it was not even handed over");
    store.turn();
    let until = Instant::now() + Duration::from_secs(60);
    while store.fate(sequence..=sequence).is_none() {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(store.fate(sequence..=sequence), Some(Ok(())));
    assert!(matches!(Store::open(config(folder.path()), "fw1", BootId(6), || Nanos(1)), Err(StoreError::InUse(_))));
}

/// More than there is room for between core and thread, which never gets to work: counted, and not a record less.
#[test]
fn what_does_not_fit_is_counted_and_the_trail_has_places_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(config(folder.path()));
    let of = |class| {
        let found = sample::all().into_iter().find(|record| record.body.class() == class).unwrap();
        Arc::new(found)
    };
    let (session, audit) = (of(Class::Session), of(Class::Audit));
    (0..QUEUE).for_each(|_| store.push(&session));
    assert_eq!(store.lost.values().map(|lost| lost.count).sum::<u64>(), RESERVED as u64);
    (0..RESERVED).for_each(|_| store.push(&audit));
    assert_eq!(store.lost.len(), 1, "the trail had its own places");
    store.push(&audit);
    assert_eq!(store.lost.len(), 3, "of both files");
    let left = store.stop(Instant::now() + Duration::from_secs(120));
    let of = |class| left.iter().filter(|loss| loss.class == class).map(|loss| loss.count).sum::<u64>();
    assert_eq!((of(Class::Session), of(Class::Audit)), (RESERVED as u64, 2));
}
