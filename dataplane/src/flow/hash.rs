//! The keyed hash of flow keys.
//!
//! Products of key words, each added to a secret, summed to 128 bits: two keys that differ collide with a probability of
//! about 2^-64 over the secrets, whoever chose the keys (the NH family of Black, Halevi, Krawczyk, Krovetz and Rogaway,
//! "UMAC: Fast and Secure Message Authentication", 1999). A checksum as CRC-32 has collisions that no seed removes. One
//! further multiplication spreads the sum over the 64 bits of which the index takes its parts.

use std::hash::BuildHasher;

use super::key::FlowKey;

/// The secrets of a table.
#[derive(Debug)]
pub(super) struct Hasher {
    secrets: [u64; 8],
}

impl Hasher {
    /// With secrets of the operating system's.
    pub(super) fn new() -> Self {
        let random = std::hash::RandomState::new();
        let mut secrets = [0; 8];
        for (at, secret) in secrets.iter_mut().enumerate() {
            *secret = random.hash_one(at);
        }
        Self { secrets }
    }

    /// The hash of a key: of IPv4 two multiplications.
    #[inline(always)]
    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        let [a, b, c, d, e, f, g, h] = self.secrets;
        let mut sum = product(key.pair.wrapping_add(a), key.ports.wrapping_add(b));
        if !key.is_v4() {
            let [low, high, middle] = key.upper;
            sum = sum.wrapping_add(product(low.wrapping_add(c), high.wrapping_add(d)));
            sum = sum.wrapping_add(product(middle.wrapping_add(e), f));
        }
        let folded = sum as u64 ^ (sum >> 64) as u64 ^ u64::from(key.kind).wrapping_mul(g | 1);
        let spread = product(folded, h | 1);
        spread as u64 ^ (spread >> 64) as u64
    }
}

const fn product(a: u64, b: u64) -> u128 {
    a as u128 * b as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Realm;

    /// Keys that differ in little, as networks have them, spread over buckets and tags as chance would.
    #[test]
    fn similar_keys_spread_evenly() {
        let hasher = Hasher::new();
        let keys = (0..1 << 16_u32).map(|n| {
            FlowKey::of_v4((0x0a00_0000 | n >> 8, 1024 + (n & 0xff) as u16), (0xc000_0201, 53), 17, Realm::default())
                .unwrap()
                .0
        });
        let mut upper = [0_u32; 256];
        let mut lower = [0_u32; 256];
        for key in keys {
            let hash = hasher.hash(&key);
            upper[(hash >> 56) as usize] += 1;
            lower[hash as usize & 0xff] += 1;
        }
        // 256 expected in each with a deviation of 16: eight deviations are never seen.
        assert!(upper.iter().chain(&lower).all(|count| (128..384).contains(count)));
    }

    #[test]
    fn every_part_of_a_key_counts() {
        let hasher = Hasher::new();
        let key = FlowKey { pair: 1, ports: 2, kind: super::super::key::FAMILY_6 | 6, upper: [3, 4, 5] };
        let mut hashes = vec![hasher.hash(&key)];
        hashes.push(hasher.hash(&FlowKey { pair: 2, ..key }));
        hashes.push(hasher.hash(&FlowKey { ports: 3, ..key }));
        hashes.push(hasher.hash(&FlowKey { kind: key.kind + 1, ..key }));
        hashes.push(hasher.hash(&FlowKey { kind: super::super::key::FAMILY_4 | 6, ..key }));
        hashes.extend((0..3).map(|at| {
            let mut upper = key.upper;
            upper[at] ^= 1;
            hasher.hash(&FlowKey { upper, ..key })
        }));
        let unlike = Hasher::new().hash(&key);
        assert_ne!(unlike, hashes[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 8);
    }
}
