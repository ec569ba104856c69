//! Framings.

use super::Checked;
use crate::program::{Framing, Transport, WINDOW};
use crate::source::FramingSource;

pub(super) fn framing(source: &FramingSource, over: Transport) -> Checked<Framing> {
    let framing = match source {
        FramingSource::Datagram {} => Framing::Datagram,
        FramingSource::Stream {} => Framing::Stream,
        FramingSource::Line { pass_over } => {
            if !pass_over.bytes().all(|octet| octet.is_ascii_punctuation()) {
                return Err("framing: 'pass-over' holds punctuation that begins a word".into());
            }
            Framing::Line { pass_over: pass_over.clone().into_bytes() }
        }
        FramingSource::VarintLength { at, least, most } => {
            if u32::from(*at) + 1 > *least || least > most || usize::from(*at) >= WINDOW {
                return Err("framing: 'least' holds at least the length itself, 'most' is no less".into());
            }
            Framing::VarintLength { at: *at, range: (*least, *most) }
        }
        FramingSource::Xml { open } => Framing::Xml { open: open.clone() },
        FramingSource::Sip {} => Framing::Sip,
        FramingSource::Http {} => Framing::Http,
        FramingSource::Tls {} => Framing::Tls,
        FramingSource::Quic {} => Framing::Quic,
        FramingSource::Dns {} => Framing::Dns,
        FramingSource::Length { at, size, little, add, strip, least, most } => {
            let header = u32::from(*at) + u32::from(*size);
            if !matches!(size, 1..=4) || header > WINDOW as u32 || *least < header.max(1) || least > most {
                return Err("framing: size is 1 to 4, and 'least' holds at least the length itself".into());
            }
            if u32::from(*strip) > *least {
                return Err("framing: 'strip' is more than the shortest message".into());
            }
            Framing::Length { at: *at, size: *size, little: *little, add: *add, strip: *strip, range: (*least, *most) }
        }
    };
    match (&framing, over) {
        (Framing::Dns | Framing::Sip, _) | (Framing::Datagram | Framing::Quic, Transport::Udp) => Ok(framing),
        (Framing::Datagram | Framing::Quic, Transport::Tcp) | (_, Transport::Udp) => {
            Err("framing: 'datagram' and 'quic' go with udp, 'dns' and 'sip' with both, all others with tcp".into())
        }
        _ => Ok(framing),
    }
}
