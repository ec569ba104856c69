//! Messages with their length as a base-128 number, the least significant seven bits first (MQTT 5, 1.5.5).

/// Octets that such a length has at most.
const LONGEST: usize = 4;

/// What stands at the start of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A message of so many octets, and where what the length counts begins.
    Message {
        length: usize,
        body: usize,
    },
    More,
    No,
}

/// Cuts the message at the start of `data`, whose length stands at `at` and counts what follows it.
pub(crate) fn cut(at: u16, range: (u32, u32), data: &[u8]) -> Cut {
    let at = usize::from(at);
    let mut value = 0usize;
    for place in 0..LONGEST {
        let Some(octet) = data.get(at + place) else { return Cut::More };
        value |= usize::from(octet & 0x7f) << (7 * place);
        if octet & 0x80 != 0 {
            continue;
        }
        let body = at + place + 1;
        let length = body + value;
        let fits = (range.0 as usize..=range.1 as usize).contains(&length);
        return if fits { Cut::Message { length, body } } else { Cut::No };
    }
    Cut::No
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: (u32, u32) = (2, u32::MAX);

    #[test]
    fn a_length_of_one_to_four_octets() {
        assert_eq!(cut(1, ALL, &[0xe0, 0]), Cut::Message { length: 2, body: 2 });
        assert_eq!(cut(1, ALL, &[0x30, 0xff, 0x7f]), Cut::Message { length: 3 + 16_383, body: 3 });
        let longest = [0x30, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(cut(1, ALL, &longest), Cut::Message { length: 5 + 268_435_455, body: 5 });
        assert_eq!(cut(1, ALL, &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), Cut::No);
        assert_eq!(cut(1, (2, 100), &longest), Cut::No);
        for end in 0..longest.len() {
            assert_eq!(cut(1, ALL, &longest[..end]), Cut::More, "cut at {end}");
        }
    }
}
