//! Spools that are killed, full, old, rotten, shrunk and left behind: what comes out, and that it adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dataplane::time::Nanos;
use proptest::prelude::*;

use super::record::tests::payload;
use super::store::Store;
use super::{Form, News, RunRow, Spool, SpoolLoss, Spooler, leftovers, segment};
use crate::export::{Cause, Format, Payload, SpoolLimits};
use crate::record::{BootId, Class};

const TEXT: Form = Form { format: Format::Syslog, schema: 2 };

/// Of tests whose records happened a second after the epoch.
const NOW: Nanos = Nanos(1_000_000_000);

fn limits(octets: u64) -> SpoolLimits {
    SpoolLimits { octets, age: Duration::from_secs(60), share: 50, sync: vec![Class::Access], drop_new: false }
}

/// Where a sync costs nothing: these tests ask for thousands.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// For what is read by the clock of the machine.
fn ageless() -> SpoolLimits {
    SpoolLimits { age: Duration::MAX, ..limits(1 << 20) }
}

/// A spool as the host sees it: what it was told, and what follows from that.
struct Bench {
    folder: PathBuf,
    limits: SpoolLimits,
    store: Store,
    /// What should be on disk and owed, by class.
    spooled: BTreeMap<Class, u64>,
    lost: Vec<SpoolLoss>,
    /// Handed out and not acknowledged: ordinal and number.
    flying: Vec<(u64, u64)>,
    acknowledged: BTreeSet<u64>,
}

impl Bench {
    fn new(folder: &Path, limits: SpoolLimits) -> Self {
        let (store, recovered) = Store::open(folder, TEXT, BootId(1), limits.clone(), NOW).unwrap();
        let mut bench = Self {
            folder: folder.to_owned(),
            limits,
            store,
            spooled: recovered.into_iter().collect(),
            lost: Vec::new(),
            flying: Vec::new(),
            acknowledged: BTreeSet::new(),
        };
        bench.count_losses();
        bench
    }

    /// The process is killed, and starts again.
    fn killed(&mut self) {
        let Self { folder, limits, lost, acknowledged, .. } = self;
        let (lost, acknowledged) = (std::mem::take(lost), std::mem::take(acknowledged));
        let next = Self::new(&folder.clone(), limits.clone());
        *self = Self { lost: [lost, next.lost].concat(), acknowledged, ..next };
    }

    fn write(&mut self, numbers: std::ops::Range<u64>) -> usize {
        let appended = self.store.append(numbers.map(payload).collect(), NOW);
        for (class, count) in appended.records {
            *self.spooled.entry(class).or_default() += count;
        }
        self.count_losses();
        appended.refused.map_or(0, |(batch, _)| batch.len())
    }

    fn count_losses(&mut self) {
        for loss in self.store.losses.drain(..) {
            let spooled = self.spooled.get_mut(&loss.class).unwrap();
            *spooled = spooled.checked_sub(loss.count).expect("no more is lost than there was");
            self.lost.push(loss);
        }
    }

    fn read(&mut self, octets: usize) -> Vec<u64> {
        let read = self.store.read(octets);
        self.count_losses();
        let numbers = read.iter().map(|(_, payload)| payload.sequence).collect();
        self.flying.extend(read.into_iter().map(|(ordinal, payload)| (ordinal, payload.sequence)));
        numbers
    }

    /// So many of what was handed out are acknowledged.
    fn done(&mut self, count: usize) {
        for (ordinal, number) in self.flying.drain(..count.min(self.flying.len())).collect::<Vec<_>>() {
            *self.spooled.get_mut(&payload(number).class).unwrap() -= 1;
            assert!(self.acknowledged.insert(number), "{number} is acknowledged once");
            self.store.acknowledge(ordinal + 1);
        }
        self.count_losses();
    }

    fn rewind(&mut self) {
        self.flying.clear();
        self.store.rewind();
        self.count_losses();
    }

    fn lost(&self) -> u64 {
        self.lost.iter().map(|loss| loss.count).sum()
    }

    /// What is left is handed out and acknowledged; then nothing is left at all.
    fn drain(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let read = self.read(10_000);
            if read.is_empty() {
                break;
            }
            numbers.extend(read);
        }
        self.done(usize::MAX);
        assert!(self.spooled.values().all(|count| *count == 0), "{:?}", self.spooled);
        assert_eq!(self.store.size().records, 0);
        self.store.keep_house(NOW);
        self.store.keep_house(NOW);
        assert_eq!((self.files(), self.store.octets()), (0, 0));
        numbers
    }

    fn files(&self) -> usize {
        segment::ordinals(&self.folder).unwrap().len()
    }
}

#[test]
fn what_was_written_is_there_after_a_kill_three_times_over() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(1 << 20));
    for round in 0..3 {
        assert_eq!(bench.write(round * 100..round * 100 + 50), 0);
        bench.killed();
        assert_eq!(bench.write(round * 100 + 50..round * 100 + 100), 0);
        assert_eq!(bench.read(1_000)[0], round * 100);
        bench.killed();
        assert_eq!(bench.drain(), (round * 100..round * 100 + 100).collect::<Vec<_>>());
    }
    assert_eq!(bench.lost(), 0);
    bench.killed();
    assert_eq!(bench.store.next, 300, "no ordinal is used twice");
}

#[test]
fn what_is_acknowledged_is_not_sent_again() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(1 << 20));
    bench.write(0..100);
    bench.read(usize::MAX);
    bench.done(40);
    bench.rewind();
    assert_eq!(bench.read(1)[0], 40);
    bench.store.keep_house(NOW);
    bench.killed();
    assert_eq!(bench.store.size().records, 60);
    assert_eq!(bench.drain(), (40..100).collect::<Vec<_>>());
    // Without the mark, all of a file that is there is sent again.
    bench.write(100..110);
    bench.read(usize::MAX);
    bench.done(5);
    bench.store.keep_house(NOW);
    fs::write(folder.path().join("done"), "torn").unwrap();
    bench.acknowledged.clear();
    bench.killed();
    assert_eq!((bench.drain(), bench.lost()), ((100..110).collect::<Vec<_>>(), 0));
}

#[test]
fn a_full_spool_gives_up_its_oldest_files_and_says_exactly_which_records() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(8_000));
    for batch in 0..100 {
        assert_eq!(bench.write(batch * 10..batch * 10 + 10), 0);
        assert!(bench.store.octets() <= 8_000 && bench.files() <= 9);
    }
    let lost = bench.lost();
    assert!(lost > 800 && bench.lost.iter().all(|loss| loss.cause == Cause::SpoolFull && loss.boot == BootId(7)));
    let left = bench.drain();
    assert_eq!(left, (lost..1_000).collect::<Vec<_>>());
    for class in Class::ALL {
        let of_class = || bench.lost.iter().filter(|loss| loss.class == class);
        let numbers: Vec<u64> = (0..lost).filter(|number| payload(*number).class == class).collect();
        assert_eq!(of_class().map(|loss| loss.count).sum::<u64>(), numbers.len() as u64);
        assert_eq!(of_class().map(|loss| loss.sequences.0).min(), numbers.first().copied());
        assert_eq!(of_class().map(|loss| loss.sequences.1).max(), numbers.last().copied());
    }
}

#[test]
fn a_full_spool_that_keeps_its_oldest_gives_new_records_back() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), SpoolLimits { drop_new: true, ..limits(8_000) });
    let refused = bench.write(0..1_000) as u64;
    assert!(refused > 800);
    assert_eq!((bench.drain(), bench.lost()), ((0..1_000 - refused).collect::<Vec<_>>(), 0));
    assert_eq!(bench.write(1_000..1_010), 0, "there is room again");
}

#[test]
fn what_is_too_old_is_given_up_by_whole_files() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), SpoolLimits { age: Duration::from_nanos(100), ..limits(8_000) });
    // Record n happened at 1,000 + n.
    bench.write(0..40);
    let (files, late) = (bench.files(), Nanos(1_000 + 130));
    bench.store.keep_house(late);
    bench.count_losses();
    assert!(bench.files() < files && bench.lost.iter().all(|loss| loss.cause == Cause::SpoolAge));
    let lost = bench.lost();
    assert!((1..=30).contains(&lost), "of a file with a record that is not too old, none is given up: {lost}");
    bench.store.keep_house(Nanos(5_000));
    bench.count_losses();
    assert_eq!((bench.lost(), bench.files()), (40, 0));
    bench.write(40..41);
    assert_eq!(bench.drain(), [40]);
}

#[test]
fn a_smaller_spool_drops_its_oldest_files() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(64_000));
    bench.write(0..500);
    bench.limits = limits(16_000);
    bench.killed();
    let lost = bench.lost();
    assert!(lost > 0 && bench.store.octets() <= 16_000);
    assert_eq!(bench.drain(), (lost..500).collect::<Vec<_>>());
    // And a larger one takes it up from there.
    bench.limits = limits(64_000);
    bench.killed();
    assert_eq!(bench.write(500..900), 0);
    assert_eq!(bench.drain(), (500..900).collect::<Vec<_>>());
}

/// Each octet of a spool flipped once: at start, and while it runs.
#[test]
fn each_octet_that_rots_costs_one_record_that_is_counted() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(1 << 20));
    bench.write(10..22);
    let path = folder.path().join(segment::name(0));
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for running in [false, true] {
            let again = memory();
            let path = again.path().join(segment::name(0));
            let mut bench = Bench::new(again.path(), limits(1 << 20));
            bench.write(10..22);
            let mut octets = good.clone();
            octets[at] ^= 0xFF;
            fs::write(&path, octets).unwrap();
            if !running {
                bench.killed();
            }
            let hit = u64::from(at >= segment::HEADER);
            let left = bench.drain();
            assert_eq!((left.len() as u64, bench.lost()), (12 - hit, hit), "octet {at}, running {running}");
            let missing: Vec<u64> = (10..22).filter(|number| !left.contains(number)).collect();
            if running && let [loss] = bench.lost.as_slice() {
                // The memory knows what was there.
                assert_eq!((loss.class, loss.sequences), (payload(missing[0]).class, (missing[0], missing[0])), "{at}");
            }
        }
    }
}

/// The power fails: what was not made sure of is cut off, or was never more than zeros, at any place.
#[test]
fn a_power_loss_costs_what_was_not_synced_and_nothing_else() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(1 << 20));
    bench.write(0..20);
    let synced = fs::metadata(folder.path().join(segment::name(0))).unwrap().len() as usize;
    bench.write(20..40);
    let good = fs::read(folder.path().join(segment::name(0))).unwrap();
    for end in (synced..good.len()).step_by(7) {
        for zeros in [false, true] {
            let again = memory();
            let path = again.path().join(segment::name(0));
            let mut octets = good.clone();
            octets.truncate(end);
            octets.resize(if zeros { good.len() } else { end }, 0);
            fs::write(&path, octets).unwrap();
            let mut bench = Bench::new(again.path(), limits(1 << 20));
            let next = bench.store.next;
            assert!(bench.lost() <= u64::from(zeros), "at most the one that is half there");
            // What comes next has a file of its own, and nothing is missing between the two at the next start.
            bench.write(100..110);
            bench.killed();
            let (left, lost) = (bench.drain(), bench.lost());
            assert!(left.starts_with(&(0..20).collect::<Vec<_>>()) && left.ends_with(&(100..110).collect::<Vec<_>>()));
            assert!(left.len() as u64 + lost >= next + 10 && lost <= 2 * u64::from(zeros), "{end} {lost}");
        }
    }
}

#[test]
fn a_disk_that_refuses_gives_the_batch_back_and_takes_the_next() {
    let folder = memory();
    let within = folder.path().join("within");
    fs::create_dir(&within).unwrap();
    let mut bench = Bench::new(&within, limits(1 << 20));
    fs::remove_dir_all(&within).unwrap();
    assert_eq!(bench.write(0..10), 10);
    assert!(bench.store.size().records == 0);
    fs::create_dir(&within).unwrap();
    assert_eq!(bench.write(0..10), 0);
    assert_eq!((bench.drain(), bench.lost()), ((0..10).collect::<Vec<_>>(), 0));
}

#[test]
fn a_file_that_someone_removed_is_counted() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(8_000));
    bench.write(0..60);
    let ordinals = segment::ordinals(folder.path()).unwrap();
    for (removed, running) in [(ordinals[0], false), (ordinals[2], true)] {
        fs::remove_file(folder.path().join(segment::name(removed))).unwrap();
        if !running {
            bench.killed();
        }
    }
    let left = bench.drain();
    let gone = ordinals[1] + ordinals[3] - ordinals[2];
    assert_eq!((bench.lost(), left.len() as u64), (gone, 60 - gone));
}

/// What is on its way when its file has to go is owed until it is acknowledged, whatever rotted behind it.
#[test]
fn rot_behind_what_is_on_its_way_acknowledges_nothing() {
    let folder = memory();
    let mut bench = Bench::new(folder.path(), limits(8_000));
    bench.write(0..10);
    assert_eq!(bench.read(10_000).len(), 10);
    let mut next = 10;
    while bench.store.replay.flying() < 10 {
        bench.write(next..next + 10);
        next += 10;
    }
    // The first record that is left rots, and is passed over.
    let first = bench.store.segments.iter().find(|segment| segment.first >= bench.store.replay.floor()).unwrap();
    let path = first.path(folder.path());
    let mut octets = fs::read(&path).unwrap();
    octets[segment::HEADER + 5] ^= 0x41;
    fs::write(&path, octets).unwrap();
    bench.read(1);
    bench.done(1);
    bench.done(1);
    bench.rewind();
    bench.drain();
    assert_eq!(bench.lost() + bench.acknowledged.len() as u64, next);
}

#[derive(Clone, Debug)]
enum Act {
    Write(u64),
    Read(usize),
    Done(usize),
    Rewind,
    House,
    Killed,
    /// An octet of a file that was not handed out yet rots.
    Rot(usize, usize),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens in whatever order: each record that was written is acknowledged, lost and counted, or comes out at
    /// the end; none is lost that was acknowledged.
    #[test]
    fn nothing_is_unaccounted_for(
        octets in 3_000..30_000_u64,
        acts in prop::collection::vec(prop_oneof![
            4 => (1..60_u64).prop_map(Act::Write),
            3 => (0..3_000_usize).prop_map(Act::Read),
            3 => (0..30_usize).prop_map(Act::Done),
            1 => Just(Act::Rewind),
            1 => Just(Act::House),
            1 => Just(Act::Killed),
            1 => (any::<usize>(), any::<usize>()).prop_map(|(file, octet)| Act::Rot(file, octet)),
        ], 1..60),
    ) {
        let folder = memory();
        let mut bench = Bench::new(folder.path(), limits(octets));
        let (mut next, mut written, mut killed) = (0, 0_u64, false);
        // Each kill begins a life of its own: what was recovered is owed again.
        let mut acknowledged = 0_u64;
        for act in acts {
            match act {
                Act::Write(count) => {
                    let refused = bench.write(next..next + count) as u64;
                    prop_assert_eq!(refused, 0);
                    (next, written) = (next + count, written + count);
                }
                Act::Read(octets) => {
                    let before = bench.flying.last().map(|(ordinal, _)| *ordinal);
                    bench.read(octets);
                    let ordinals: Vec<u64> = bench.flying.iter().map(|(ordinal, _)| *ordinal).collect();
                    prop_assert!(ordinals.is_sorted() && before <= ordinals.last().copied());
                }
                Act::Done(count) => bench.done(count),
                Act::Rewind => bench.rewind(),
                Act::House => {
                    bench.store.keep_house(NOW);
                    bench.count_losses();
                }
                Act::Killed => {
                    acknowledged += bench.acknowledged.len() as u64;
                    // What was acknowledged since the mark was written comes again. What was on its way when its file
                    // had to go is nowhere.
                    bench.acknowledged.clear();
                    written -= bench.store.replay.flying() as u64;
                    bench.killed();
                    killed = true;
                }
                Act::Rot(file, octet) => {
                    let handed = bench.store.replay.handed();
                    let files: Vec<PathBuf> = bench.store.segments.iter()
                        .filter(|segment| segment.first >= handed).map(|segment| segment.path(folder.path())).collect();
                    if !files.is_empty() {
                        let path = &files[file % files.len()];
                        let mut octets = fs::read(path).unwrap();
                        let at = octet % octets.len();
                        octets[at] ^= 0x20;
                        fs::write(path, octets).unwrap();
                    }
                }
            }
            let owed: u64 = bench.spooled.values().sum();
            prop_assert!(bench.store.octets() <= octets);
            if !killed {
                prop_assert_eq!(written, owed + bench.lost() + bench.acknowledged.len() as u64);
            }
        }
        bench.rewind();
        let left = bench.drain();
        prop_assert!(left.is_sorted_by(|one, next| one < next));
        let all = acknowledged + bench.acknowledged.len() as u64 + bench.lost();
        prop_assert!(if killed { all >= written } else { all == written }, "{} of {}", all, written);
    }
}

/// The thread's side, as the host uses it.
fn start(folder: &Path) -> (Spooler, Spool) {
    let spooler = Spooler::start(folder, BootId(1)).unwrap();
    let spool = spooler.open(&"siem".into(), TEXT, &ageless()).unwrap();
    (spooler, spool)
}

/// The next news of which `wanted` makes something; what else there is, is thrown away.
fn wait<T>(spool: &mut Spool, mut wanted: impl FnMut(News) -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = spool.news().and_then(&mut wanted) {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the thread has nothing to tell");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read(news: News) -> Option<Vec<(u64, Payload)>> {
    if let News::Read(read) = news { Some(read) } else { None }
}

fn numbers(read: &[(u64, Payload)]) -> Vec<u64> {
    read.iter().map(|(_, payload)| payload.sequence).collect()
}

#[test]
fn the_thread_writes_reads_and_recovers() {
    let folder = memory();
    let (spooler, mut spool) = start(folder.path());
    assert!(wait(&mut spool, |news| if let News::Recovered(found) = news { Some(found) } else { None }).is_empty());
    spool.want(1 << 20);
    spool.write((0..10).map(payload).collect()).unwrap();
    let records = wait(&mut spool, |news| if let News::Written { records } = news { Some(records) } else { None });
    let each = |at| (Class::ALL[at], if at < 10 % Class::ALL.len() { 2 } else { 1 });
    assert_eq!(records, std::array::from_fn::<_, { Class::ALL.len() }, _>(each));
    let first = wait(&mut spool, read);
    assert_eq!(numbers(&first), (0..10).collect::<Vec<_>>());
    spool.done(first[3].0);
    // What is read before a rewind is not what is asked for after it.
    spool.write((10..20).map(payload).collect()).unwrap();
    spool.want(1 << 20);
    assert!(spool.sync(Instant::now() + Duration::from_secs(60)));
    spool.rewind();
    spool.want(1 << 20);
    assert_eq!(numbers(&wait(&mut spool, read)), (4..20).collect::<Vec<_>>());
    assert!(Spooler::start(folder.path(), BootId(2)).unwrap_err().to_string().contains("in use by process"));
    drop(spool);
    drop(spooler);

    let (_spooler, mut spool) = start(folder.path());
    let found = wait(&mut spool, |news| if let News::Recovered(found) = news { Some(found) } else { None });
    assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), 16);
    spool.want(1 << 20);
    let rest = wait(&mut spool, read);
    assert_eq!(numbers(&rest), (4..20).collect::<Vec<_>>());
    spool.done(rest[15].0);
    let begin = Instant::now();
    while spool.size() != Default::default() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", spool.size());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn batches_wait_up_to_a_bound_and_a_refusal_pauses() {
    let folder = memory();
    let (spooler, mut spool) = start(folder.path());
    let large = |number| Payload { octets: vec![b'x'; 60_000].into(), ..payload(number) };
    let refused = (0..1_000).find_map(|batch| spool.write((0..40).map(|at| large(batch * 40 + at)).collect()).err());
    assert_eq!(refused.map(|batch| batch.len()), Some(40), "a thousand times 2.4 MB is more than may wait");
    assert!(spool.sync(Instant::now() + Duration::from_secs(60)));
    fs::remove_dir_all(folder.path().join("siem")).unwrap();
    spool.write((0..40).map(large).collect()).unwrap();
    let given_back = wait(&mut spool, |news| if let News::Refused { batch, .. } = news { Some(batch) } else { None });
    assert!(!given_back.is_empty() && spool.is_busy());
    assert_eq!(spool.write(vec![payload(1)]).unwrap_err(), [payload(1)]);
    drop(spooler);
    assert!(!spool.sync(Instant::now() + Duration::from_secs(60)));
}

#[test]
fn what_no_host_sends_any_more_is_reported_and_kept() {
    let folder = memory();
    let (spooler, mut spool) = start(folder.path());
    spool.write((0..10).map(payload).collect()).unwrap();
    assert!(spool.sync(Instant::now() + Duration::from_secs(60)));
    let ipfix = Form { format: Format::Binary, schema: 2 };
    let empty = spooler.open(&"gone".into(), ipfix, &limits(1 << 20)).unwrap();
    assert_eq!(leftovers(folder.path(), &[("siem".into(), TEXT)]), []);
    // Text is text, in whatever format; binary is something else.
    assert_eq!(leftovers(folder.path(), &[("siem".into(), Form { format: Format::Json, schema: 1 })]), []);
    for known in [vec![], vec![("siem".into(), ipfix)]] {
        let found = leftovers(folder.path(), &known);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].host, &*found[0].form, found[0].records), ("siem", "text", 10));
        assert!(found[0].octets > 0 && found[0].oldest.is_some());
    }
    drop((spool, empty, spooler));
    // The host comes back.
    let (_spooler, mut spool) = start(folder.path());
    spool.want(usize::MAX);
    assert_eq!(numbers(&wait(&mut spool, read)), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_spool_of_a_later_version_is_not_touched() {
    let folder = memory();
    let (spooler, mut spool) = start(folder.path());
    spool.write((0..10).map(payload).collect()).unwrap();
    assert!(spool.sync(Instant::now() + Duration::from_secs(60)));
    drop(spool);
    let path = folder.path().join("siem/text").join(segment::name(0));
    let mut octets = fs::read(&path).unwrap();
    octets[9] = 2;
    let sum = crc32c::crc32c(&octets[..60]);
    octets[60..64].copy_from_slice(&sum.to_be_bytes());
    fs::write(&path, &octets).unwrap();
    let refused = spooler.open(&"siem".into(), TEXT, &limits(1 << 20)).unwrap_err().to_string();
    assert!(refused.contains("later version"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), octets);
}

#[test]
fn what_is_in_memory_only_is_told_after_a_kill() {
    let folder = memory();
    let row = RunRow { host: "siem".into(), class: Class::Im, count: 3, sequences: (4, 9) };
    let (mut spooler, _spool) = start(folder.path());
    assert_eq!(spooler.unaccounted(), None);
    let begin = Instant::now();
    while !fs::read(folder.path().join("run")).unwrap().windows(4).any(|window| window == b"siem") {
        spooler.remember(std::slice::from_ref(&row));
        assert!(begin.elapsed() < Duration::from_secs(60));
    }
    drop(spooler);
    let mut spooler = Spooler::start(folder.path(), BootId(2)).unwrap();
    let found = spooler.unaccounted().unwrap();
    assert_eq!((found.boot, &found.rows), (Some(BootId(1)), &vec![row]));
    spooler.finish();
    drop(spooler);
    assert_eq!(Spooler::start(folder.path(), BootId(4)).unwrap().unaccounted(), None);
}
