use tempfile::TempDir;

use super::*;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.policy(), "a = 0\n").unwrap();
        fs::set_permissions(place.policy(), fs::Permissions::from_mode(0o640)).unwrap();
        place
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    fn open(&self) -> (ConfigStore, Opened) {
        let text = fs::read_to_string(self.policy()).unwrap();
        ConfigStore::open(&self.folder.path().join("config"), &self.policy(), &text, 50, 7).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.policy()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in [self.folder.path().to_owned(), self.folder.path().join("config/generations")] {
            names.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        }
        names.sort();
        names
    }
}

fn commit(store: &mut ConfigStore, text: &str) -> u32 {
    let meta = store.meta(text, 9, Author::system(), Cause::Commit);
    let number = store.write(&Generation { meta, text: text.to_owned() }).unwrap();
    assert_eq!(store.publish(number).unwrap(), None);
    number
}

#[test]
fn the_first_start_makes_a_generation_of_the_file() {
    let place = Place::new();
    let (_, opened) = place.open();
    assert_eq!((opened.head, opened.adopted), (1, Some(None)));
    // And the next one knows it.
    let (store, opened) = place.open();
    assert_eq!((opened.head, opened.adopted, opened.unfinished), (1, None, vec![]));
    assert_eq!(store.read(1).unwrap().text, "a = 0\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.folder.path().join("config/generations")), 0o700);
    assert_eq!(mode(&store.file(1, false)), 0o600);
}

#[test]
fn a_commit_is_in_the_file_with_its_mode_and_the_one_before_can_be_had_back() {
    let place = Place::new();
    let (mut store, _) = place.open();
    assert_eq!(commit(&mut store, "a = 1\n"), 2);
    assert_eq!(commit(&mut store, "a = 2\n"), 3);
    assert_eq!(place.text(), "a = 2\n");
    assert_eq!(fs::metadata(place.policy()).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!((store.before(0), store.before(1), store.before(2), store.before(3)), (Some(3), Some(2), Some(1), None));
    let back = store.read(2).unwrap();
    assert_eq!(commit(&mut store, &back.text), 4);
    // Equal texts: the newest is the one in force.
    assert_eq!(place.open().1.head, 4);
}

#[test]
fn fifty_are_kept() {
    let place = Place::new();
    let (mut store, _) = place.open();
    for at in 0..70 {
        commit(&mut store, &format!("b = {at}\n"));
    }
    assert_eq!(store.list().len(), 50);
    let (store, _) = place.open();
    assert_eq!((store.list().len(), store.head()), (50, 71));
    assert!(store.read(21).is_err() && store.read(22).is_ok());
}

#[test]
fn what_was_edited_by_hand_is_kept_beside() {
    let place = Place::new();
    let (mut store, _) = place.open();
    commit(&mut store, "a = 1\n");
    assert!(!store.is_edited());
    fs::write(place.policy(), "a = 99\n").unwrap();
    assert!(store.is_edited());
    let edited = store.publish(1).unwrap().unwrap();
    assert_eq!((fs::read_to_string(&edited).unwrap().as_str(), place.text().as_str()), ("a = 99\n", "a = 0\n"));
    assert_eq!(edited, fs::canonicalize(place.folder.path()).unwrap().join("policy.toml.edited"));
    // Edited while nobody looked: a generation of its own.
    fs::write(place.policy(), "a = 98\n").unwrap();
    let (_, opened) = place.open();
    assert_eq!((opened.head, opened.adopted), (3, Some(Some(2))));
}

#[test]
fn a_link_stays_a_link() {
    let place = Place::new();
    let link = place.folder.path().join("link.toml");
    std::os::unix::fs::symlink(place.policy(), &link).unwrap();
    let (mut store, _) = ConfigStore::open(&place.folder.path().join("config"), &link, "a = 0\n", 50, 7).unwrap();
    commit(&mut store, "a = 1\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(place.text(), "a = 1\n");
}

#[test]
fn candidate_and_rescue_are_kept() {
    let place = Place::new();
    let (mut store, _) = place.open();
    assert_eq!(store.candidate().unwrap(), None);
    let candidate = Candidate { text: "c = 1\n".into(), base: 1, by: Author::system(), time: 3 };
    store.set_candidate(Some(&candidate)).unwrap();
    store.set_rescue(1).unwrap();
    let (mut store, _) = place.open();
    assert_eq!(store.candidate().unwrap(), Some(candidate));
    assert_eq!(store.rescue().unwrap().unwrap().text, "a = 0\n");
    store.set_candidate(None).unwrap();
    assert_eq!(store.candidate().unwrap(), None);
}

#[test]
fn damage_is_named_and_the_rest_is_there() {
    let place = Place::new();
    let (mut store, _) = place.open();
    commit(&mut store, "a = 1\n");
    commit(&mut store, "a = 2\n");
    let path = store.file(2, false);
    let mut octets = fs::read(&path).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    fs::write(&path, octets).unwrap();
    let (store, opened) = place.open();
    assert_eq!((opened.damaged.len(), opened.head, store.list().len()), (1, 3, 2));
}

/// Everything that a commit does on disk, from the generation to the file.
fn steps(store: &ConfigStore, text: &str) -> Vec<Step> {
    let meta = store.meta(text, 9, Author::system(), Cause::Commit);
    let generation = Generation { meta, text: text.to_owned() };
    let mut steps = store.whole(&store.file(generation.meta.number, false), generation.encode());
    steps.extend(store.publication(&generation).unwrap().0);
    steps.push(Step::Remove(store.folder.join(CANDIDATE)));
    steps
}

#[test]
fn a_crash_behind_any_step_leaves_the_old_or_the_new_whole() {
    let count = {
        let place = Place::new();
        let (store, _) = place.open();
        steps(&store, "a = 1\n").len()
    };
    assert_eq!(count, 7);
    for torn in [false, true] {
        for done in 0..=count {
            let place = Place::new();
            let (mut store, _) = place.open();
            commit(&mut store, "a = 1\n");
            let steps = steps(&store, "a = 2\n");
            steps[..done].iter().for_each(|step| step.run().unwrap());
            // The next one may have been done in part.
            if let (true, Some(Step::Write { path, octets, .. })) = (torn, steps.get(done)) {
                fs::write(path, &octets[..octets.len() / 2]).unwrap();
            }
            drop(store);
            let text = place.text();
            let published = done >= 5;
            assert_eq!(text, if published { "a = 2\n" } else { "a = 1\n" }, "{done} steps, torn {torn}");
            let (mut store, opened) = place.open();
            assert_eq!(opened.head, if published { 3 } else { 2 });
            assert_eq!((opened.adopted, opened.damaged.len()), (None, 0));
            // It is told once that it was not finished.
            assert_eq!(opened.unfinished, if (2..5).contains(&done) { vec![3] } else { vec![] });
            assert!(place.open().1.unfinished.is_empty());
            // And it goes on.
            let next = commit(&mut store, "a = 3\n");
            assert_eq!((place.text().as_str(), place.open().1.head), ("a = 3\n", next));
            assert!(!place.names().iter().any(|name| name.ends_with(NEW)), "{:?}", place.names());
        }
    }
}

#[test]
fn a_commit_that_was_not_confirmed_is_told_at_the_next_start() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let meta = store.meta("a = 1\n", 9, Author::system(), Cause::Commit);
    let number = store.write(&Generation { meta, text: "a = 1\n".into() }).unwrap();
    let pending = Pending { number, until: 100, by: Author::system() };
    store.set_pending(Some(&pending)).unwrap();
    let (store, opened) = place.open();
    assert_eq!((opened.head, opened.unconfirmed, opened.unfinished), (1, Some(pending), vec![2]));
    assert!(store.list()[0].reverted && store.list()[1].head);
    assert_eq!(store.before(0), Some(1));
    assert_eq!(place.open().1.unconfirmed, None);
}

#[test]
fn what_is_set_for_a_time_is_there_again_until_it_has_passed() {
    let place = Place::new();
    let (mut store, opened) = place.open();
    assert_eq!((opened.scheduled, opened.missed), (None, None));
    let scheduled = |at, text: &str| {
        let comment = Some("in the night".to_owned());
        Scheduled { at, by: Author::system(), comment, text: text.to_owned() }
    };
    // These stores are opened at 7.
    let ahead = scheduled(8, "a = 1\n");
    store.set_scheduled(Some(&ahead)).unwrap();
    let (mut store, opened) = place.open();
    assert_eq!((opened.scheduled, opened.missed), (Some(ahead), None));
    let passed = scheduled(7, "a = 1\n");
    store.set_scheduled(Some(&passed)).unwrap();
    let (mut store, opened) = place.open();
    assert_eq!((opened.scheduled, opened.missed), (None, Some(passed)));
    assert_eq!(store.scheduled().unwrap(), None);
    // One that was carried out before it was noted so was not missed.
    store.set_scheduled(Some(&scheduled(7, "a = 0\n"))).unwrap();
    let (_, opened) = place.open();
    assert_eq!((opened.scheduled, opened.missed), (None, None));
}
