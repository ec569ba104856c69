//! The engine with the signatures that are shipped, segment by segment.

use std::path::Path;

use proptest::prelude::*;
use sigdb::Confidence;

use super::*;

fn database() -> Arc<Database> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sigdb/signatures");
    Arc::new(sigdb::compile_folder(&folder).unwrap())
}

/// What a flow of `protocol` to `server_port` shows, as words; and the engine's last word.
struct Flow {
    engine: Inspector,
    id: InspectionId,
    sequence: [u32; 2],
    shown: Vec<String>,
    last: Progress,
}

impl Flow {
    fn new(protocol: u8, server_port: u16, from_start: bool) -> Self {
        let mut engine = Inspector::new(database(), 4);
        let start = FlowStart { protocol, server_port, from_start, resolved: None };
        let id = engine.begin(start).unwrap();
        let mut flow = Self { engine, id, sequence: [1000, 2000], shown: Vec::new(), last: Progress::Continue };
        if protocol == 6 && from_start {
            for direction in [Direction::ToServer, Direction::ToClient] {
                flow.segment(direction, &[], true);
            }
        }
        flow
    }

    fn segment(&mut self, direction: Direction, payload: &[u8], syn: bool) {
        let side = usize::from(direction == Direction::ToClient);
        let mut findings = Findings::new();
        let acknowledgment = Some(self.sequence[1 - side]);
        let segment = Segment { direction, sequence: self.sequence[side], syn, acknowledgment, payload };
        if self.last == Progress::Continue
            && let Ok(shown) = self.engine.inspect(self.id, Nanos(1), segment, &mut findings)
        {
            self.last = shown.progress;
        }
        self.sequence[side] = self.sequence[side].wrapping_add(payload.len() as u32 + u32::from(syn));
        self.note(&findings);
    }

    fn client(&mut self, payload: &[u8]) -> &mut Self {
        self.segment(Direction::ToServer, payload, false);
        self
    }

    fn server(&mut self, payload: &[u8]) -> &mut Self {
        self.segment(Direction::ToClient, payload, false);
        self
    }

    fn end(&mut self) -> &[String] {
        let mut findings = Findings::new();
        self.engine.end(self.id, &mut findings);
        self.note(&findings);
        assert_eq!(self.engine.in_use(), (0, 0), "a slot or a buffer was not given back");
        &self.shown
    }

    fn note(&mut self, findings: &Findings) {
        for finding in findings {
            self.shown.push(match finding {
                Finding::Application(application, confidence) => {
                    let sure = if *confidence == Confidence::Certain { "" } else { "?" };
                    format!("{}{sure}", self.engine.databases.newest().unwrap().name(*application))
                }
                Finding::SignOn(sign_on) => format!("{:?} {}", sign_on.sighting, sign_on.account),
                Finding::Resolved(resolved) => format!("{resolved:?}"),
            });
        }
    }
}

pub(crate) fn msf(kind: u32, encryption: u8, from_client: bool, body: usize) -> Vec<u8> {
    let mut record = kind.to_be_bytes().to_vec();
    record.push(encryption);
    if from_client {
        record.extend(20u32.to_be_bytes());
        record.extend([0x77; 16]);
    }
    record.push(0);
    record.extend(9u32.to_be_bytes());
    record.extend(b"20001");
    record.extend(std::iter::repeat_n(0x5a, body));
    let mut whole = (record.len() as u32 + 4).to_be_bytes().to_vec();
    whole.extend(record);
    whole
}

const MSF_LOGIN: &[&str] = &["qq", "Attempt 20001", "Login 20001", "Closed 20001"];

#[test]
fn a_login_over_msf_with_a_record_longer_than_the_window() {
    let mut flow = Flow::new(6, 8080, true);
    flow.client(&msf(0x0a, 2, true, 30)).server(&msf(0x0a, 2, false, 9000));
    flow.client(&msf(0x0a, 1, true, 30)).server(&msf(0x0b, 1, false, 60));
    assert_eq!(flow.end(), MSF_LOGIN);
}

proptest! {
    #[test]
    fn a_login_reads_the_same_however_it_is_cut(cuts in prop::collection::vec(1usize..60, 1..20)) {
        let mut flow = Flow::new(6, 8080, true);
        let turns = [
            (Direction::ToServer, msf(0x0a, 2, true, 30)),
            (Direction::ToClient, msf(0x0a, 2, false, 500)),
            (Direction::ToServer, msf(0x0a, 1, true, 30)),
            (Direction::ToClient, msf(0x0b, 1, false, 60)),
        ];
        let mut cuts = cuts.iter().cycle();
        for (direction, octets) in &turns {
            let mut rest = &octets[..];
            while !rest.is_empty() {
                let (segment, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                flow.segment(*direction, segment, false);
                rest = behind;
            }
        }
        prop_assert_eq!(flow.end(), MSF_LOGIN);
    }

    #[test]
    fn any_octets_whatever_do_no_harm(
        tcp in any::<bool>(),
        port in prop::sample::select(vec![8000u16, 8080, 443, 80, 14000]),
        from_start in any::<bool>(),
        segments in prop::collection::vec((any::<bool>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..300)), 0..60),
    ) {
        let mut flow = Flow::new(if tcp { 6 } else { 17 }, port, from_start);
        for (from_client, jump, octets) in &segments {
            let direction = if *from_client { Direction::ToServer } else { Direction::ToClient };
            flow.sequence[usize::from(!from_client)] = 1000u32.wrapping_add(u32::from(*jump));
            flow.segment(direction, octets, jump % 97 == 0);
        }
        flow.end();
    }
}

#[test]
fn a_flow_that_is_nothing_is_given_up_and_its_slot_given_back() {
    let mut flow = Flow::new(6, 22, true);
    flow.client(b"0 of nobody\r\n").server(b"0 of nobody\r\n");
    assert_eq!(flow.last, Progress::GaveUp);
    assert!(flow.end().is_empty());
    let mut flow = Flow::new(17, 53, true);
    for _ in 0..20 {
        flow.client(b"\x12\x34\x01\x00\x00\x01");
    }
    assert_eq!(flow.last, Progress::GaveUp);
}

#[test]
fn a_web_client_is_named_and_needs_no_more() {
    let name = b"web.wechat.com";
    let mut hello = vec![3, 3];
    hello.extend([1; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let n = name.len() as u16;
    hello.extend((n + 9).to_be_bytes());
    for length in [0, n + 5, n + 3] {
        hello.extend(length.to_be_bytes());
    }
    hello.push(0);
    hello.extend(n.to_be_bytes());
    hello.extend(name);
    let mut record = vec![0x16, 3, 1];
    record.extend((hello.len() as u16 + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend((hello.len() as u16).to_be_bytes());
    record.extend(hello);
    let mut flow = Flow::new(6, 443, true);
    flow.client(&record);
    assert_eq!(flow.last, Progress::Finished);
    assert_eq!(flow.end(), ["wechat"]);
}

#[test]
fn a_full_pool_turns_flows_away() {
    let mut engine = Inspector::new(database(), 1);
    let start = FlowStart { protocol: 17, server_port: 8000, from_start: true, resolved: None };
    let first = engine.begin(start).unwrap();
    assert_eq!(engine.begin(start), None);
    engine.end(first, &mut Findings::new());
    assert!(engine.begin(start).is_some());
    assert_eq!(engine.begin(FlowStart { protocol: 1, ..start }), None);
}

#[test]
fn what_one_segment_shows_beyond_measure_is_counted() {
    let mut flow = Flow::new(6, 8000, true);
    let mut segment = Vec::new();
    for account in 20_001u32..20_013 {
        let mut packet = vec![0x02, 0x3b, 0x29, 0x00, 0x62, 0, 1];
        packet.extend(account.to_be_bytes());
        packet.extend([2, 0, 0, 0, 1, 1, 1, 0, 0, 0x6a, 0x84]);
        packet.extend([0x5a; 24]);
        packet.push(3);
        segment.extend((packet.len() as u16 + 2).to_be_bytes());
        segment.extend(packet);
    }
    flow.client(&segment);
    assert_eq!((flow.shown.len(), flow.shown[0].as_str(), flow.shown[7].as_str()), (8, "qq", "Logout 20007"));
    assert_eq!((flow.engine.take_lost(), flow.engine.take_lost()), (5, 0));
}

#[test]
fn an_unknown_slot_is_harmless() {
    let mut engine = Inspector::new(database(), 1);
    let direction = Direction::ToServer;
    let segment = Segment { direction, sequence: 0, syn: false, acknowledgment: None, payload: b"x" };
    let shown = engine.inspect(InspectionId(7), Nanos(0), segment, &mut Findings::new()).unwrap();
    assert_eq!((shown.progress, shown.released), (Progress::GaveUp, true));
    engine.end(InspectionId(7), &mut Findings::new());
}
