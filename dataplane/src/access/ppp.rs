//! PPP's control packets (RFC 1661, 5), and those that say who signs on.

use crate::wire::be16;

/// Link Control Protocol (RFC 1661).
pub const LCP: u16 = 0xc021;
/// Password Authentication Protocol (RFC 1334, 2).
pub const PAP: u16 = 0xc023;
/// Challenge Handshake Authentication Protocol (RFC 1994).
pub const CHAP: u16 = 0xc223;
/// Extensible Authentication Protocol (RFC 3748, 3.1).
pub const EAP: u16 = 0xc227;
/// Control of IPv4 (RFC 1332).
pub const IPCP: u16 = 0x8021;
/// Control of IPv6 (RFC 5072).
pub const IPV6CP: u16 = 0x8057;

/// Configure-Request (RFC 1661, 5.1).
pub const CONFIGURE_REQUEST: u8 = 1;
/// Configure-Ack (RFC 1661, 5.2).
pub const CONFIGURE_ACK: u8 = 2;
/// Terminate-Request (RFC 1661, 5.5).
pub const TERMINATE_REQUEST: u8 = 5;
/// Protocol-Reject, of LCP only (RFC 1661, 5.7).
pub const PROTOCOL_REJECT: u8 = 8;
/// Echo-Request, of LCP only (RFC 1661, 5.8).
pub const ECHO_REQUEST: u8 = 9;
/// Echo-Reply.
pub const ECHO_REPLY: u8 = 10;

/// IPCP's option with an IPv4 address (RFC 1332, 3.3).
pub const IP_ADDRESS: u8 = 3;
/// IPv6CP's option with an interface identifier of 8 octets (RFC 5072, 4.1).
pub const INTERFACE_IDENTIFIER: u8 = 1;

/// A control packet; LCP, the network protocols', PAP and CHAP all have this header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control<'a> {
    /// What it is.
    pub code: u8,
    /// By which an answer names its question.
    pub id: u8,
    /// What follows, without padding.
    pub data: &'a [u8],
}

impl<'a> Control<'a> {
    /// Reads one; none where it is cut off.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let &[code, id] = payload.first_chunk()?;
        let data = payload.get(4..usize::from(be16(payload, 2)?))?;
        Some(Self { code, id, data })
    }

    /// The value of an option among the data of a Configure packet (RFC 1661, 6); none where it is not there or what stands
    /// before it is no option.
    pub fn option(&self, which: u8) -> Option<&'a [u8]> {
        let mut rest = self.data;
        // An option has 2 octets at least, so that this ends.
        while let &[kind, length, ..] = rest {
            let value = rest.get(2..usize::from(length))?;
            if kind == which {
                return Some(value);
            }
            rest = rest.get(usize::from(length)..)?;
        }
        None
    }

    /// The name in PAP's Authenticate-Request; none where name or password do not fit into it. The password is not read.
    pub fn pap_name(&self) -> Option<&'a [u8]> {
        let (name, rest) = counted(self.data)?;
        counted(rest).map(|_| name)
    }

    /// The message in PAP's Authenticate-Ack or -Nak: what there is of it.
    pub fn pap_message(&self) -> &'a [u8] {
        counted(self.data).map_or_else(|| self.data.get(1..).unwrap_or_default(), |(message, _)| message)
    }

    /// The name in CHAP's Response; none where its value is empty or does not fit into it.
    pub fn chap_name(&self) -> Option<&'a [u8]> {
        let (value, name) = counted(self.data)?;
        (!value.is_empty()).then_some(name)
    }
}

/// What is behind an octet that counts it, and what follows that.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_where_it_says() {
        assert_eq!(Control::read(&[2, 7, 0, 6, 1, b'x', 0, 0]), Some(Control { code: 2, id: 7, data: &[1, b'x'] }));
        assert_eq!(Control::read(&[2, 7, 0, 4]).map(|packet| packet.data), Some(&[][..]));
        for bad in [&[][..], &[2], &[2, 7, 0], &[2, 7, 0, 3], &[2, 7, 0, 0], &[2, 7, 0, 5], &[2, 7, 0xff, 0xff, 1]] {
            assert_eq!(Control::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn options_are_found_and_bad_ones_end_the_search() {
        let packet = |data| Control { code: 1, id: 1, data };
        assert_eq!(packet(&[2, 4, 0, 0, 3, 6, 10, 0, 0, 1]).option(IP_ADDRESS), Some(&[10, 0, 0, 1][..]));
        for bad in [&[][..], &[3], &[3, 7, 1, 2, 3, 4], &[2, 0, 3, 6, 10, 0, 0, 1], &[2, 1, 3, 6, 1, 2, 3, 4], &[3, 0]]
        {
            assert_eq!(packet(bad).option(IP_ADDRESS), None, "{bad:?}");
        }
    }

    #[test]
    fn names_are_read_and_lengths_that_lie_are_not() {
        let packet = |data| Control { code: 1, id: 1, data };
        assert_eq!(packet(b"\x02ab\x03xyz").pap_name(), Some(&b"ab"[..]));
        assert_eq!(packet(b"\x00\x00").pap_name(), Some(&b""[..]));
        for bad in [&b""[..], b"\x03ab", b"\x02ab", b"\x02ab\x04xyz"] {
            assert_eq!(packet(bad).pap_name(), None);
        }
        assert_eq!(packet(b"\x02xxname").chap_name(), Some(&b"name"[..]));
        assert_eq!(packet(b"\x02xx").chap_name(), Some(&b""[..]));
        for bad in [&b""[..], b"\x00name", b"\x05xx"] {
            assert_eq!(packet(bad).chap_name(), None);
        }
        assert_eq!(packet(b"\x02okay").pap_message(), b"ok");
        assert_eq!(packet(b"\x09okay").pap_message(), b"okay");
        assert_eq!(packet(b"").pap_message(), b"");
    }
}
