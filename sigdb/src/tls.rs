//! The server name that a TLS client asks for (RFC 6066, 3), read from its ClientHello (RFC 8446, 4.1.2).

/// What a look at a stream's first octets tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<'a> {
    /// A whole ClientHello, with its server name where it has one.
    Hello(Option<&'a [u8]>),
    /// It may become one.
    More,
    /// Not a ClientHello.
    No,
}

/// Looks for a ClientHello at the start of `data`. One that is spread over several records is not followed: clients do that
/// only to evade, and the flow is then not named by its server name.
pub fn look(data: &[u8]) -> Look<'_> {
    const HEADER: &[u8] = &[0x16, 0x03];
    if !data.starts_with(&HEADER[..data.len().min(2)]) {
        return Look::No;
    }
    let Some((header, _)) = data.split_first_chunk::<9>() else { return Look::More };
    let record = usize::from(u16::from_be_bytes([header[3], header[4]]));
    let hello = usize::from(header[6]) << 16 | usize::from(header[7]) << 8 | usize::from(header[8]);
    if header[2] > 4 || header[5] != 1 || hello + 4 > record {
        return Look::No;
    }
    match data.get(9..9 + hello) {
        Some(body) => match server_name(body) {
            Some(name) => Look::Hello(name),
            None => Look::No,
        },
        None => Look::More,
    }
}

/// The outer option is none where the hello contradicts itself.
fn server_name(body: &[u8]) -> Option<Option<&[u8]>> {
    let rest = body.get(34..)?;
    let (_session, rest) = vector8(rest)?;
    let (_suites, rest) = vector16(rest)?;
    let (_compression, rest) = vector8(rest)?;
    if rest.is_empty() {
        return Some(None);
    }
    let (mut extensions, _) = vector16(rest)?;
    while !extensions.is_empty() {
        let kind = number16(extensions)?;
        let (value, next) = vector16(&extensions[2..])?;
        extensions = next;
        if kind != 0 {
            continue;
        }
        let (list, _) = vector16(value)?;
        let (&name_type, list) = list.split_first()?;
        let (name, _) = vector16(list)?;
        return Some((name_type == 0).then_some(name));
    }
    Some(None)
}

fn number16(data: &[u8]) -> Option<u16> {
    data.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn vector8(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(length))
}

fn vector16(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = number16(data)?;
    data[2..].split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(name: &str) -> Vec<u8> {
        let name = name.as_bytes();
        let n = name.len() as u16;
        let mut extensions = vec![0, 0x17, 0, 0, 0, 0];
        extensions.extend((n + 5).to_be_bytes());
        extensions.extend((n + 3).to_be_bytes());
        extensions.push(0);
        extensions.extend(n.to_be_bytes());
        extensions.extend(name);
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut record = vec![0x16, 3, 1];
        record.extend((body.len() as u16 + 4).to_be_bytes());
        record.extend([1, 0]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn the_name_is_read() {
        assert_eq!(look(&hello("web.example")), Look::Hello(Some(b"web.example")));
    }

    #[test]
    fn every_cut_waits_for_more() {
        let record = hello("web.example");
        for end in 0..record.len() {
            assert_eq!(look(&record[..end]), Look::More, "cut at {end}");
        }
    }

    #[test]
    fn other_bytes_are_not_a_hello() {
        assert_eq!(look(b"GET / HTTP/1.1"), Look::No);
        assert_eq!(look(&[0x16, 0xf1, 3, 0, 10, 1, 0, 0, 6]), Look::No);
        assert_eq!(look(&[0x16, 3, 1, 0, 10, 2, 0, 0, 6]), Look::No);
        let mut lying = hello("web.example");
        let last = lying.len() - 13;
        lying[last] = 0xff; // the length of the name list
        assert_eq!(look(&lying), Look::No);
    }
}
