//! The cold parts of an entry: what its begin and its end need, and what only IPv6 or long flows have.

use crate::endpoint::Direction;

/// The session and when it began; four entries to a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub(super) struct Life {
    session_low: u32,
    start_low: u32,
    session_high: u16,
    start_high: u16,
    /// Octets of each direction in units of 2^32.
    octets: [u16; 2],
}

const _: () = assert!(size_of::<Life>() == 16);

impl Life {
    /// Of a session (its lower 48 bits), begun so many microseconds after the table's origin.
    pub(super) const fn new(session: u64, start: u64) -> Self {
        Self {
            session_low: session as u32,
            session_high: (session >> 32) as u16,
            start_low: start as u32,
            start_high: (start >> 32) as u16,
            octets: [0; 2],
        }
    }

    /// 48 bits; 0 where there is none.
    pub(super) const fn session(&self) -> u64 {
        self.session_low as u64 | (self.session_high as u64) << 32
    }

    /// Microseconds.
    pub(super) const fn start(&self) -> u64 {
        self.start_low as u64 | (self.start_high as u64) << 32
    }
}

/// What IPv6 has more of addresses, and packets in units of 256. IPv4 has room here for counts without limit.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub(super) struct Wide {
    /// IPv6: of the key. IPv4: octets in units of 2^48, and packets in units of 2^40, by direction in halves.
    words: [u64; 3],
    packets: [u32; 2],
}

const _: () = assert!(size_of::<Wide>() == 32);

impl Wide {
    /// Of an IPv6 key.
    pub(super) const fn of_v6(upper: [u64; 3]) -> Self {
        Self { words: upper, packets: [0; 2] }
    }

    /// What the key has of it.
    pub(super) const fn upper(&self) -> [u64; 3] {
        self.words
    }
}

/// Both cold parts of an entry: the upper parts of its counts.
pub(super) struct Counts<'a> {
    pub(super) life: &'a mut Life,
    pub(super) wide: &'a mut Wide,
    pub(super) is_v4: bool,
}

impl Counts<'_> {
    /// 256 packets more. False where that is more than can be counted.
    pub(super) fn carry_packets(&mut self, direction: Direction) -> bool {
        let at = direction as usize & 1;
        let packets = &mut self.wide.packets[at];
        let full = *packets == u32::MAX;
        if !full {
            *packets += 1;
        } else if self.is_v4 {
            *packets = 0;
            self.wide.words[2] = self.wide.words[2].wrapping_add(1 << (32 * at));
        }
        !full || self.is_v4
    }

    /// 2^32 octets more. False where that is more than can be counted.
    pub(super) fn carry_octets(&mut self, direction: Direction) -> bool {
        let at = direction as usize & 1;
        let octets = &mut self.life.octets[at];
        let full = *octets == u16::MAX;
        if !full {
            *octets += 1;
        } else if self.is_v4 {
            *octets = 0;
            self.wide.words[at] += 1;
        }
        !full || self.is_v4
    }
}

/// The upper parts of a direction's counts: packets in units of 256, octets in units of 2^32. `wide` is given where
/// counts have run over into it.
pub(super) fn upper_counts(life: &Life, wide: Option<&Wide>, is_v4: bool, direction: Direction) -> (u64, u64) {
    let at = direction as usize & 1;
    let octets = u64::from(life.octets[at]);
    let Some(wide) = wide else { return (0, octets) };
    let packets = u64::from(wide.packets[at]);
    if !is_v4 {
        return (packets, octets);
    }
    (packets | (wide.words[2] >> (32 * at) & 0xffff_ffff) << 32, octets | wide.words[at] << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_at_the_largest_and_do_not_begin_again() {
        for is_v4 in [false, true] {
            let (mut life, mut wide) = (Life::new(7, 9), Wide::default());
            life.octets = [u16::MAX - 1; 2];
            wide.packets = [u32::MAX - 1; 2];
            for direction in [Direction::ToServer, Direction::ToClient] {
                let mut counts = Counts { life: &mut life, wide: &mut wide, is_v4 };
                let carried = [0, 1, 2].map(|_| (counts.carry_packets(direction), counts.carry_octets(direction)));
                assert_eq!(carried, [(true, true), (is_v4, is_v4), (is_v4, is_v4)]);
                let (packets, octets) = upper_counts(&life, Some(&wide), is_v4, direction);
                let most = (u64::from(u32::MAX), u64::from(u16::MAX));
                assert_eq!((packets, octets), if is_v4 { (most.0 + 2, most.1 + 2) } else { most });
            }
            assert_eq!((life.session(), life.start()), (7, 9));
        }
    }
}
