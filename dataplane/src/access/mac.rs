//! MAC addresses as access servers spell them.

use crate::endpoint::Mac;

/// Reads a MAC address from a text such as Calling-Station-Id (RFC 3580, 3.21): twelve hexadecimal digits with `-`, `:`
/// or `.` between any of them, at the text's start; after them nothing, or something that is no digit or letter (as the
/// network's name after `:` in Called-Station-Id). None where it is anything else, as a telephone number.
pub fn parse_mac(text: &[u8]) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut digits = 0;
    let mut rest = text.iter();
    let mut last_was_digit = false;
    while digits < 12 {
        let octet = *rest.next()?;
        if let Some(digit) = char::from(octet).to_digit(16) {
            mac[digits / 2] = mac[digits / 2] << 4 | digit as u8;
            digits += 1;
            last_was_digit = true;
        } else if matches!(octet, b'-' | b':' | b'.') && last_was_digit && digits % 2 == 0 {
            last_was_digit = false;
        } else {
            return None;
        }
    }
    let ends = rest.next().is_none_or(|octet| !octet.is_ascii_alphanumeric());
    ends.then_some(Mac(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        let mac = Some(Mac([0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc]));
        for text in
            ["00-11-22-AA-BB-CC", "00:11:22:aa:bb:cc", "0011.22aa.bbcc", "001122aabbcc", "00-11-22-AA-BB-CC:lobby"]
        {
            assert_eq!(parse_mac(text.as_bytes()), mac, "{text}");
        }
        for text in ["", "00-11-22-AA-BB", "4930123456789", "0-01122aabbcc", "--00", "00--11-22-aa-bb-cc", "alice"] {
            assert_eq!(parse_mac(text.as_bytes()), None, "{text}");
        }
    }
}
