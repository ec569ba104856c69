//! The names in a server's own certificate (RFC 5280, 4.1), as DER shows them (X.690, 8 and 10). Nothing is verified: a name
//! says what the server claims to be.

/// Object identifiers, encoded: common name (2.5.4.3) and subject alternative name (2.5.29.17).
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];
/// Tags (X.690, 8.1.2).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_3: u8 = 0xa3;
/// dNSName of a GeneralName (RFC 5280, 4.2.1.6).
const DNS_NAME: u8 = 0x82;

/// The names of a certificate. Views; nothing is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The subject's common name; of several the last, which is the most specific.
    pub common: Option<&'a [u8]>,
    /// GeneralNames.
    alternatives: &'a [u8],
}

impl<'a> Names<'a> {
    /// Reads a Certificate message's body (RFC 5246, 7.4.2): the first of the list, as far as it is here. None where it is
    /// none.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let length = body.get(3..6)?;
        let length = usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
        let rest = body.get(6..)?;
        Self::of_certificate(&rest[..length.min(rest.len())])
    }

    fn of_certificate(der: &'a [u8]) -> Option<Self> {
        let certificate = Element::at(der)?.of(SEQUENCE)?;
        let mut fields = Elements(Element::at(certificate)?.of(SEQUENCE)?);
        let mut field = fields.next()?;
        if field.tag == EXPLICIT_0 {
            field = fields.next()?; // the version stands before the serial number
        }
        let _serial = field;
        let _signature = fields.next()?.of(SEQUENCE)?;
        let _issuer = fields.next()?.of(SEQUENCE)?;
        let _validity = fields.next()?.of(SEQUENCE)?;
        let subject = fields.next()?.of(SEQUENCE)?;
        let common = Elements(subject).filter_map(common_name).last();
        let extensions = fields.find(|field| field.tag == EXPLICIT_3);
        let alternatives = extensions.and_then(|field| alternatives(field.content)).unwrap_or_default();
        Some(Self { common, alternatives })
    }

    /// All names: alternative ones first, as RFC 9525, 6.2, prefers them, then the common name. A name may begin with `*.`.
    pub fn all(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let dns = Elements(self.alternatives).filter(|name| name.tag == DNS_NAME && name.whole);
        dns.map(|name| name.content).chain(self.common)
    }
}

/// The common name of a relative distinguished name that is one.
fn common_name(set: Element<'_>) -> Option<&[u8]> {
    let mut pair = Elements(Element::at(set.of(SET)?)?.of(SEQUENCE)?);
    let value = (pair.next()?.of(OBJECT)? == COMMON_NAME).then(|| pair.next())??;
    // UTF8String, PrintableString, TeletexString, IA5String: one octet a letter where the letter is ASCII.
    (matches!(value.tag, 0x0c | 0x13 | 0x14 | 0x16) && value.whole).then_some(value.content)
}

/// The content of the extension that holds alternative names.
fn alternatives(extensions: &[u8]) -> Option<&[u8]> {
    Elements(Element::at(extensions)?.of(SEQUENCE)?).find_map(|extension| {
        let mut parts = Elements(extension.of(SEQUENCE)?);
        if parts.next()?.of(OBJECT)? != ALTERNATIVE_NAMES {
            return None;
        }
        let value = parts.find(|part| part.tag != BOOLEAN)?.of(OCTETS)?;
        Element::at(value)?.of(SEQUENCE)
    })
}

/// A value of DER; its content may be cut where the octets end.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: bool,
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn at(octets: &'a [u8]) -> Option<Self> {
        let (&[tag, short], rest) = octets.split_first_chunk::<2>()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            // Longer than four octets is longer than a certificate; 0x80 is no DER (X.690, 10.1).
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        Some(match rest.split_at_checked(length) {
            Some((content, rest)) => Self { tag, content, whole: true, rest },
            None => Self { tag, content: rest, whole: false, rest: &[] },
        })
    }

    /// Its content, where it has this tag.
    fn of(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// One value after the other; each takes at least two octets, so the walk ends.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let element = Element::at(self.0)?;
        self.0 = element.rest;
        Some(element)
    }
}
