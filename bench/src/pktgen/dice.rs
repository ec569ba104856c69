//! Seeded randomness that is the same on every machine and in every version of every library: a story made with one seed
//! is one story for ever.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts from a seed and a name, so that two stories of one seed share no numbers.
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a: it only has to tell names apart.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(seed ^ hash)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 32 bits.
    pub fn half(&mut self) -> u32 {
        (self.word() >> 32) as u32
    }

    /// A number from `low` to `high`, `high` not included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + ((u64::from(self.half()) * u64::from(high - low)) >> 32) as u32
    }

    /// `length` octets.
    pub fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend_from_slice(&self.word().to_be_bytes());
        }
        out.truncate(length);
        out
    }

    /// A made-up account number of nine or ten digits, above every number that was ever given out as a QQ number.
    pub fn account(&mut self) -> u32 {
        self.between(4_100_000_000, 4_290_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_whatever_the_machine() {
        let mut dice = Dice::new(1);
        assert_eq!(dice.word(), 0x910a_2dec_8902_5cc1);
        assert_ne!(Dice::named(1, "a").word(), Dice::named(1, "b").word());
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut dice = Dice::new(7);
        assert!((0..1000).map(|_| dice.between(10, 20)).all(|n| (10..20).contains(&n)));
        assert_eq!(dice.octets(13).len(), 13);
    }
}
