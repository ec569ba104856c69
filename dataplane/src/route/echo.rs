//! Echo requests to our own addresses, answered (RFC 1122, 3.2.2.6; RFC 4443, 4.2).

use super::outbox::Outbox;
use crate::packet::{Link, Network};
use crate::policy::PortId;
use crate::wire::{be16, checksum, ipv4};

const HOP_LIMIT: u8 = 64;
/// Echo request and reply of ICMP, then of ICMPv6.
const KINDS: [(u8, u8); 2] = [(8, 0), (128, 129)];

/// Whether the ICMP message at `transport` is an echo request.
pub fn is_echo_request(frame: &[u8], link: &Link, transport: usize) -> bool {
    let (request, _) = KINDS[usize::from(link.network == Network::Ipv6)];
    frame.get(transport..).and_then(|message| message.get(..2)) == Some(&[request, 0])
}

/// Puts the answer to an echo request into `outbox`: back by the port and the neighbour that it came from. The IP packet ends
/// at `end`, its ICMP header is at `transport`. `None` where it is no echo request, otherwise whether there was room.
pub fn answer(
    outbox: &mut Outbox,
    port: PortId,
    frame: &[u8],
    link: &Link,
    transport: usize,
    end: usize,
) -> Option<bool> {
    let (request, reply) = KINDS[usize::from(link.network == Network::Ipv6)];
    let offset = usize::from(link.offset);
    let message = frame.get(transport..end)?;
    if !is_echo_request(frame, link, transport) {
        return None;
    }
    let sum = be16(message, 2)?;
    let Some(room) = outbox.push(port, end) else { return Some(false) };
    room.copy_from_slice(&frame[..end]);
    room[..12].rotate_left(6);
    let ip = room.get_mut(offset..)?;
    match link.network {
        Network::Ipv4 => {
            // Options, were there any, would have been the request's: it is answered as it came, with ours as the sender.
            ip[12..20].rotate_left(4);
            let (old, check) = (be16(ip, 8)?, be16(ip, 10)?);
            let new = u16::from_be_bytes([HOP_LIMIT, ip[9]]);
            ip[8..10].copy_from_slice(&new.to_be_bytes());
            ip[10..12].copy_from_slice(&checksum::replace(check, old, new).to_be_bytes());
        }
        Network::Ipv6 => {
            ip[7] = HOP_LIMIT;
            ip.get_mut(8..40)?.rotate_left(16);
        }
    }
    let message = room.get_mut(transport..)?;
    message[0] = reply;
    // Addresses only change places, so that of what the checksum covers only the type is new.
    let sum = checksum::replace(sum, u16::from_be_bytes([request, 0]), u16::from_be_bytes([reply, 0]));
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    debug_assert!(link.network == Network::Ipv6 || end >= ipv4::HEADER);
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::build::{icmp, transport_sum};
    use crate::wire::checksum::Sum;

    #[test]
    fn the_answer_holds_what_was_asked() {
        for (source, destination, request, reply) in
            [("10.0.0.1", "10.0.0.254", 8, 0), ("2001:db8::1", "2001:db8::fe", 128, 129)]
        {
            let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
            let mut asked = icmp(source, destination, (request, 0), [1, 2, 3, 4], b"how are you");
            asked.hop_limit = 3;
            let frame = asked.frame();
            let link = Link::read(&frame).unwrap().unwrap();
            let transport = frame.len() - asked.transport.len();
            let mut outbox = Outbox::new(true);
            assert_eq!(answer(&mut outbox, PortId(1), &frame, &link, transport, frame.len()), Some(true));
            let (port, answer) = outbox.frames().next().unwrap();
            let answer = &answer[..frame.len()];
            assert_eq!((port, &answer[..6], &answer[6..12]), (PortId(1), &frame[6..12], &frame[..6]));
            let mut expected = icmp(destination, source, (reply, 0), [1, 2, 3, 4], b"how are you");
            expected.macs = (asked.macs.1, asked.macs.0);
            assert_eq!(answer, expected.frame());
            let number = asked.protocol;
            assert_eq!(transport_sum(destination, source, number, &answer[transport..]).finish(), 0);
            assert!(number == 58 || Sum::default().octets(&answer[14..34]).finish() == 0);
        }
    }

    #[test]
    fn nothing_else_is_answered() {
        let (source, destination) = ("10.0.0.1".parse().unwrap(), "10.0.0.254".parse().unwrap());
        for kind in [(0, 0), (8, 1), (13, 0), (128, 0)] {
            let frame = icmp(source, destination, kind, [0; 4], &[]).frame();
            let link = Link::read(&frame).unwrap().unwrap();
            assert_eq!(answer(&mut Outbox::new(true), PortId(1), &frame, &link, 34, frame.len()), None);
        }
    }
}
