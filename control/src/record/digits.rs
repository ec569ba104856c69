//! Numbers and addresses as text: what `Display` writes, in a fraction of its time. Eight digits are made in one register
//! and appended as eight octets, of which those that do not count are taken back.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};

/// Appends `octets`, of which the first `length` count.
#[inline]
pub(crate) fn push<const N: usize>(out: &mut Vec<u8>, octets: &[u8; N], length: usize) {
    let end = out.len() + length;
    out.extend_from_slice(octets);
    out.truncate(end);
}

/// Appends a number in decimal.
#[inline]
pub(crate) fn decimal(out: &mut Vec<u8>, value: u64) {
    if value < EIGHT {
        leading(out, value as u32);
    } else if value < EIGHT * EIGHT {
        leading(out, (value / EIGHT) as u32);
        out.extend_from_slice(&ascii(eight((value % EIGHT) as u32)));
    } else {
        leading(out, (value / (EIGHT * EIGHT)) as u32);
        out.extend_from_slice(&ascii(eight((value / EIGHT % EIGHT) as u32)));
        out.extend_from_slice(&ascii(eight((value % EIGHT) as u32)));
    }
}

/// Appends the last `WIDTH` (at most 8) digits of a number below 100,000,000, with leading zeros.
#[inline]
pub(crate) fn padded<const WIDTH: u32>(out: &mut Vec<u8>, value: u32) {
    push(out, &ascii(eight(value) >> (8 * (8 - WIDTH))), WIDTH as usize);
}

/// Appends an address.
#[inline]
pub(crate) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let (text, length) = dotted(v4.octets());
            push(out, &text, length);
        }
        IpAddr::V6(v6) => colons(out, v6),
    }
}

/// Appends an address and a port, that of IPv6 in brackets, of which the last is `close`.
#[inline]
pub(crate) fn end(out: &mut Vec<u8>, end: Endpoint, close: &[u8]) {
    if end.address.is_v4() {
        let [.., a, b, c, d] = end.address.0;
        let (text, length) = dotted([a, b, c, d]);
        push(out, &text, length);
    } else {
        out.push(b'[');
        colons(out, Ipv6Addr::from(end.address.0));
        out.extend_from_slice(close);
    }
    out.push(b':');
    leading(out, end.port.into());
}

/// Appends a MAC address, its octets between colons.
pub(crate) fn mac(out: &mut Vec<u8>, mac: Mac) {
    let mut text = *b"00:00:00:00:00:00";
    for (pair, octet) in text.chunks_mut(3).zip(mac.0) {
        pair[0] = HEXADECIMAL[usize::from(octet >> 4)];
        pair[1] = HEXADECIMAL[usize::from(octet & 15)];
    }
    out.extend_from_slice(&text);
}

/// Appends a span in seconds, with three digits of the fraction, cut.
#[inline]
pub(crate) fn seconds(out: &mut Vec<u8>, span: Duration) {
    decimal(out, span.as_secs());
    out.push(b'.');
    padded::<3>(out, span.subsec_millis());
}

/// Whether a text is printable ASCII and has nothing in it that any of the formats escapes: `"`, `\`, `]`, `=`, `|`, `'`.
#[inline]
pub(crate) fn is_plain(text: &str) -> bool {
    let is_odd =
        |octet: u8| !(b' '..=b'~').contains(&octet) | matches!(octet, b'"' | b'\\' | b']' | b'=' | b'|' | b'\'');
    // No early end: the whole text is looked at in a few steps.
    !text.bytes().fold(false, |odd, octet| odd | is_odd(octet))
}

/// Numbers of so many digits fit a register.
const EIGHT: u64 = 100_000_000;

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// The eight digits of a number below [`EIGHT`], one an octet, the first in the lowest. Halves, quarters and single digits
/// are parted side by side; 10486 / 2^20 and 103 / 2^10 are 1/100 and 1/10, near enough for four digits and for two.
#[inline]
fn eight(value: u32) -> u64 {
    let halves = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters - tens * 10) << 8
}

/// Digits as characters.
#[inline]
fn ascii(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// Appends a number below [`EIGHT`] without leading zeros.
#[inline]
fn leading(out: &mut Vec<u8>, value: u32) {
    let digits = eight(value);
    // The last digit counts, also where it is 0.
    let zeros = (digits.trailing_zeros() / 8).min(7);
    push(out, &ascii(digits >> (8 * zeros)), 8 - zeros as usize);
}

/// An IPv4 address, and how many octets of it count.
#[inline]
fn dotted([a, b, c, d]: [u8; 4]) -> ([u8; 16], usize) {
    let mut text = 0_u128;
    let mut length = 0;
    for octet in [a, b, c, d] {
        let (part, octets) = DOTTED[usize::from(octet)];
        text |= u128::from(part) << (8 * length);
        length += u32::from(octets);
    }
    (text.to_le_bytes(), length as usize - 1)
}

/// Each octet in decimal with a point behind it, the first character in the lowest octet, and how many characters that is.
static DOTTED: [(u32, u8); 256] = {
    let mut table = [(0, 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let mut place = if octet >= 100 {
            0
        } else if octet >= 10 {
            1
        } else {
            2
        };
        let (mut text, mut length) = (0, 0);
        while place < 3 {
            text |= (b'0' as u32 + digits[place]) << (8 * length);
            length += 1;
            place += 1;
        }
        table[octet as usize] = (text | (b'.' as u32) << (8 * length), length as u8 + 1);
        octet += 1;
    }
    table
};

/// RFC 5952: the longest run of zeros, of two groups and more, the first of several, is `::`.
fn colons(out: &mut Vec<u8>, address: Ipv6Addr) {
    if let Some(v4) = address.to_ipv4_mapped() {
        out.extend_from_slice(b"::ffff:");
        let (text, length) = dotted(v4.octets());
        return push(out, &text, length);
    }
    let groups = address.segments();
    let (mut best, mut run) = (0..0, 0..0);
    for (at, group) in groups.iter().enumerate() {
        run = if *group != 0 { at + 1..at + 1 } else { run.start..at + 1 };
        if run.len() > best.len() {
            best = run.clone();
        }
    }
    if best.len() < 2 {
        best = 8..8;
    }
    let mut at = 0;
    while at < 8 {
        if at == best.start {
            out.extend_from_slice(b"::");
            at = best.end;
            continue;
        }
        if at > 0 && at != best.end {
            out.push(b':');
        }
        group(out, groups[at]);
        at += 1;
    }
}

/// Appends a group of an IPv6 address without leading zeros.
#[inline]
fn group(out: &mut Vec<u8>, group: u16) {
    let group = u32::from(group);
    let digits = group >> 12 | (group >> 8 & 15) << 8 | (group >> 4 & 15) << 16 | (group & 15) << 24;
    // 6 more than 9 carries into the bit above: those are letters, 39 further on than what follows the digits.
    let letters = (digits + 0x0606_0606) >> 4 & 0x0101_0101;
    let zeros = (digits.trailing_zeros() / 8).min(3);
    push(out, &((digits + 0x3030_3030 + letters * 39) >> (8 * zeros)).to_le_bytes(), 4 - zeros as usize);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use dataplane::endpoint::Address;
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before ".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
    }

    #[test]
    fn numbers_around_every_power_of_ten() {
        for power in 0..20 {
            let power = 10_u64.pow(power);
            for value in [power - 1, power, power + 1, power.wrapping_mul(9)] {
                assert_eq!(text(|out| decimal(out, value)), value.to_string());
            }
        }
        assert_eq!(text(|out| decimal(out, u64::MAX)), u64::MAX.to_string());
    }

    #[test]
    fn every_number_of_four_digits() {
        for value in 0..10_000 {
            assert_eq!(text(|out| padded::<6>(out, value * 100)), format!("{:06}", value * 100));
            assert_eq!(text(|out| padded::<4>(out, value)), format!("{value:04}"));
        }
    }

    proptest! {
        /// `Display` is the slow twin.
        #[test]
        fn numbers(value: u64, small: u16) {
            prop_assert_eq!(text(|out| decimal(out, value)), value.to_string());
            prop_assert_eq!(text(|out| decimal(out, small.into())), small.to_string());
        }

        #[test]
        fn addresses(
            v4 in any::<[u8; 4]>(),
            v6 in prop::array::uniform8(prop_oneof![Just(0_u16), 0..16_u16, any::<u16>()]),
            port in any::<u16>(),
        ) {
            for ip in [IpAddr::from(v4), IpAddr::from(v6)] {
                prop_assert_eq!(text(|out| address(out, ip)), ip.to_string());
                let place = Endpoint { address: Address::from(ip), port };
                prop_assert_eq!(text(|out| end(out, place, b"]")), place.socket().to_string());
            }
            let mapped = std::net::Ipv4Addr::from(v4).to_ipv6_mapped();
            prop_assert_eq!(text(|out| address(out, mapped.into())), mapped.to_string());
            let socket = SocketAddr::new(IpAddr::from(v6), port);
            if !Address::from(IpAddr::from(v6)).is_v4() {
                let place = Endpoint { address: Address::from(socket.ip()), port };
                let escaped = socket.to_string().replace(']', "\\]");
                prop_assert_eq!(text(|out| end(out, place, b"\\]")), escaped);
            }
        }

        #[test]
        fn macs(octets: [u8; 6]) {
            prop_assert_eq!(text(|out| mac(out, Mac(octets))), Mac(octets).to_string());
        }
    }
}
