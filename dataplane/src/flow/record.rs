//! One entry of the flow table: the key and what every packet needs in the first cache line, volumes and TCP's numbers in
//! the second.

use sigdb::AppId;

use super::key::{End, FlowKey, Realm};
use super::tcp::TcpTrack;
use crate::appid::InspectionId;
use crate::endpoint::{Address, Direction, Endpoint};
use crate::event::Volume;
use crate::policy::RuleId;
use crate::time::Nanos;

/// Where a flow is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// TCP: picked up in its middle, seen in one direction.
    Picked,
    /// TCP: the handshake is complete.
    Established,
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
    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::BothWays => "both-ways",
            Self::SynSent | Self::SynReceived => "opening",
            Self::Picked | Self::Established => "established",
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
    /// How many there are.
    pub(super) const COUNT: usize = 5;
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

/// How far the identification of a flow's application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identification {
    /// It was not shown to the engine.
    #[default]
    NotBegun,
    /// The engine looks at it.
    Running(InspectionId),
    /// The engine needs no more of it, or it is not to be looked at any more.
    Over,
}

/// An entry.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Record {
    low: [u8; 16],
    high: [u8; 16],
    low_port: u16,
    high_port: u16,
    realm: Realm,
    /// When its last packet came.
    pub last: Nanos,
    /// The epoch of the policy that judged it.
    pub epoch: u32,
    inspection: u32,
    /// The rule that applies.
    pub rule: RuleId,
    /// The application; unknown until named.
    pub application: AppId,
    protocol: u8,
    /// Where it is in its life.
    pub state: State,
    /// What else is known.
    pub flags: Flags,
    pub(super) class: Class,

    volumes: [Volume; 2],
    /// When it was created.
    pub start: Nanos,
    /// TCP's numbers.
    pub tcp: TcpTrack,
}

const _: () = assert!(size_of::<Record>() == 128);

/// Values of `inspection` that are no slot.
const NOT_BEGUN: u32 = u32::MAX;
const OVER: u32 = u32::MAX - 1;

impl Record {
    /// An entry of this key, opened now by a client at that end.
    pub fn new(key: &FlowKey, client: End, now: Nanos) -> Self {
        let mut flags = Flags::default();
        flags.set(Flags::CLIENT_IS_HIGH, client == End::High);
        Self {
            low: key.low.address.0,
            high: key.high.address.0,
            low_port: key.low.port,
            high_port: key.high.port,
            realm: key.realm,
            protocol: key.protocol,
            last: now,
            start: now,
            inspection: NOT_BEGUN,
            flags,
            ..Self::default()
        }
    }

    /// Its key.
    pub fn key(&self) -> FlowKey {
        FlowKey {
            low: Endpoint { address: Address(self.low), port: self.low_port },
            high: Endpoint { address: Address(self.high), port: self.high_port },
            protocol: self.protocol,
            realm: self.realm,
        }
    }

    /// The client's end of the key.
    pub const fn client(&self) -> End {
        if self.flags.has(Flags::CLIENT_IS_HIGH) { End::High } else { End::Low }
    }

    /// IANA protocol number.
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// How far the identification is.
    pub const fn identification(&self) -> Identification {
        match self.inspection {
            NOT_BEGUN => Identification::NotBegun,
            OVER => Identification::Over,
            slot => Identification::Running(InspectionId(slot)),
        }
    }

    /// Sets how far the identification is.
    pub const fn set_identification(&mut self, identification: Identification) {
        self.inspection = match identification {
            Identification::NotBegun => NOT_BEGUN,
            Identification::Over => OVER,
            Identification::Running(slot) => slot.0,
        };
    }

    /// Counts a packet of `octets`.
    pub const fn count(&mut self, direction: Direction, octets: u32) {
        let volume = &mut self.volumes[direction as usize];
        volume.packets += 1;
        volume.octets += octets as u64;
    }

    /// What went in a direction.
    pub const fn volume(&self, direction: Direction) -> Volume {
        self.volumes[direction as usize]
    }

    /// Whether any packet was let through.
    pub const fn passed_packets(&self) -> bool {
        self.volumes[0].packets + self.volumes[1].packets > 0
    }

    /// The class that follows from its state.
    pub(super) const fn natural_class(&self) -> Class {
        match self.state {
            State::Closed | State::Denied => Class::Over,
            _ if self.flags.has(Flags::SIGNED_ON) => Class::SignedOn,
            State::SynSent | State::SynReceived => Class::HalfOpen,
            State::OneWay | State::Picked => Class::OneWay,
            State::BothWays | State::Established | State::HalfClosed | State::Closing => Class::BothWays,
        }
    }
}
