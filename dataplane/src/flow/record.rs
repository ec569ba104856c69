//! The hot part of an entry: one cache line with everything that a packet of an established flow reads or writes.

use sigdb::AppId;

use super::clock::{Patience, Present, Tick};
use super::key::{End, FAMILY_4, FAMILY_6, FlowKey, Realm};
use super::tcp::TcpTrack;
use crate::endpoint::Direction;
use crate::policy::RuleId;

/// Where a flow is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Not TCP: seen in one direction.
    #[default]
    OneWay,
    /// Not TCP: seen in both.
    BothWays,
    /// TCP: SYN from the client.
    SynSent,
    /// TCP: SYN-ACK, or SYN from both.
    SynReceived,
    /// TCP: picked up in its middle, seen in one direction. UDP: picked up by an answer, no question seen yet.
    Picked,
    /// TCP: the handshake is complete.
    Established,
    /// TCP: a RST came that lies within the window, but not where it is due; the next valid segment refutes it.
    Doubted,
    /// TCP: FIN from one side.
    HalfClosed,
    /// TCP: FIN from both, not all acknowledged.
    Closing,
    /// TCP: over; the entry stays for what is still on its way.
    Closed,
    /// Judged anew and denied: the entry stays so that its packets are not let through again.
    Denied,
}

impl State {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::OneWay,
        Self::BothWays,
        Self::SynSent,
        Self::SynReceived,
        Self::Picked,
        Self::Established,
        Self::Doubted,
        Self::HalfClosed,
        Self::Closing,
        Self::Closed,
        Self::Denied,
    ];

    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::BothWays => "both-ways",
            Self::SynSent | Self::SynReceived => "opening",
            Self::Picked | Self::Established | Self::Doubted => "established",
            Self::HalfClosed | Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Denied => "denied",
        }
    }

    /// Whether a session is open; otherwise the entry only lingers.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Denied)
    }
}

/// In which order entries give way when the table is full, the first first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// No session any more.
    Over,
    /// TCP before its handshake is complete.
    HalfOpen,
    /// Seen in one direction only.
    #[default]
    OneWay,
    /// Seen in both.
    BothWays,
    /// A user signed on over it.
    SignedOn,
}

impl Class {
    /// All, the first to give way first.
    pub(super) const ALL: [Self; 5] = [Self::Over, Self::HalfOpen, Self::OneWay, Self::BothWays, Self::SignedOn];

    /// Whether an answer is waited for that would show the flow to be one.
    pub const fn waits(self) -> bool {
        matches!(self, Self::HalfOpen | Self::OneWay)
    }
}

/// What is known of a flow besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// The client is the key's higher end.
    pub const CLIENT_IS_HIGH: Self = Self(1);
    /// The client's side is the second port of the wire.
    pub const CLIENT_ON_SECOND: Self = Self(1 << 1);
    /// The rule that applies logs sessions.
    pub const LOGGED: Self = Self(1 << 2);
    /// A create event was sent.
    pub const CREATE_SENT: Self = Self(1 << 3);
    /// The rule that applies wants the flow inspected.
    pub const INSPECT: Self = Self(1 << 4);
    /// The rule was applied before the application was known.
    pub const TENTATIVE: Self = Self(1 << 5);
    /// A user signed on over it.
    pub const SIGNED_ON: Self = Self(1 << 6);
    /// TCP: its first SYN was seen.
    pub const FROM_START: Self = Self(1 << 7);
    /// UDP: its datagrams may tell of access users. The same bit as [`Self::FROM_START`], which is TCP's alone.
    pub const WATCHED: Self = Self(1 << 7);

    /// Whether a flag is set.
    pub const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// Sets or clears a flag.
    pub const fn set(&mut self, flag: Self, on: bool) {
        if on {
            self.0 |= flag.0;
        } else {
            self.0 &= !flag.0;
        }
    }
}

/// The hot part of an entry.
///
/// What is rarely needed is the table's to tell: the session, when it began, what IPv6 addresses have more than 32 bits,
/// and the upper part of the counts.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Record {
    /// As [`FlowKey`] has them.
    pair: u64,
    ports: u64,
    /// Protocol and family as the key has them, and the lesser properties: see the constants.
    kind: u16,
    /// The rule that applies.
    pub rule: RuleId,
    /// The application; unknown until named.
    pub application: AppId,
    /// Packets of each direction, modulo 256.
    pub(super) packets: [u8; 2],
    /// Flags in the lowest octet, state in the next four bits, then whether it is translated, epoch in the others.
    status: u32,
    /// When its last packet came.
    pub(super) last: Tick,
    /// Octets of each direction, modulo 2^32.
    pub(super) octets: [u32; 2],
    /// TCP's numbers.
    pub tcp: TcpTrack,
}

const _: () = assert!(size_of::<Record>() == 64 && align_of::<Record>() == 64);

/// Bits of [`Record::kind`] that are the key's. A record without a family is free.
const KEY_KIND: u16 = 0x03ff;
/// A bit of [`Record::kind`]: counts have run over into the cold part.
const SPILLED: u16 = 1 << 10;
/// Where in [`Record::kind`] the class is, three bits.
const CLASS_SHIFT: u32 = 11;
/// Where in [`Record::kind`] the stage of identification is, two bits.
const STAGE_SHIFT: u32 = 14;
/// Where in [`Record::status`] the state is, four bits.
const STATE_SHIFT: u32 = 8;
/// A bit of [`Record::status`], above the state: source NAT rewrites its packets.
const TRANSLATED: u32 = 1 << 12;
/// Where in [`Record::status`] the epoch is.
const EPOCH_SHIFT: u32 = 13;

/// How far the identification of a flow's application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It was not shown to the engine.
    #[default]
    NotBegun,
    /// The engine looks at it; the table knows in which slot.
    Running,
    /// The engine needs no more of it, or it is not to be looked at any more.
    Over,
}

impl Record {
    /// The hot part of an entry of this key, opened by a client at that end.
    pub fn new(key: &FlowKey, client: End) -> Self {
        let mut record = Self { pair: key.pair, ports: key.ports, kind: key.kind, ..Self::default() };
        record.set(Flags::CLIENT_IS_HIGH, client == End::High);
        record
    }

    /// Whether it is of this key, as far as the hot part tells: of IPv4 wholly.
    #[inline(always)]
    pub(super) const fn resembles(&self, key: &FlowKey) -> bool {
        // Without a branch between: the three differ together or not at all.
        (self.pair ^ key.pair) | (self.ports ^ key.ports) | ((self.kind & KEY_KIND) ^ key.kind) as u64 == 0
    }

    /// Its key, given what the cold part has of it.
    pub(super) const fn key(&self, upper: [u64; 3]) -> FlowKey {
        FlowKey { pair: self.pair, ports: self.ports, kind: self.kind & KEY_KIND, upper }
    }

    /// Makes it resemble no key.
    pub(super) const fn vacate(&mut self) {
        self.kind = 0;
    }

    /// Whether it is IPv4's.
    pub const fn is_v4(&self) -> bool {
        self.kind & FAMILY_4 != 0
    }

    /// Whether it is IPv6's.
    pub const fn is_v6(&self) -> bool {
        self.kind & FAMILY_6 != 0
    }

    /// IANA protocol number.
    pub const fn protocol(&self) -> u8 {
        self.kind as u8
    }

    /// Wire and tags.
    pub const fn realm(&self) -> Realm {
        FlowKey { pair: 0, ports: self.ports, kind: 0, upper: [0; 3] }.realm()
    }

    /// The client's end of the key.
    pub const fn client(&self) -> End {
        if self.has(Flags::CLIENT_IS_HIGH) { End::High } else { End::Low }
    }

    /// Where it is in its life.
    #[inline(always)]
    pub const fn state(&self) -> State {
        // Sixteen values of which eleven are ever stored.
        const STATES: [State; 16] = {
            let mut states = [State::Denied; 16];
            let mut at = 0;
            while at < State::ALL.len() {
                states[at] = State::ALL[at];
                at += 1;
            }
            states
        };
        STATES[(self.status >> STATE_SHIFT) as usize & 0xf]
    }

    /// Sets where it is; of an entry in the table [`super::Table::reclassify`] has to follow.
    pub const fn set_state(&mut self, state: State) {
        self.status = self.status & !(0xf << STATE_SHIFT) | (state as u32) << STATE_SHIFT;
    }

    /// Where it is in its life, as a number, and 16 more where it is translated: what decides whether its packets may take
    /// the short lane.
    #[inline(always)]
    pub const fn standing(&self) -> usize {
        (self.status >> STATE_SHIFT) as usize & 0x1f
    }

    /// Notes that source NAT rewrites its packets.
    pub const fn set_translated(&mut self) {
        self.status |= TRANSLATED;
    }

    /// Whether a flag is set.
    #[inline(always)]
    pub const fn has(&self, flag: Flags) -> bool {
        self.flags().has(flag)
    }

    /// What else is known.
    #[inline(always)]
    pub const fn flags(&self) -> Flags {
        Flags(self.status as u8)
    }

    /// Sets or clears a flag; after [`Flags::SIGNED_ON`] of an entry in the table [`super::Table::reclassify`] has to
    /// follow.
    pub const fn set(&mut self, flag: Flags, on: bool) {
        let mut flags = self.flags();
        flags.set(flag, on);
        self.status = self.status & !0xff | flags.0 as u32;
    }

    /// Whether the policy of this epoch judged it. Of an epoch 19 bits are kept: half a million commits within an
    /// entry's timeout are not to be had.
    #[inline(always)]
    pub const fn is_of_epoch(&self, epoch: u32) -> bool {
        (self.status ^ epoch << EPOCH_SHIFT) >> EPOCH_SHIFT == 0
    }

    /// Sets the epoch of the policy that judged it.
    pub const fn set_epoch(&mut self, epoch: u32) {
        self.status = self.status & ((1 << EPOCH_SHIFT) - 1) | epoch << EPOCH_SHIFT;
    }

    /// How far the identification is.
    pub const fn stage(&self) -> Stage {
        match self.kind >> STAGE_SHIFT {
            0 => Stage::NotBegun,
            1 => Stage::Running,
            _ => Stage::Over,
        }
    }

    /// Sets how far the identification is. Of an entry in the table [`super::Table::set_identification`] does it.
    pub const fn set_stage(&mut self, stage: Stage) {
        self.kind = self.kind & !(3 << STAGE_SHIFT) | (stage as u16) << STAGE_SHIFT;
    }

    /// Whether its packets are for the engine to see: the rule wants it and it is not over, or what was said of it is not
    /// certain yet.
    #[inline(always)]
    pub const fn is_inspected(&self) -> bool {
        let stage = self.kind >> STAGE_SHIFT;
        stage == Stage::Running as u16 || stage == Stage::NotBegun as u16 && self.has(Flags::INSPECT)
    }

    /// Whether nothing came of it for so long.
    #[inline(always)]
    pub const fn is_silent(&self, present: Present, patience: Patience) -> bool {
        present.floor.past(self.last.after(patience)) >= 0
    }

    /// Notes that a packet of it came.
    #[inline(always)]
    pub const fn touch(&mut self, present: Present) {
        self.last = present.ceiling;
    }

    /// Counts a packet in the hot part. True where packets or octets ran over, once in 256 packets or four GiB: then
    /// [`super::Table::carry`] has to follow.
    #[inline(always)]
    pub fn count(&mut self, direction: Direction, octets: u32) -> (bool, bool) {
        let at = direction as usize & 1;
        let (packets, more_packets) = self.packets[at].overflowing_add(1);
        let (octets, more_octets) = self.octets[at].overflowing_add(octets);
        self.packets[at] = packets;
        self.octets[at] = octets;
        (more_packets, more_octets)
    }

    /// Whether any packet was let through.
    pub const fn passed_packets(&self) -> bool {
        self.has_spilled() || self.packets[0] | self.packets[1] != 0
    }

    pub(super) const fn has_spilled(&self) -> bool {
        self.kind & SPILLED != 0
    }

    pub(super) const fn set_spilled(&mut self) {
        self.kind |= SPILLED;
    }

    /// The class that it is in.
    pub(super) fn class(&self) -> Class {
        Class::ALL.get(usize::from(self.kind >> CLASS_SHIFT & 7)).copied().unwrap_or_default()
    }

    pub(super) const fn set_class(&mut self, class: Class) {
        self.kind = self.kind & !(7 << CLASS_SHIFT) | (class as u16) << CLASS_SHIFT;
    }

    /// The class that follows from its state.
    pub(crate) const fn natural_class(&self) -> Class {
        match self.state() {
            State::Closed | State::Denied => Class::Over,
            _ if self.has(Flags::SIGNED_ON) => Class::SignedOn,
            State::SynSent | State::SynReceived => Class::HalfOpen,
            State::OneWay | State::Picked => Class::OneWay,
            State::BothWays | State::Established | State::Doubted | State::HalfClosed | State::Closing => {
                Class::BothWays
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is packed into a word does not touch its neighbours.
        #[test]
        fn properties_are_kept_apart(acts in prop::collection::vec((0..7_u8, any::<u32>()), 0..40)) {
            let (key, _) = FlowKey::of_v4((1, 2), (3, 4), 255, Realm::new(255, 4095, 4095)).unwrap();
            let mut record = Record::new(&key, End::Low);
            let (mut state, mut class, mut stage) = (State::OneWay, Class::Over, Stage::NotBegun);
            let (mut epoch, mut flags, mut spilled, mut translated) = (0, 0_u8, false, false);
            for (what, value) in acts {
                match what {
                    0 => state = State::ALL[value as usize % State::ALL.len()],
                    1 => class = Class::ALL[value as usize % Class::ALL.len()],
                    2 => stage = [Stage::NotBegun, Stage::Running, Stage::Over][value as usize % 3],
                    3 => epoch = value,
                    4 => flags ^= 1 << (value % 8),
                    5 => translated = true,
                    _ => spilled = true,
                }
                record.set_state(state);
                record.set_class(class);
                record.set_stage(stage);
                record.set_epoch(epoch);
                (0..8).for_each(|bit| record.set(Flags(1 << bit), flags >> bit & 1 == 1));
                if spilled {
                    record.set_spilled();
                }
                if translated {
                    record.set_translated();
                }
                prop_assert!(record.resembles(&key) && record.key([0; 3]) == key && record.protocol() == 255);
                prop_assert_eq!((record.state(), record.class(), record.stage()), (state, class, stage));
                prop_assert_eq!((record.flags(), record.has_spilled()), (Flags(flags), spilled));
                prop_assert_eq!(record.standing(), state as usize + 16 * usize::from(translated));
                prop_assert!(record.is_of_epoch(epoch) && !record.is_of_epoch(epoch ^ 1 << 18));
            }
            record.vacate();
            prop_assert!(!record.resembles(&key));
        }
    }

    #[test]
    fn states_have_their_numbers() {
        assert!(State::ALL.iter().enumerate().all(|(at, state)| *state as usize == at));
        assert!(Class::ALL.iter().enumerate().all(|(at, class)| *class as usize == at));
    }
}
