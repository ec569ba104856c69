//! How long a silent entry stays, by protocol and state: looked up for every packet, so a table of it.

use std::time::Duration;

use super::Timeouts;
use crate::flow::{Patience, Record, State};
use crate::wire::protocol;

/// How long TCP waits after a FIN from one side only.
const HALF_CLOSED: Duration = Duration::from_secs(120);
/// How long a denied flow is remembered after its last packet.
const DENIED: Duration = Duration::from_secs(30);

/// By state, for UDP, ICMP and all others. TCP's states are its own, so it needs no row.
#[derive(Debug)]
pub(super) struct Lifetimes([[Patience; STATES]; 3]);

/// Room for the states, and a power of two.
const STATES: usize = 16;

impl Lifetimes {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        let row = |one_way: Duration, picked: Duration, both_ways: Duration| {
            let mut row = [Patience::from(timeouts.other); STATES];
            for state in State::ALL {
                row[state as usize] = Patience::from(match state {
                    State::OneWay => one_way,
                    State::BothWays => both_ways,
                    State::Picked => picked,
                    State::SynSent | State::SynReceived => timeouts.tcp_opening,
                    State::Established => timeouts.tcp_established,
                    State::HalfClosed => HALF_CLOSED.min(timeouts.tcp_established),
                    State::Doubted | State::Closing | State::Closed => timeouts.tcp_closing,
                    State::Denied => DENIED,
                });
            }
            row
        };
        Self([
            row(timeouts.udp, timeouts.udp, timeouts.udp_stream),
            row(timeouts.icmp, timeouts.icmp, timeouts.icmp),
            row(timeouts.other, timeouts.tcp_opening, timeouts.other),
        ])
    }

    /// How long an entry stays after its last packet.
    #[inline]
    pub(super) fn of(&self, record: &Record) -> Patience {
        let row = match record.protocol() {
            protocol::UDP => 0,
            protocol::ICMP | protocol::ICMPV6 => 1,
            _ => 2,
        };
        self.0[row][record.state() as usize % STATES]
    }
}
