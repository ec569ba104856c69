//! Options of DHCP messages (RFC 2132), long ones put together (RFC 3396), wherever they stand.

use arrayvec::ArrayVec;

/// Where the fields of a message stand (RFC 2131, 2).
pub const SNAME: usize = 44;
pub const FILE: usize = 108;
pub const OPTIONS: usize = 240;
/// Octets of options that are looked at: more than any frame holds but a giant one.
const MOST: usize = 4096;

const PAD: u8 = 0;
const HOST_NAME: u8 = 12;
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
const REQUESTED: u8 = 50;
const MESSAGE: u8 = 56;
const CLIENT_ID: u8 = 61;
const AGENT: u8 = 82;
const END: u8 = 255;

/// An option's octets; what goes beyond the room is left out.
pub type Long<const ROOM: usize> = ArrayVec<u8, ROOM>;

/// Those that are of interest.
#[derive(Debug, Default)]
pub struct Options {
    kind: Option<[u8; 1]>,
    lease: Option<[u8; 4]>,
    /// The address that the client asks for, or declines.
    pub requested: Option<[u8; 4]>,
    overload: Option<[u8; 1]>,
    /// What the host calls itself.
    pub host_name: Long<255>,
    /// As what the client wants to be known.
    pub client_id: Long<255>,
    /// What a relay adds (RFC 3046).
    pub agent: Long<512>,
    /// What the server wants to be read.
    pub message: Long<255>,
}

impl Options {
    /// Reads those of a whole message; none where they contradict themselves.
    pub fn read(message: &[u8]) -> Option<Self> {
        let mut options = Self::default();
        let area = message.get(OPTIONS..)?;
        options.area(&area[..area.len().min(MOST)])?;
        let [overload] = options.overload.unwrap_or_default();
        // The order is RFC 3396's (5); an area has no areas of its own.
        if overload & 1 != 0 {
            options.area(message.get(FILE..FILE + 128)?)?;
        }
        if overload & 2 != 0 {
            options.area(message.get(SNAME..SNAME + 64)?)?;
        }
        trim(&mut options.host_name);
        trim(&mut options.message);
        Some(options)
    }

    /// The message's type; 0 of BOOTP, which has none.
    pub fn kind(&self) -> u8 {
        self.kind.unwrap_or_default()[0]
    }

    /// Seconds of the lease; `u32::MAX` for ever.
    pub fn lease(&self) -> Option<u32> {
        self.lease.map(u32::from_be_bytes)
    }

    /// A sub-option of the relay's; empty where there is none.
    pub fn agent(&self, which: u8) -> &[u8] {
        let mut rest = &self.agent[..];
        while let Some((&[code, length], after)) = rest.split_first_chunk::<2>() {
            let Some((value, after)) = after.split_at_checked(usize::from(length)) else { break };
            if code == which {
                return value;
            }
            rest = after;
        }
        &[]
    }

    fn area(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((&code, after)) = rest.split_first() {
            match code {
                PAD => rest = after,
                END => break,
                _ => {
                    let (&length, after) = after.split_first()?;
                    let value;
                    (value, rest) = after.split_at_checked(usize::from(length))?;
                    self.option(code, value)?;
                }
            }
        }
        Some(())
    }

    fn option(&mut self, code: u8, value: &[u8]) -> Option<()> {
        match code {
            MESSAGE_TYPE => fixed(&mut self.kind, value)?,
            LEASE_TIME => fixed(&mut self.lease, value)?,
            REQUESTED => fixed(&mut self.requested, value)?,
            OVERLOAD => fixed(&mut self.overload, value)?,
            HOST_NAME => append(&mut self.host_name, value),
            CLIENT_ID => append(&mut self.client_id, value),
            AGENT => append(&mut self.agent, value),
            MESSAGE => append(&mut self.message, value),
            _ => {}
        }
        Some(())
    }
}

/// One of fixed length: said twice it must say the same.
fn fixed<const N: usize>(option: &mut Option<[u8; N]>, value: &[u8]) -> Option<()> {
    let value: [u8; N] = value.try_into().ok()?;
    (*option.get_or_insert(value) == value).then_some(())
}

fn append<const ROOM: usize>(option: &mut Long<ROOM>, value: &[u8]) {
    option.extend(value.iter().copied().take(option.remaining_capacity()));
}

/// Some end texts with NUL though they must not (RFC 2132, 2).
fn trim<const ROOM: usize>(text: &mut Long<ROOM>) {
    while text.last() == Some(&0) {
        text.pop();
    }
}
