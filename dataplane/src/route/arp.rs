//! ARP for IPv4 over Ethernet (RFC 826).

use crate::endpoint::Address;
use crate::endpoint::Mac;
use crate::wire::{be16, ethernet};

/// Octets of a message.
const MESSAGE: usize = 28;
/// Hardware Ethernet, protocol IPv4, address lengths 6 and 4.
const HEAD: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it asks; otherwise it answers.
    pub asks: bool,
    /// Who speaks.
    pub sender: (Mac, Address),
    /// Who is asked for, or answered; the MAC address of a question says nothing.
    pub target: (Mac, Address),
}

impl Arp {
    /// Reads the message of an ARP frame, whose Ethernet source must be the sender that it names.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let message: &[u8; MESSAGE] = frame.get(ethernet::HEADER..)?.first_chunk()?;
        let operation = be16(message, 6)?;
        let mac = |at: usize| Some(Mac(*message.get(at..)?.first_chunk()?));
        let address = |at: usize| Some(Address::v4(*message.get(at..)?.first_chunk()?));
        let sender = (mac(8)?, address(14)?);
        let sound = message.starts_with(&HEAD)
            && matches!(operation, REQUEST | REPLY)
            && sender.0.is_unicast()
            && frame.get(6..12) == Some(&sender.0.0[..]);
        sound.then_some(Self { asks: operation == REQUEST, sender, target: (mac(18)?, address(24)?) })
    }

    /// The frame that carries it to `to`.
    pub fn frame(&self, to: Mac) -> [u8; ethernet::HEADER + MESSAGE] {
        let mut frame = [0; ethernet::HEADER + MESSAGE];
        frame[0..6].copy_from_slice(&to.0);
        frame[6..12].copy_from_slice(&self.sender.0.0);
        frame[12..14].copy_from_slice(&ethernet::ARP.to_be_bytes());
        frame[14..20].copy_from_slice(&HEAD);
        frame[20..22].copy_from_slice(&(if self.asks { REQUEST } else { REPLY }).to_be_bytes());
        frame[22..28].copy_from_slice(&self.sender.0.0);
        frame[28..32].copy_from_slice(&self.sender.1.0[12..]);
        frame[32..38].copy_from_slice(&self.target.0.0);
        frame[38..42].copy_from_slice(&self.target.1.0[12..]);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_lies_is_not() {
        let arp = Arp {
            asks: true,
            sender: (Mac([2, 0, 0, 0, 0, 1]), Address::v4([192, 0, 2, 1])),
            target: (Mac::default(), Address::v4([192, 0, 2, 9])),
        };
        let frame = arp.frame(Mac::BROADCAST);
        assert_eq!(Arp::read(&frame), Some(arp));
        assert_eq!(Arp::read(&frame[..41]), None);
        // Another sender than the Ethernet header says, another hardware, a reverse request, a group as the sender.
        for (at, octet) in [(11, 7), (15, 6), (21, 3), (22, 3)] {
            let mut bad = frame;
            bad[at] = octet;
            assert_eq!(Arp::read(&bad), None, "octet {at}");
        }
    }
}
