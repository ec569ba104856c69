//! Options of DHCPv6 messages (RFC 8415, 21).

use crate::wire::{be16, be32};

pub const CLIENT_ID: u16 = 1;
pub const IA_NA: u16 = 3;
pub const IA_TA: u16 = 4;
pub const IA_ADDRESS: u16 = 5;
pub const RELAYED: u16 = 9;
pub const STATUS: u16 = 13;
pub const INTERFACE_ID: u16 = 18;
pub const IA_PD: u16 = 25;
pub const IA_PREFIX: u16 = 26;
/// RFC 4649.
pub const REMOTE_ID: u16 = 37;
/// RFC 4580.
pub const SUBSCRIBER_ID: u16 = 38;
/// RFC 4704.
pub const FQDN: u16 = 39;
/// RFC 6939.
pub const LINK_LAYER: u16 = 79;

/// Options, one after the other. The last says whether they end where they should: `Err` where one goes beyond.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

/// An option goes beyond what it stands in, or is too short for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Options<'a> {
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Whether there is no failure, as far as they say.
    pub fn is_success(self) -> Result<bool, Malformed> {
        for option in self {
            if let (STATUS, value) = option? {
                return be16(value, 0).map(|code| code == 0).ok_or(Malformed);
            }
        }
        Ok(true)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let option = be16(self.rest, 0).zip(be16(self.rest, 2)).and_then(|(code, length)| {
            let (value, rest) = self.rest.get(4..)?.split_at_checked(usize::from(length))?;
            Some(((code, value), rest))
        });
        let Some((option, rest)) = option else {
            self.rest = &[];
            return Some(Err(Malformed));
        };
        self.rest = rest;
        Some(Ok(option))
    }
}

/// What a message leases, or gives back: the first address and the first prefix that are valid; else the first that are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// An address, and for how many seconds.
    pub address: Option<([u8; 16], u32)>,
    /// A delegated prefix, its length in bits, and for how many seconds.
    pub prefix: Option<([u8; 16], u8, u32)>,
}

impl Leased {
    /// Reads an identity association (RFC 8415, 21.4, 21.5, 21.21), `value` of the option `code`; others are nothing.
    pub fn read(&mut self, code: u16, value: &[u8]) -> Result<(), Malformed> {
        let before = match code {
            IA_NA | IA_PD => 12,
            IA_TA => 4,
            _ => return Ok(()),
        };
        let options = Options::new(value.get(before..).ok_or(Malformed)?);
        if !options.is_success()? {
            return Ok(());
        }
        for option in options {
            match option? {
                (IA_ADDRESS, value) if code != IA_PD => self.address(value)?,
                (IA_PREFIX, value) if code == IA_PD => self.prefix(value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether any of it is valid.
    pub fn is_valid(&self) -> bool {
        self.address.is_some_and(|(_, seconds)| seconds > 0) || self.prefix.is_some_and(|(.., seconds)| seconds > 0)
    }

    /// Leaves out what ends, where something else does not.
    pub fn forget_ended(&mut self) {
        if self.is_valid() {
            self.address = self.address.filter(|(_, seconds)| *seconds > 0);
            self.prefix = self.prefix.filter(|(.., seconds)| *seconds > 0);
        }
    }

    fn address(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let address: [u8; 16] = *value.first_chunk().ok_or(Malformed)?;
        let seconds = be32(value, 20).ok_or(Malformed)?;
        if !is_host(address) {
            return Err(Malformed);
        }
        let is_success = Options::new(value.get(24..).unwrap_or_default()).is_success()?;
        if is_success && self.address.is_none_or(|(_, known)| known == 0 && seconds > 0) {
            self.address = Some((address, seconds));
        }
        Ok(())
    }

    fn prefix(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let seconds = be32(value, 4).ok_or(Malformed)?;
        let bits = *value.get(8).ok_or(Malformed)?;
        let prefix: [u8; 16] = *value.get(9..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
        if !(1..=128).contains(&bits) {
            return Err(Malformed);
        }
        let mask = u128::MAX << (128 - u32::from(bits));
        let prefix = (u128::from_be_bytes(prefix) & mask).to_be_bytes();
        let is_success = Options::new(value.get(25..).unwrap_or_default()).is_success()?;
        if is_success && self.prefix.is_none_or(|(.., known)| known == 0 && seconds > 0) {
            self.prefix = Some((prefix, bits, seconds));
        }
        Ok(())
    }
}

/// Whether a host can have an address: neither a group nor none, nor itself.
fn is_host(address: [u8; 16]) -> bool {
    address[0] != 0xff && u128::from_be_bytes(address) > 1
}
