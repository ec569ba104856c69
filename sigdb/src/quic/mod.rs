//! What QUIC's first packets show: they are encrypted with keys that everybody on the path can derive (RFC 9001, 5.2;
//! RFC 9369), and hold the client's TLS hello. Google's own QUIC, from before, shows its hello in clear.
//!
//! A hello may stand in several CRYPTO frames, in any order, in several packets. Its parts are put together in a ring of
//! buffers that all flows of a worker share: the oldest gives way, so that nothing has to be given back and a flood of
//! unfinished hellos takes no more memory than was set aside.

mod assembly;
mod gquic;
mod header;
mod initial;

use std::num::NonZero;

use crate::program::WINDOW;
use crate::tls::{self, Hello};
use assembly::Assembly;
use header::{LongHeader, PacketKind};
use initial::{Opened, open};

/// What a look at a datagram tells.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// The client's hello.
    Hello(Hello<'a>),
    /// QUIC; the hello goes on in datagrams to come.
    More,
    /// QUIC that shows no hello: a server's packet, one met after the handshake began, or a version whose keys are unknown.
    Packets,
    /// Not QUIC, as far as can be told.
    No,
}

/// What is kept of a flow between its datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The first packet's destination connection id, and its length: what the keys are derived from.
    id: [u8; 20],
    id_length: u8,
    version: u32,
    /// Where the parts are.
    taken: Option<Taken>,
}

/// Place in the ring, and the stamp under which it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    place: u16,
    stamp: NonZero<u32>,
}

impl State {
    fn id(&self) -> &[u8] {
        self.id.get(..usize::from(self.id_length)).unwrap_or_default()
    }
}

/// Memory for all flows of a worker.
#[derive(Debug)]
pub struct Workspace {
    /// The packet that is being opened.
    packet: Box<[u8; LONGEST_PACKET]>,
    /// The hello that is complete in one datagram, as most are.
    current: Box<Assembly>,
    ring: Box<[Slot]>,
    next: u16,
    stamp: NonZero<u32>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    stamp: Option<NonZero<u32>>,
    assembly: Assembly,
}

/// Octets of the longest packet that is opened: clients keep the first ones below what any path carries.
const LONGEST_PACKET: usize = 2048;
/// Packets of one datagram that are looked at (RFC 9000, 12.2).
const MOST_PACKETS: usize = 4;

impl Workspace {
    /// Room for so many hellos in parts at a time, at most 65,535; some 4 KiB each.
    pub fn new(hellos: u16) -> Self {
        Self {
            packet: Box::new([0; LONGEST_PACKET]),
            current: Box::default(),
            ring: vec![Slot::default(); usize::from(hellos)].into(),
            next: 0,
            stamp: NonZero::<u32>::MIN,
        }
    }

    /// The oldest place of the ring, emptied. None where the ring has none.
    fn take(&mut self) -> Option<Taken> {
        let place = self.next;
        let slot = self.ring.get_mut(usize::from(place))?;
        self.stamp = self.stamp.checked_add(1).unwrap_or(NonZero::<u32>::MIN);
        slot.stamp = Some(self.stamp);
        slot.assembly.clear();
        self.next = if usize::from(place) + 1 < self.ring.len() { place + 1 } else { 0 };
        Some(Taken { place, stamp: self.stamp })
    }

    fn held(&self, taken: Option<Taken>) -> Option<usize> {
        let Taken { place, stamp } = taken?;
        let place = usize::from(place);
        (self.ring.get(place)?.stamp == Some(stamp)).then_some(place)
    }
}

/// Looks at a datagram from the client, or from either side where that is not known.
pub fn look<'a>(work: &'a mut Workspace, state: &mut State, datagram: &'a [u8]) -> Look<'a> {
    let Some(&first) = datagram.first() else { return Look::No };
    if first & 0x80 == 0 {
        return match gquic::look(datagram) {
            gquic::Look::Hello(name) => Look::Hello(Hello::named(name)),
            gquic::Look::Packets => Look::Packets,
            gquic::Look::No if state.version != 0 => Look::Packets,
            gquic::Look::No => Look::No,
        };
    }
    let mut seen = Look::No;
    let mut rest = datagram;
    let mut begun = false;
    for _ in 0..MOST_PACKETS {
        let Some(header) = LongHeader::at(rest) else { break };
        match header.kind {
            PacketKind::Initial => {
                seen = Look::Packets;
                let opened = open_with_any(work, state, &header, rest);
                if let Some(opened) = opened {
                    begun |= gather(work, state, &opened, &header, begun);
                }
            }
            PacketKind::InClear => {
                return match gquic::look_long(rest) {
                    Some(name) => Look::Hello(Hello::named(name)),
                    None => Look::Packets,
                };
            }
            PacketKind::Other => seen = Look::Packets,
        }
        let Some(next) = rest.get(header.length..).filter(|next| !next.is_empty()) else { break };
        rest = next;
    }
    if begun { result(work, state) } else { seen }
}

/// Opens an Initial packet with the keys of the flow's first one. After a Retry, or where the ports are used again, the keys
/// are those of the packet itself, and the hello begins anew.
fn open_with_any(work: &mut Workspace, state: &mut State, header: &LongHeader<'_>, packet: &[u8]) -> Option<Opened> {
    if state.version == header.version
        && *state.id() != *header.destination
        && let Some(opened) = open(&mut work.packet[..], header, state.id(), packet)
    {
        return Some(opened);
    }
    let opened = open(&mut work.packet[..], header, header.destination, packet)?;
    if state.version != header.version || *state.id() != *header.destination {
        state.version = header.version;
        state.id_length = header.destination.len().min(state.id.len()) as u8;
        state.id.iter_mut().zip(header.destination).for_each(|(octet, id)| *octet = *id);
        state.taken = None;
    }
    Some(opened)
}

/// Puts the parts that a packet holds to those that are here. False where there are none.
fn gather(work: &mut Workspace, state: &mut State, opened: &Opened, header: &LongHeader<'_>, begun: bool) -> bool {
    let held = work.held(state.taken);
    if held.is_none() && !begun {
        work.current.clear();
    }
    let plain = work.packet.get(opened.plain.clone()).unwrap_or_default();
    let assembly = match held.and_then(|place| work.ring.get_mut(place)) {
        Some(slot) => &mut slot.assembly,
        None => &mut *work.current,
    };
    initial::crypto_frames(plain, header.google(), |at, part| assembly.put(at, part)) > 0
}

/// What stands in the flow's buffer now.
fn result<'a>(work: &'a mut Workspace, state: &mut State) -> Look<'a> {
    let held = work.held(state.taken);
    if held.is_none() && matches!(hello(&work.current), Look::More) {
        // Without room for its parts the rest will not be understood.
        let Some(taken) = work.take() else { return Look::Packets };
        state.taken = Some(taken);
        if let Some(slot) = work.ring.get_mut(usize::from(taken.place)) {
            slot.assembly.clone_from(&work.current);
        }
        return Look::More;
    }
    match held.and_then(|place| work.ring.get(place)) {
        Some(slot) => hello(&slot.assembly),
        None => hello(&work.current),
    }
}

fn hello(assembly: &Assembly) -> Look<'_> {
    let front = assembly.front();
    if front.starts_with(b"CHLO") {
        return match gquic::hello(front) {
            gquic::Part::Whole(name) => Look::Hello(Hello::named(name)),
            gquic::Part::More if front.len() < WINDOW => Look::More,
            gquic::Part::More | gquic::Part::No => Look::Packets,
        };
    }
    match tls::bare_hello(front, front.len() >= WINDOW) {
        tls::Look::Hello(hello) => Look::Hello(hello),
        tls::Look::More => Look::More,
        _ => Look::Packets,
    }
}

#[cfg(test)]
mod tests;
