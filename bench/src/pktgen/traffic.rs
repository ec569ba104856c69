//! Bulk traffic as capture files: the classes that the harness makes in line, for generators that repeat captures.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::dice::Dice;
use super::frames::{Link, Side, udp_packet};
use super::script::TimedFrame;
use crate::harness::attack::Attack;
use crate::harness::compose;
use crate::harness::draw::{Draw, Draws};
use crate::harness::flow::{Flow, MOST};
use crate::harness::sessions::{Place, segment};
use crate::harness::wire::Size;

/// What kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// UDP in both directions of drawn flows.
    Udp,
    /// A UDP packet of a new flow each.
    NewUdp,
    /// TCP connections from handshake to close, eight packets each.
    Tcp,
    /// An attack from the clients' side.
    Attack(Attack),
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp => f.write_str("udp"),
            Self::NewUdp => f.write_str("new-udp"),
            Self::Tcp => f.write_str("tcp"),
            Self::Attack(attack) => attack.fmt(f),
        }
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "udp" => Ok(Self::Udp),
            "new-udp" => Ok(Self::NewUdp),
            "tcp" => Ok(Self::Tcp),
            attack => attack.parse().map(Self::Attack).map_err(|_| {
                let attacks: Vec<_> = Attack::ALL.iter().map(|attack| attack.name()).collect();
                format!("no class {name:?}: udp, new-udp, tcp, {}", attacks.join(", "))
            }),
        }
    }
}

/// Traffic in the making.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Its kind.
    pub class: Class,
    /// Flows, of those classes that repeat them; at least 1.
    pub flows: u32,
    /// How packets are spread over them.
    pub draw: Draw,
    /// Of UDP frames; all others have 64 octets.
    pub size: Size,
    /// Packets.
    pub packets: u64,
    /// Packets a second; at least 1.
    pub rate: u64,
    /// One seed gives one traffic, to the octet.
    pub seed: u64,
}

impl Traffic {
    /// The frames, in the order of time; the sides take turns where both speak.
    pub fn frames(self) -> impl Iterator<Item = TimedFrame> {
        let mut draws = Draws::new(self.flows, self.draw, self.seed);
        let mut dice = Dice::new(self.seed);
        let mut drawn = 0;
        (0..self.packets).map(move |number| {
            let at = Duration::from_nanos((u128::from(number) * 1_000_000_000 / u128::from(self.rate)) as u64);
            let answers = matches!(self.class, Class::Udp | Class::Tcp) && number % 2 == 1;
            let from = if answers { Side::Server } else { Side::Client };
            let bytes = match self.class {
                Class::Udp => {
                    if !answers {
                        drawn = draws.draw();
                    }
                    self.datagram(Flow(drawn), from, number)
                }
                Class::NewUdp => self.datagram(Flow((number % u64::from(MOST)) as u32), from, number),
                Class::Tcp => {
                    let place = Place::of(number / 2, u64::from(self.flows));
                    written(from, |frame| {
                        let header = Flow(place.connection % MOST).header(from);
                        compose::tcp(frame, header, segment(from, place.step));
                    })
                }
                Class::Attack(attack) => written(from, |frame| attack.write(frame, &mut dice, self.flows)),
            };
            TimedFrame { at, from, bytes }
        })
    }

    fn datagram(&self, flow: Flow, from: Side, number: u64) -> Vec<u8> {
        let (source, destination) = flow.ends().of(from);
        let payload = vec![0; usize::from(self.size.of((number / 2) as u32)).saturating_sub(42)];
        Link::plain().frame(from, &udp_packet(source, destination, number as u16, &payload))
    }
}

/// Two sequences of frames in the order of time, made into one.
pub fn merged(frames: impl Iterator<Item = TimedFrame>, among: Vec<TimedFrame>) -> impl Iterator<Item = TimedFrame> {
    let (mut frames, mut among) = (frames.peekable(), among.into_iter().peekable());
    std::iter::from_fn(move || match (frames.peek(), among.peek()) {
        (Some(one), Some(other)) if other.at < one.at => among.next(),
        (Some(_), _) => frames.next(),
        (None, _) => among.next(),
    })
}

/// A frame of 64 octets with a header written over it.
fn written(from: Side, write: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = Link::plain().frame(from, &[0x45; 50]);
    write(&mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(class: Class) -> Traffic {
        Traffic { class, flows: 100, draw: Draw::Uniform, size: Size::Imix, packets: 2400, rate: 1000, seed: 1 }
    }

    #[test]
    fn connections_open_and_close() {
        let frames: Vec<_> = traffic(Class::Tcp).frames().collect();
        let with = |flags: u8, side| frames.iter().filter(|one| one.from == side && one.bytes[47] == flags).count();
        // 2,400 packets of eight a connection.
        assert_eq!((with(0x02, Side::Client), with(0x12, Side::Server)), (300, 300));
        assert_eq!((with(0x11, Side::Client), with(0x11, Side::Server)), (300, 300));
        assert_eq!(frames[1001].at, Duration::from_millis(1001));
    }

    #[test]
    fn one_seed_is_one_traffic_and_a_mix_has_its_sizes() {
        let frames = || traffic(Class::Udp).frames().map(|frame| frame.bytes).collect::<Vec<_>>();
        assert_eq!(frames(), frames());
        assert_eq!(frames().iter().filter(|bytes| bytes.len() == 1518).count(), 200);
    }

    #[test]
    fn a_story_is_told_in_order_among_other_traffic() {
        let story = crate::pktgen::stories::find("background").unwrap().tell(1).frames;
        let count = story.len();
        let frames: Vec<_> = merged(traffic(Class::Udp).frames(), story).collect();
        assert_eq!(frames.len(), 2400 + count);
        assert!(frames.is_sorted_by_key(|frame| frame.at));
    }

    #[test]
    fn every_class_is_read_back_by_its_name() {
        let attacks = Attack::ALL.map(Class::Attack);
        for class in [Class::Udp, Class::NewUdp, Class::Tcp].into_iter().chain(attacks) {
            assert_eq!(class.to_string().parse(), Ok(class));
            assert_eq!(traffic(class).frames().count(), 2400);
        }
        assert!("icmp".parse::<Class>().is_err());
    }
}
