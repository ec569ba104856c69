//! The binary records in words: the page of the documentation that is made from the tables.

use std::fmt::Write as _;

use super::element::{DataType, OWN, Semantics};
use super::field::{Field, Specifier};
use super::template::{AccessVersion, Template};
use super::{ENTERPRISE, REVERSE, statistics, type_information};
use crate::record::Class;

/// Our own elements and all templates, as Markdown.
pub fn page() -> String {
    let mut page = format!(
        "## Elements of our own\n\nUnder enterprise number {ENTERPRISE}; type-information records (RFC 5610) tell collectors \
         the same.\n\n| number | name | type | semantics | units | what |\n|---:|---|---|---|---|---|\n"
    );
    for element in OWN {
        let (id, name, about) = (element.id, element.name, element.description);
        let (kind, semantics, units) = (kind(element.data_type), semantics(element.semantics), units(element.units));
        let _ = writeln!(page, "| {id} | {name} | {kind} | {semantics} | {units} | {about} |");
    }
    page.push_str("\n## Templates\n\n`v` is a length that varies (RFC 7011, 7).\n");
    for (template, about) in templates() {
        let _ = write!(page, "\n{}, {about}: ", template.id);
        fields(&mut page, template.fields().map(Field::specifier));
    }
    let options = [
        (type_information::TEMPLATE, "type information, an options template", &type_information::FIELDS[..]),
        (statistics::TEMPLATES[0].0, "what was exported, an options template", statistics::TEMPLATES[0].1),
        (statistics::TEMPLATES[1].0, "what was not exported, an options template", statistics::TEMPLATES[1].1),
    ];
    for (id, about, specifiers) in options {
        let _ = write!(page, "\n{id}, {about}: ");
        fields(&mut page, specifiers.iter().copied());
    }
    page
}

/// Every template, and of what.
fn templates() -> Vec<(&'static Template, String)> {
    const SESSIONS: [&str; 8] = [
        "session created, IPv4",
        "session created, IPv6",
        "session closed, IPv4",
        "session closed, IPv6",
        "packets denied, IPv4",
        "packets denied, IPv6",
        "translated session created",
        "translated session closed",
    ];
    let of = |class| Template::of_class(class, AccessVersion::default()).iter().copied();
    let families = |what: &str| ["IPv4", "IPv6"].map(|family| format!("{what}, {family}"));
    let sessions = of(Class::Session).zip(SESSIONS.map(str::to_owned));
    let sign_ons = of(Class::Im).zip(families("sign-on of a messenger's user"));
    let attacks = of(Class::Attack).zip(families("attack"));
    let versions = [AccessVersion::V1, AccessVersion::V2, AccessVersion::V3, AccessVersion::V4];
    let access = versions.into_iter().flat_map(|version| {
        let about = format!("login or logout of an access user, version {}", version.number());
        Template::of_class(Class::Access, version).iter().copied().zip([about])
    });
    let results = of(Class::CallStatus).zip(["result of an access user's login".to_owned()]);
    let trail = of(Class::Audit).zip(["event of the audit trail".to_owned()]);
    let mut all: Vec<_> = sessions.chain(sign_ons).chain(attacks).chain(access).chain(results).chain(trail).collect();
    all.push((Template::of_losses(), "records that were lost".to_owned()));
    all.sort_by_key(|(template, _)| template.id);
    all
}

fn fields(page: &mut String, specifiers: impl Iterator<Item = Specifier>) {
    let names: Vec<String> = specifiers.map(name).collect();
    let _ = writeln!(page, "{}.", names.join(", "));
}

/// A field: name, number where it is IANA's, octets.
fn name((enterprise, id, length): Specifier) -> String {
    let length = if length == u16::MAX { "v".to_owned() } else { length.to_string() };
    match enterprise {
        Some(ENTERPRISE) => {
            let name = OWN.iter().find(|element| element.id == id).map_or("?", |element| element.name);
            format!("{name} ({length})")
        }
        Some(REVERSE) => {
            let name = iana(id);
            let (first, rest) = name.split_at(1);
            format!("reverse{}{rest} ({length})", first.to_uppercase())
        }
        _ => format!("{} {id} ({length})", iana(id)),
    }
}

/// IANA's names of the elements that templates have.
fn iana(id: u16) -> &'static str {
    match id {
        1 => "octetDeltaCount",
        2 => "packetDeltaCount",
        4 => "protocolIdentifier",
        7 => "sourceTransportPort",
        8 => "sourceIPv4Address",
        11 => "destinationTransportPort",
        12 => "destinationIPv4Address",
        27 => "sourceIPv6Address",
        28 => "destinationIPv6Address",
        40 => "exportedOctetTotalCount",
        41 => "exportedMessageTotalCount",
        42 => "exportedFlowRecordTotalCount",
        56 => "sourceMacAddress",
        58 => "vlanId",
        96 => "applicationName",
        136 => "flowEndReason",
        144 => "exportingProcessId",
        148 => "flowId",
        149 => "observationDomainId",
        152 => "flowStartMilliseconds",
        153 => "flowEndMilliseconds",
        166 => "notSentFlowTotalCount",
        225 => "postNATSourceIPv4Address",
        227 => "postNAPTSourceTransportPort",
        230 => "natEvent",
        233 => "firewallEvent",
        243 => "dot1qVlanId",
        245 => "dot1qCustomerVlanId",
        303 => "informationElementId",
        323 => "observationTimeMilliseconds",
        339 => "informationElementDataType",
        340 => "informationElementDescription",
        341 => "informationElementName",
        342 => "informationElementRangeBegin",
        343 => "informationElementRangeEnd",
        344 => "informationElementSemantics",
        345 => "informationElementUnits",
        346 => "privateEnterpriseNumber",
        371 => "userName",
        _ => "?",
    }
}

fn kind(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Octets => "octetArray",
        DataType::Unsigned8 => "unsigned8",
        DataType::Unsigned32 => "unsigned32",
        DataType::Unsigned64 => "unsigned64",
        DataType::String => "string",
        DataType::Milliseconds => "dateTimeMilliseconds",
        DataType::Ipv4 => "ipv4Address",
        DataType::Ipv6 => "ipv6Address",
    }
}

fn semantics(semantics: Semantics) -> &'static str {
    match semantics {
        Semantics::Default => "",
        Semantics::Quantity => "quantity",
        Semantics::DeltaCounter => "deltaCounter",
        Semantics::Identifier => "identifier",
    }
}

fn units(units: u16) -> &'static str {
    match units {
        3 => "packets",
        6 => "milliseconds",
        12 => "entries",
        _ => "",
    }
}
