//! Our own information elements: the table that templates, type-information records and the documentation share.

/// An abstract data type, by its number in IANA's registry `informationElementDataType` (RFC 5610, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DataType {
    /// unsigned64.
    Unsigned64 = 4,
    /// string: UTF-8.
    String = 13,
    /// dateTimeMilliseconds: since the Unix epoch.
    Milliseconds = 15,
}

/// Element semantics, by its number in IANA's registry `informationElementSemantics` (RFC 5610, 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Semantics {
    /// default.
    Default = 0,
    /// quantity.
    Quantity = 1,
    /// deltaCounter.
    DeltaCounter = 3,
    /// identifier.
    Identifier = 4,
}

/// An element under our enterprise number.
#[derive(Clone, Copy, Debug)]
pub struct OwnElement {
    /// Its number, 1 to 32767; never used again for anything else.
    pub id: u16,
    /// Its name, in the manner of RFC 7012.
    pub name: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// How it may be computed with.
    pub semantics: Semantics,
    /// By its number in IANA's registry `informationElementUnits`: 0 none, 3 packets,
    /// 6 milliseconds, 12 entries.
    pub units: u16,
    /// What it says, in one line.
    pub description: &'static str,
}

const fn text(id: u16, name: &'static str, description: &'static str) -> OwnElement {
    OwnElement { id, name, data_type: DataType::String, semantics: Semantics::Default, units: 0, description }
}

const fn number(id: u16, name: &'static str, semantics: Semantics, units: u16, about: &'static str) -> OwnElement {
    OwnElement { id, name, data_type: DataType::Unsigned64, semantics, units, description: about }
}

const fn time(id: u16, name: &'static str, description: &'static str) -> OwnElement {
    let (data_type, semantics) = (DataType::Milliseconds, Semantics::Default);
    OwnElement { id, name, data_type, semantics, units: 6, description }
}

pub(super) const BOOT: OwnElement =
    number(1, "ostiaryBootId", Semantics::Identifier, 0, "run of the process that made the record");
pub(super) const SEQUENCE: OwnElement = number(
    2,
    "ostiaryRecordSequence",
    Semantics::Identifier,
    0,
    "number of the record in that run; tells duplicates and gaps",
);
pub(super) const RULE: OwnElement = text(3, "ostiaryRuleName", "policy rule that applied");
pub(super) const ACTION: OwnElement = text(4, "ostiarySignOnAction", "login, logout, result or seen");
pub(super) const REASON: OwnElement = text(5, "ostiarySignOnReason", "ground of the action");
pub(super) const ACCOUNT: OwnElement = text(6, "ostiaryAccount", "account of the application; empty: not visible");
pub(super) const RESULT: OwnElement = text(7, "ostiarySignOnResult", "ok or fail; empty unless action is result");
pub(super) const ONLINE: OwnElement =
    number(8, "ostiaryOnlineMilliseconds", Semantics::Quantity, 6, "how long the account was online; 0: not known");
pub(super) const SIGNATURES: OwnElement = text(9, "ostiarySignatureVersion", "version of the signature database");
pub(super) const CLOSE_REASON: OwnElement =
    text(10, "ostiaryCloseReason", "fin, reset, timeout, policy, evicted or shutdown");
pub(super) const CLIENT_INTERFACE: OwnElement = text(11, "ostiaryClientInterfaceName", "port on the client's side");
pub(super) const SERVER_INTERFACE: OwnElement = text(12, "ostiaryServerInterfaceName", "port on the server's side");
pub(super) const CLIENT_ZONE: OwnElement = text(13, "ostiaryClientZone", "zone of the client's side");
pub(super) const SERVER_ZONE: OwnElement = text(14, "ostiaryServerZone", "zone of the server's side");
pub(super) const LOSS_CLASS: OwnElement =
    text(15, "ostiaryLossClass", "class of the lost records: session, im or attack");
pub(super) const LOSS_PLACE: OwnElement = text(16, "ostiaryLossPlace", "worker:NUMBER, host:NAME or shutdown:NAME");
pub(super) const LOSS_COUNT: OwnElement =
    number(17, "ostiaryLossCount", Semantics::DeltaCounter, 12, "records lost in the span");
pub(super) const LOSS_FIRST: OwnElement = time(18, "ostiaryLossFirst", "when the first was lost");
pub(super) const LOSS_LAST: OwnElement = time(19, "ostiaryLossLast", "when the last was lost");
pub(super) const ATTACK_KIND: OwnElement =
    text(20, "ostiaryAttackKind", "name of the attack, as the drop counter has it");
pub(super) const ATTACK_PHASE: OwnElement = text(21, "ostiaryAttackPhase", "begin, ongoing or end");
pub(super) const ATTACK_TOTAL: OwnElement =
    number(22, "ostiaryAttackTotalPackets", Semantics::Quantity, 3, "packets of the attack since it began");
pub(super) const ATTACK_RATE: OwnElement =
    number(23, "ostiaryAttackPacketsPerSecond", Semantics::Quantity, 0, "packets a second since the last record");

pub(super) const CONFIDENCE: OwnElement = text(24, "ostiarySignOnConfidence", "certain or likely");
pub(super) const PSEUDONYM_KEY: OwnElement =
    text(25, "ostiaryPseudonymKey", "which key made the account; empty unless that is a pseudonym");

/// All of them.
pub const OWN: &[OwnElement] = &[
    BOOT,
    SEQUENCE,
    RULE,
    ACTION,
    REASON,
    ACCOUNT,
    RESULT,
    ONLINE,
    SIGNATURES,
    CLOSE_REASON,
    CLIENT_INTERFACE,
    SERVER_INTERFACE,
    CLIENT_ZONE,
    SERVER_ZONE,
    LOSS_CLASS,
    LOSS_PLACE,
    LOSS_COUNT,
    LOSS_FIRST,
    LOSS_LAST,
    ATTACK_KIND,
    ATTACK_PHASE,
    ATTACK_TOTAL,
    ATTACK_RATE,
    CONFIDENCE,
    PSEUDONYM_KEY,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_used_once() {
        for (at, element) in OWN.iter().enumerate() {
            assert_eq!(usize::from(element.id), at + 1);
            assert!(OWN[..at].iter().all(|other| other.name != element.name));
        }
    }

    /// RFC 5610, 3.5: what a name promises, the units say.
    #[test]
    fn units_are_those_of_the_registry() {
        for element in OWN {
            let units = match element.data_type {
                DataType::Milliseconds => 6,
                DataType::Unsigned64 if element.name.ends_with("Milliseconds") => 6,
                DataType::Unsigned64 if element.name.ends_with("Packets") => 3,
                DataType::Unsigned64 if element.name.ends_with("LossCount") => 12,
                DataType::Unsigned64 | DataType::String => 0,
            };
            assert_eq!(element.units, units, "{}", element.name);
        }
    }
}
