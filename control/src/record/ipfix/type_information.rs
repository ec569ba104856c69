//! Type-information records (RFC 5610): they tell a collector what our own elements are called and how to read them.

use super::element::{DataType, OwnElement};
use super::encoder::{variable, word};
use super::field::Specifier;
use super::{ENTERPRISE, LONG_TEXT, SHORT_TEXT};

/// The options template's number.
pub(super) const TEMPLATE: u16 = 256;

/// How many of the fields below are scope (RFC 7011, 3.4.2.2).
pub(super) const SCOPES: u16 = 2;

/// privateEnterpriseNumber and informationElementId (the scope), informationElementDataType, -Semantics, -Units,
/// -RangeBegin, -RangeEnd, -Name, -Description. libfixbuf takes a record for type information only with the two ranges.
pub(super) const FIELDS: [Specifier; 9] = [
    (None, 346, 4),
    (None, 303, 2),
    (None, 339, 1),
    (None, 344, 1),
    (None, 345, 2),
    (None, 342, 8),
    (None, 343, 8),
    (None, 341, 0xffff),
    (None, 340, 0xffff),
];

/// Appends the record that describes `element`.
pub(super) fn write(out: &mut Vec<u8>, element: &OwnElement) {
    // Both 0 where every value of the type is in range (RFC 5610, 3.7 and 3.8).
    let range_end = match element.data_type {
        DataType::Unsigned64 | DataType::Milliseconds => u64::MAX,
        DataType::Unsigned32 => u32::MAX.into(),
        DataType::Unsigned8 => u8::MAX.into(),
        DataType::String | DataType::Octets | DataType::Ipv4 | DataType::Ipv6 => 0,
    };
    out.extend_from_slice(&ENTERPRISE.to_be_bytes());
    word(out, element.id);
    out.push(element.data_type as u8);
    out.push(element.semantics as u8);
    word(out, element.units);
    out.extend_from_slice(&0_u64.to_be_bytes());
    out.extend_from_slice(&range_end.to_be_bytes());
    variable(out, element.name, SHORT_TEXT);
    variable(out, element.description, LONG_TEXT);
}
