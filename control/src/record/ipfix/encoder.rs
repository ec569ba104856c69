//! Builds messages: header, template sets, data sets, and the sequence number that goes with them.

use super::element::OWN;
use super::field::{Field, Specifier};
use super::statistics::{self, Exported, NotSent};
use super::template::{AccessVersion, Template};
use super::values::write_field;
use super::{flow, type_information};
use crate::record::statics::Statics;
use crate::record::{Body, Class, Record, beginning};

/// RFC 7011, 3.1.
const HEADER: usize = 16;
/// RFC 7011, 3.3.2.
const SET_HEADER: usize = 4;
/// Of a template set and of an options template set.
const TEMPLATE_SET: u16 = 2;
const OPTIONS_TEMPLATE_SET: u16 = 3;

/// The smallest message limit: any one record, with all its texts at their longest, fits.
pub const MIN_LIMIT: usize = 1_360;

/// Encodes records of one transport session and observation domain.
#[derive(Debug)]
pub struct Encoder {
    domain: u32,
    /// Of access users' records.
    version: AccessVersion,
    /// Octets a message may have.
    limit: usize,
    /// Data records before the open message, modulo 2^32 (RFC 7011, 3.1).
    sequence: u32,
    /// Data records in the open message.
    records: u32,
    /// The open message; empty where there is none.
    message: Vec<u8>,
    /// Number and place of the open set.
    set: Option<(u16, usize)>,
    statics: Statics,
    exported: Exported,
}

/// What the open message was before something was appended.
struct Before {
    length: usize,
    set: Option<(u16, usize)>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the open message.
    Added,
    /// The open message has no room for it: finish that one first.
    Full,
}

impl Encoder {
    /// For messages of `limit` octets at most (no less than [`MIN_LIMIT`], no more than 65535) from an observation domain.
    pub fn new(domain: u32, limit: usize) -> Self {
        let limit = limit.clamp(MIN_LIMIT, usize::from(u16::MAX));
        Self {
            domain,
            version: AccessVersion::default(),
            limit,
            sequence: 0,
            records: 0,
            message: Vec::with_capacity(limit),
            set: None,
            statics: Statics::default(),
            exported: Exported::default(),
        }
    }

    /// The same, with access users' records of that version.
    #[must_use]
    pub fn with_access(self, version: AccessVersion) -> Self {
        Self { version, ..self }
    }

    /// Whether a record can be told: one of an access user may say more than the version has fields for.
    pub fn carries(&self, record: &Record) -> bool {
        match &record.body {
            Body::Access(access) if access.class() == Class::Access => self.version.carries(&access.user),
            _ => true,
        }
    }

    /// A new transport session: the sequence starts at 0 and an open message is forgotten.
    pub fn restart(&mut self) {
        self.sequence = 0;
        self.abandon();
    }

    /// Forgets the open message, none of which was sent.
    pub fn abandon(&mut self) {
        self.records = 0;
        self.message.clear();
        self.set = None;
    }

    /// Takes back `records` of the sequence: those of messages that were finished, but never left.
    pub fn rewind(&mut self, records: u32) {
        self.sequence = self.sequence.wrapping_sub(records);
    }

    /// Takes back of what [`Self::state`] tells: messages that were finished, but never left, with so many data records and
    /// octets.
    pub fn retract(&mut self, messages: u64, records: u64, octets: u64) {
        self.exported.messages -= messages;
        self.exported.records -= records;
        self.exported.octets -= octets;
    }

    /// Appends `record` to the open message, opening one where there is none.
    pub fn add(&mut self, record: &Record) -> Outcome {
        let template = Template::of(record, self.version);
        let before = self.open(template.id);
        write(&mut self.message, template, record, &mut self.statics);
        self.close(&before, template.id)
    }

    /// Appends the data record of `record` alone, without a message, and gives the number of its template.
    pub fn encode(&mut self, record: &Record, out: &mut Vec<u8>) -> u16 {
        let template = Template::of(record, self.version);
        write(out, template, record, &mut self.statics);
        template.id
    }

    /// Appends a data record that was encoded before, of the template with that number.
    pub fn add_encoded(&mut self, template: u16, octets: &[u8]) -> Outcome {
        self.append(template, |out| out.extend_from_slice(octets))
    }

    /// Closes the open message, to be sent at `time` (seconds since the epoch), and gives it and the number of data
    /// records in it; none where none is open.
    pub fn finish(&mut self, time: u32) -> Option<(&[u8], u32)> {
        self.set?;
        self.close_set();
        let length = self.message.len() as u16;
        let header = self.message.first_chunk_mut::<HEADER>()?;
        header[..2].copy_from_slice(&10_u16.to_be_bytes());
        header[2..4].copy_from_slice(&length.to_be_bytes());
        header[4..8].copy_from_slice(&time.to_be_bytes());
        header[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        header[12..].copy_from_slice(&self.domain.to_be_bytes());
        let records = std::mem::take(&mut self.records);
        self.sequence = self.sequence.wrapping_add(records);
        self.exported.messages += 1;
        self.exported.records += u64::from(records);
        self.exported.octets += u64::from(length);
        Some((&self.message, records))
    }

    /// Gives `send` the messages that a collector needs before data of these classes: type information for our own
    /// elements, then all templates; with each, the number of data records in it. The open message must be finished.
    ///
    /// In this order, because collectors bind a template's elements when it comes: libfixbuf takes an element that it
    /// does not know yet for octets, and keeps to that.
    pub fn announce(&mut self, classes: &[Class], time: u32, mut send: impl FnMut(&[u8], u32)) {
        debug_assert!(self.set.is_none());
        self.must(time, &mut send, OPTIONS_TEMPLATE_SET, |out| {
            word(out, type_information::TEMPLATE);
            word(out, type_information::FIELDS.len() as u16);
            word(out, type_information::SCOPES);
            type_information::FIELDS.iter().for_each(|specifier| write_specifier(out, *specifier));
        });
        for (id, fields) in statistics::TEMPLATES {
            self.part();
            self.must(time, &mut send, OPTIONS_TEMPLATE_SET, |out| {
                word(out, *id);
                word(out, fields.len() as u16);
                word(out, statistics::SCOPES);
                fields.iter().for_each(|specifier| write_specifier(out, *specifier));
            });
        }
        for element in OWN {
            self.must(time, &mut send, type_information::TEMPLATE, |out| type_information::write(out, element));
        }
        let version = self.version;
        let kinds = classes.iter().flat_map(|class| Template::of_class(*class, version)).copied();
        for template in kinds.chain([Template::of_losses()]) {
            let specifiers = template.fields().map(Field::specifier);
            self.must(time, &mut send, TEMPLATE_SET, |out| {
                word(out, template.id);
                word(out, specifiers.clone().count() as u16);
                specifiers.clone().for_each(|specifier| write_specifier(out, specifier));
            });
        }
        if let Some((message, records)) = self.finish(time) {
            send(message, records);
        }
    }

    /// Gives `send` a message about the export itself: what was, and what never will be sent. The open message must be
    /// finished.
    pub fn state(&mut self, not_sent: NotSent, time: u32, mut send: impl FnMut(&[u8], u32)) {
        debug_assert!(self.set.is_none());
        let (domain, exported) = (self.domain, self.exported);
        let [(exported_id, _), (not_sent_id, _)] = statistics::TEMPLATES;
        self.must(time, &mut send, *exported_id, |out| exported.write(out, domain));
        self.must(time, &mut send, *not_sent_id, |out| not_sent.write(out));
        if let Some((message, records)) = self.finish(time) {
            send(message, records);
        }
    }

    /// Appends to the open message, or to a new one.
    fn must(&mut self, time: u32, send: &mut impl FnMut(&[u8], u32), set: u16, write: impl Fn(&mut Vec<u8>)) {
        while self.append(set, &write) == Outcome::Full {
            if let Some((message, records)) = self.finish(time) {
                send(message, records);
            }
        }
    }

    /// Appends what `write` writes to a set of that number.
    fn append(&mut self, set: u16, write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
        let before = self.open(set);
        write(&mut self.message);
        self.close(&before, set)
    }

    /// The next goes into a set of its own: nfacctd, as of 1.7.7, loses its place in a set of two options templates, and with
    /// that the rest of the message.
    fn part(&mut self) {
        const NONE: u16 = 0;
        if let Some((_, start)) = self.set {
            self.close_set();
            self.set = Some((NONE, start));
        }
    }

    /// Makes a set of that number the open one.
    fn open(&mut self, set: u16) -> Before {
        if self.set.is_none() {
            // What is in there was finished.
            self.message.clear();
            self.message.resize(HEADER, 0);
        }
        let before = Before { length: self.message.len(), set: self.set };
        if before.set.is_none_or(|(id, _)| id != set) {
            self.close_set();
            self.set = Some((set, self.message.len()));
            word(&mut self.message, set);
            word(&mut self.message, 0);
        }
        before
    }

    /// Takes what was appended to the open set, of that number, unless the message is too long by that.
    fn close(&mut self, before: &Before, set: u16) -> Outcome {
        if self.message.len() > self.limit && before.length > HEADER {
            self.message.truncate(before.length);
            self.set = before.set;
            return Outcome::Full;
        }
        debug_assert!(self.message.len() <= self.limit);
        if set >= type_information::TEMPLATE {
            self.records += 1;
        }
        Outcome::Added
    }

    /// Writes the length of the open set into its header.
    fn close_set(&mut self) {
        let Some((_, start)) = self.set.take() else { return };
        let length = (self.message.len() - start) as u16;
        self.message[start + SET_HEADER - 2..start + SET_HEADER].copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a data record. Those of sessions are many, and written by hand.
fn write(out: &mut Vec<u8>, template: &Template, record: &Record, statics: &mut Statics) {
    match &record.body {
        Body::Session(session) => flow::write(out, record, session, statics),
        _ => template.fields().for_each(|field| write_field(out, field, record)),
    }
}

/// RFC 7011, 3.2.
fn write_specifier(out: &mut Vec<u8>, (enterprise, id, length): Specifier) {
    const ENTERPRISE_BIT: u16 = 0x8000;
    word(out, if enterprise.is_some() { id | ENTERPRISE_BIT } else { id });
    word(out, length);
    if let Some(number) = enterprise {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

pub(super) fn word(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn int(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Octets of variable length (RFC 7011, 7), cut at `most` (at most 255).
pub(super) fn octets(out: &mut Vec<u8>, octets: &[u8], most: usize) {
    let octets = octets.get(..most).unwrap_or(octets);
    match u8::try_from(octets.len()) {
        Ok(length) if length < u8::MAX => out.push(length),
        _ => {
            out.push(u8::MAX);
            word(out, octets.len() as u16);
        }
    }
    out.extend_from_slice(octets);
}

pub(super) fn long(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A text of variable length in the short form (RFC 7011, 7), cut at `most` (below 255) octets.
pub(super) fn variable(out: &mut Vec<u8>, text: &str, most: usize) {
    let text = beginning(text, most);
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{LossPlace, UserNote, sample};

    /// The sets of a message: number and content.
    fn sets(message: &[u8]) -> Vec<(u16, &[u8])> {
        let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
        assert_eq!((word(0), usize::from(word(2))), (10, message.len()));
        let (mut at, mut sets) = (HEADER, Vec::new());
        while at < message.len() {
            let length = usize::from(word(at + 2));
            sets.push((word(at), &message[at + SET_HEADER..at + length]));
            at += length;
        }
        assert_eq!(at, message.len());
        sets
    }

    fn sequence(message: &[u8]) -> u32 {
        u32::from_be_bytes(message[8..12].try_into().unwrap())
    }

    #[test]
    fn neighbours_of_a_kind_share_a_set_and_the_sequence_counts_data_records_only() {
        let mut encoder = Encoder::new(7, 1_400);
        let mut announced = 0;
        encoder.announce(&[Class::Session, Class::Im], 0, |message, records| {
            assert!(message.len() <= 1_400);
            assert_eq!(sequence(message), announced);
            announced += records;
        });
        assert_eq!(announced, OWN.len() as u32, "options templates are no data records");
        for record in [sample::login("1"), sample::login("2"), sample::close_v6()] {
            assert_eq!(encoder.add(&record), Outcome::Added);
        }
        let (message, records) = encoder.finish(1_000).unwrap();
        assert_eq!(records, 3);
        assert_eq!(sequence(message), announced);
        assert_eq!(message[4..8], 1_000_u32.to_be_bytes());
        assert_eq!(message[12..16], 7_u32.to_be_bytes());
        let sets = sets(message);
        assert_eq!(sets.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [266, 263]);
        assert_eq!(encoder.finish(1_000), None);
        encoder.add(&sample::login("3"));
        assert_eq!(
            encoder.finish(1_001).map(|(message, records)| (sequence(message), records)),
            Some((announced + 3, 1))
        );
        encoder.restart();
        encoder.add(&sample::login("3"));
        assert_eq!(encoder.finish(1_001).map(|(message, _)| sequence(message)), Some(0));
    }

    #[test]
    fn a_full_message_is_left_as_it_was() {
        let mut encoder = Encoder::new(0, MIN_LIMIT);
        let mut added = 0;
        let kinds = [sample::login("10001"), sample::close_v6()];
        while encoder.add(&kinds[added % 2]) == Outcome::Added {
            added += 1;
        }
        let (message, records) = encoder.finish(0).unwrap();
        assert!(message.len() <= MIN_LIMIT);
        assert_eq!((records as usize, sets(message).len()), (added, added));
    }

    #[test]
    fn the_longest_record_of_each_kind_fits_the_smallest_message() {
        let long: std::sync::Arc<str> = "x".repeat(10_000).into();
        let mut flow = sample::flow_v6();
        flow.rule = long.clone();
        flow.application = long.clone();
        flow.interfaces = (long.clone(), long.clone());
        flow.zones = (long.clone(), long.clone());
        let name = Some(long.as_bytes().into());
        flow.user = Some(std::sync::Arc::new(UserNote { name, mac: None, interface: Some(long.clone()) }));
        let mut login = sample::login(&long);
        let Body::Im(im) = &mut login.body else { panic!("a sign-on") };
        im.flow = flow.clone();
        im.signatures = long.clone();
        let loss = sample::loss(Class::Im, LossPlace::Host(long.clone()), 1);
        let mut translated = sample::flow_translated();
        (translated.rule, translated.application) = (long.clone(), long.clone());
        (translated.interfaces, translated.zones) = (flow.interfaces.clone(), flow.zones.clone());
        translated.user.clone_from(&flow.user);
        let close = [sample::close(flow.clone()), sample::close(translated)];
        let others = [sample::create(flow.clone()), sample::deny(flow.clone()), sample::attack(flow), login, loss];
        for record in close.into_iter().chain(others) {
            let mut encoder = Encoder::new(0, MIN_LIMIT);
            assert_eq!(encoder.add(&record), Outcome::Added);
            assert!(encoder.finish(0).unwrap().0.len() <= MIN_LIMIT);
        }
    }

    /// RFC 7011, 4: what was exported and what was not, in data records that count.
    #[test]
    fn the_export_states_its_own_figures() {
        let mut encoder = Encoder::new(7, 1_400);
        (0..3).for_each(|_| assert_eq!(encoder.add(&sample::close_v6()), Outcome::Added));
        let octets = encoder.finish(0).unwrap().0.len() as u64;
        let (first, last) = (sample::TIME, sample::TIME + std::time::Duration::from_secs(1));
        let mut messages = Vec::new();
        encoder.state(NotSent { records: 5, span: (first, last) }, 9, |message, records| {
            messages.push((message.to_vec(), records));
        });
        let [(message, 2)] = &messages[..] else { panic!("one message of two records: {messages:?}") };
        assert_eq!(sequence(message), 3);
        let sets = sets(message);
        assert_eq!(sets.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [257, 258]);
        let exported = [&7_u32.to_be_bytes()[..], &1_u64.to_be_bytes(), &3_u64.to_be_bytes(), &octets.to_be_bytes()];
        assert_eq!(sets[0].1, exported.concat());
        let process = std::process::id().to_be_bytes();
        let moments = [first, last].map(|time| time.millis().to_be_bytes());
        assert_eq!(sets[1].1, [&process[..], &5_u64.to_be_bytes(), &moments[0], &moments[1]].concat());
        for ((_, fields), (_, content)) in statistics::TEMPLATES.iter().zip(sets) {
            assert_eq!(fields.iter().map(|(_, _, length)| usize::from(*length)).sum::<usize>(), content.len());
        }
    }

    proptest! {
        /// Records of sessions, field by field: the slow twin.
        #[test]
        fn sessions_by_hand_agree_with_their_fields(
            kind in 0..3_usize,
            place in 0..3_usize,
            (rule, application, zone) in (".{0,200}", ".{0,100}", ".{0,100}"),
            user in prop::option::of((prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), any::<[u8; 6]>(), ".{0,90}")),
            numbers in any::<[u64; 6]>(),
            (port, svlan, cvlan, protocol) in any::<(u16, u16, u16, u8)>(),
            reason in 0..7_usize,
        ) {
            use dataplane::event::{CloseReason, SessionId, Volume};
            use dataplane::time::Nanos;
            use crate::record::{SessionAction, SessionRecord};
            let mut flow = [sample::flow_v4(), sample::flow_v6(), sample::flow_translated()][place].clone();
            (flow.rule, flow.application, flow.zones.1) = (rule.into(), application.into(), zone.into());
            flow.session = SessionId(numbers[0]);
            (flow.tuple.client.port, flow.tuple.protocol) = (port, protocol);
            (flow.tuple.svlan, flow.tuple.cvlan) = (svlan, cvlan);
            flow.user = user.map(|(name, mac, interface)| {
                let (name, interface) = (name.map(Into::into), (!interface.is_empty()).then(|| interface.into()));
                UserNote { name, mac: (mac[0] != 0).then_some(dataplane::endpoint::Mac(mac)), interface }.into()
            });
            let reasons = [
                CloseReason::Fin, CloseReason::Reset, CloseReason::Timeout, CloseReason::Policy, CloseReason::Logout,
                CloseReason::Evicted, CloseReason::Shutdown,
            ];
            let action = match kind {
                0 => SessionAction::Create,
                1 => SessionAction::Deny { packets: numbers[1], first: Nanos(numbers[2]) },
                _ => SessionAction::Close {
                    reason: reasons[reason],
                    start: Nanos(numbers[1]),
                    to_server: Volume { packets: numbers[2], octets: numbers[3] },
                    to_client: Volume { packets: numbers[4], octets: numbers[5] },
                },
            };
            let record = Record { body: Body::Session(SessionRecord { flow, action }), ..sample::close_v6() };
            let template = Template::of(&record, AccessVersion::default());
            let mut slow = Vec::new();
            template.fields().for_each(|field| write_field(&mut slow, field, &record));
            let mut encoder = Encoder::new(0, 1_400);
            for _ in 0..2 {
                let mut fast = Vec::new();
                prop_assert_eq!(encoder.encode(&record, &mut fast), template.id);
                prop_assert_eq!(&fast, &slow);
            }
            prop_assert_eq!(encoder.add(&record), Outcome::Added);
            prop_assert_eq!(&encoder.finish(0).unwrap().0[HEADER + SET_HEADER..], &slow[..]);
        }

        /// A template and the records under it agree: walking the fields of the template uses up the record exactly.
        #[test]
        fn templates_describe_their_records(account in ".{0,200}", rule in ".{0,300}", kind in 0..10_usize) {
            let mut flow = match kind {
                6 | 7 => sample::flow_translated(),
                kind if kind % 2 == 0 => sample::flow_v4(),
                _ => sample::flow_v6(),
            };
            flow.rule = rule.as_str().into();
            let record = match kind {
                0 | 1 | 7 => sample::close(flow),
                2 | 6 => sample::create(flow),
                3 => sample::deny(flow),
                4 => sample::login(&account),
                8 | 9 => sample::attack(flow),
                _ => sample::loss(Class::Im, LossPlace::Worker(3), 9),
            };
            let mut encoder = Encoder::new(0, 1_400);
            encoder.add(&record);
            let (message, _) = encoder.finish(0).unwrap();
            let (id, mut rest) = sets(message)[0];
            prop_assert_eq!(id, Template::of(&record, AccessVersion::default()).id);
            for field in Template::of(&record, AccessVersion::default()).fields() {
                let (_, _, length) = field.specifier();
                let length = if length == 0xffff {
                    let length = usize::from(rest[0]);
                    rest = &rest[1..];
                    prop_assert!(std::str::from_utf8(&rest[..length]).is_ok());
                    length
                } else {
                    usize::from(length)
                };
                rest = &rest[length..];
            }
            prop_assert!(rest.is_empty());
        }
    }
}
