//! Records to memory: nothing is sent.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use control::record::ipfix::{Encoder, Outcome};
use control::record::{Record, cef, json, rfc3164, rfc5424};

use super::records;
use crate::harness::Fallible;

/// As much is written ahead of a socket.
const AHEAD: usize = 64 * 1024;

/// Records a second in each format.
pub(super) fn run(records: u64) -> Fallible<Vec<(String, f64)>> {
    let mix = records::mix();
    let (mut syslog, mut old) =
        (rfc5424::Formatter::new("fw1", 4711, None), rfc3164::Formatter::new("fw1", 4711, None, 16, 6));
    let (mut object, mut event) = (json::Formatter::new("fw1", None, 6), cef::Formatter::new("fw1", None, 16));
    // What takes longer is done less often.
    let rates = vec![
        ("RFC 5424".to_owned(), text(&mix, records, |record, out| syslog.format(record, out))),
        ("IPFIX".to_owned(), binary(&mix, records)?),
        ("JSON".to_owned(), text(&mix, records / 2, |record, out| object.format(record, out))),
        ("RFC 3164".to_owned(), text(&mix, records / 2, |record, out| old.format(record, out))),
        ("CEF".to_owned(), text(&mix, records / 4, |record, out| event.format(record, out))),
    ];
    Ok(rates)
}

fn text(mix: &[Arc<Record>], records: u64, mut write: impl FnMut(&Record, &mut Vec<u8>)) -> f64 {
    let mut out = Vec::with_capacity(2 * AHEAD);
    let begin = Instant::now();
    for record in mix.iter().cycle().take(records as usize) {
        write(record, &mut out);
        if out.len() >= AHEAD {
            black_box(&out);
            out.clear();
        }
    }
    records as f64 / begin.elapsed().as_secs_f64()
}

fn binary(mix: &[Arc<Record>], records: u64) -> Fallible<f64> {
    let mut encoder = Encoder::new(1, 8_192);
    let begin = Instant::now();
    for record in mix.iter().cycle().take(records as usize) {
        if encoder.add(record) == Outcome::Full {
            black_box(encoder.finish(1_790_000_000));
            if encoder.add(record) == Outcome::Full {
                return Err("a record has no room in a message".into());
            }
        }
    }
    Ok(records as f64 / begin.elapsed().as_secs_f64())
}
