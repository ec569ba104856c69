//! scratch
use arrayvec::ArrayVec;
use control::record::ImAction;
use dataplane::event::{self, SessionChange, WorkerId};
use dataplane::pipeline::*;
use dataplane::policy::*;
use dataplane::time::Nanos;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::*;
use std::io::Write;
use std::sync::Arc;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let db = control::signatures::shipped();
    let compiled = control::config::replay_default(Arc::clone(&db));
    let policy = Arc::new(Policy::compile(compiled.policy.clone()));
    let (tx, rx) = event::channel(WorkerId(0), 1 << 16, 1 << 16);
    let d = &compiled.dataplane;
    let mut p = Pipeline::new(
        Settings {
            worker: WorkerId(0),
            max_sessions: 100_000,
            inspection_slots: 20_000,
            fragment_slots: 1000,
            timeouts: Timeouts::default(),
            wires: d.wires.clone(),
            midstream: Midstream::Permit,
            verify_checksums: false,
        },
        policy,
        Arc::clone(&db),
        tx,
    );
    let mut presence = control::presence::im::Presence::new(Arc::clone(&db), 100_000);
    let f = std::fs::File::open(&path).unwrap();
    let mut r = create_reader(1 << 20, f).unwrap();
    let mut link = Linktype(1);
    let mut res = (6u64, 1_000_000u64);
    let mut out = std::io::stdout().lock();
    let mut last = Nanos(0);
    let mut n = 0u64;
    let mut say = |ts: Vec<control::presence::im::Transition>, out: &mut dyn Write| {
        for t in ts {
            let (a, r) = match t.action {
                ImAction::Login => ("login", ""),
                ImAction::Logout => ("logout", ""),
                ImAction::Seen => ("seen", ""),
                ImAction::Result { .. } => ("result", "fail"),
            };
            let acct = if t.account.is_empty() { "null".to_string() } else { format!("\"{}\"", t.account) };
            writeln!(out, "{{\"event\":\"signon\",\"application\":\"{}\",\"action\":\"{a}\",\"result\":\"{r}\",\"reason\":\"{}\",\"account\":{acct},\"client\":\"{}\",\"server\":\"{}\"}}", db.name(t.context.sign_on.application), t.reason.text(), t.context.tuple.client.socket(), t.context.tuple.server.socket()).unwrap();
        }
    };
    loop {
        let (off, pkt): (usize, Option<(Nanos, Vec<u8>, u32)>) = match r.next() {
            Ok((off, b)) => {
                let v = match b {
                    PcapBlockOwned::LegacyHeader(h) => {
                        link = h.network;
                        if h.is_nanosecond_precision() {
                            res.1 = 1_000_000_000
                        }
                        None
                    }
                    PcapBlockOwned::Legacy(b) => Some((
                        Nanos(b.ts_sec as u64 * 1_000_000_000 + b.ts_usec as u64 * (1_000_000_000 / res.1)),
                        b.data.to_vec(),
                        b.origlen,
                    )),
                    PcapBlockOwned::NG(Block::InterfaceDescription(i)) => {
                        link = i.linktype;
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(e)) => {
                        let (s, fr) = e.decode_ts(0, 1_000_000);
                        Some((Nanos(s as u64 * 1_000_000_000 + fr as u64 * 1000), e.data.to_vec(), e.origlen))
                    }
                    PcapBlockOwned::NG(_) => None,
                };
                (off, v)
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                if r.refill().is_err() {
                    break;
                };
                if r.reader_exhausted() {
                    break;
                }
                continue;
            }
            Err(_) => break,
        };
        if let Some((t, mut data, len)) = pkt {
            n += 1;
            last = last.max(t);
            let mut len = len;
            match link.0 {
                1 => {}
                101 | 12 | 228 | 229 => {
                    let et: [u8; 2] = if data.first().is_some_and(|b| b >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
                    let mut v = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, et[0], et[1]];
                    v.extend(data);
                    data = v;
                    len += 14
                }
                113 => {
                    let mut v = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
                    v.extend(&data[14.min(data.len())..]);
                    data = v;
                }
                _ => {
                    r.consume(off);
                    continue;
                }
            }
            say(presence.advance(last), &mut out);
            let mut verdicts = ArrayVec::<_, BURST>::new();
            p.process(last, &[Frame { port: PortId(0), bytes: &data, length: len }], &mut verdicts);
            p.replies().for_each(drop);
            if n % 64 == 0 {
                p.turn(last);
            }
            while let Some(e) = rx.session() {
                if let SessionChange::Application(c) = e.change {
                    writeln!(out, "{{\"event\":\"application\",\"application\":\"{}\",\"client\":\"{}\",\"server\":\"{}\",\"confidence\":\"{}\"}}", db.name(e.application), e.tuple.client.socket(), e.tuple.server.socket(), control::record::confidence_text(c)).unwrap();
                }
            }
            while let Some(e) = rx.sign_on() {
                if std::env::var("RAW").is_ok() {
                    eprintln!("{n} {:?} {:?} {}", e.sign_on.sighting, e.tuple.client.socket(), e.sign_on.account);
                }
                say(presence.observe(&e), &mut out);
            }
        }
        r.consume(off);
    }
    say(presence.finish(), &mut out);
    eprintln!("{} {:?}", n, p.counters().read().iter().filter(|c| c.1 > 0).collect::<Vec<_>>());
}
