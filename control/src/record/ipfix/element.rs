//! Our own information elements: the table that templates, type-information records and the documentation share.

/// An abstract data type, by its number in IANA's registry `informationElementDataType` (RFC 5610, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DataType {
    /// octetArray: octets of which nothing else is known.
    Octets = 0,
    /// unsigned8.
    Unsigned8 = 1,
    /// unsigned32.
    Unsigned32 = 3,
    /// unsigned64.
    Unsigned64 = 4,
    /// string: UTF-8.
    String = 13,
    /// dateTimeMilliseconds: since the Unix epoch.
    Milliseconds = 15,
    /// ipv4Address.
    Ipv4 = 18,
    /// ipv6Address.
    Ipv6 = 19,
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
    text(15, "ostiaryLossClass", "class of the lost records: session, im, attack, access, call-status or audit");
pub(super) const LOSS_PLACE: OwnElement = text(
    16,
    "ostiaryLossPlace",
    "worker:NUMBER, or host:, spool:, rate:, shutdown: or crash: and the log host's NAME, or store: and the trail's FILE",
);
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

pub(super) const USER_NAME: OwnElement = octets(26, "ostiaryUserName", "name of the access user, as it came");
pub(super) const ACCESS_SOURCE: OwnElement =
    text(27, "ostiaryAccessSource", "radius, pppoe, 8021x, dhcp or dhcpv6: where the sign-on was seen");
pub(super) const ACCESS_INTERFACE: OwnElement =
    text(28, "ostiaryAccessInterface", "port of the user or of the access server, and its VLANs");
pub(super) const USER_IPV6: OwnElement = address(29, "ostiaryUserIPv6Address", DataType::Ipv6, "the user's; 0: none");
pub(super) const USER_PREFIX: OwnElement =
    address(30, "ostiaryUserIPv6Prefix", DataType::Ipv6, "the user's IPv6 prefix; 0: none");
pub(super) const USER_PREFIX_LENGTH: OwnElement =
    small(31, "ostiaryUserIPv6PrefixLength", DataType::Unsigned8, "its length in bits; 0: none");
pub(super) const ASSIGNED: OwnElement = small(
    32,
    "ostiaryIPv6Assignment",
    DataType::Unsigned8,
    "0 not known, 1 router advertisement, 2 DHCPv6, 3 delegated prefix only, 4 RADIUS",
);
pub(super) const NAS_V4: OwnElement = address(33, "ostiaryNasIPv4Address", DataType::Ipv4, "access server; 0: none");
pub(super) const NAS_V6: OwnElement = address(34, "ostiaryNasIPv6Address", DataType::Ipv6, "access server; 0: none");
pub(super) const NAS_ID: OwnElement = octets(35, "ostiaryNasIdentifier", "NAS-Identifier of RADIUS");
pub(super) const NAS_PORT: OwnElement = small(36, "ostiaryNasPort", DataType::Unsigned32, "NAS-Port; 0: none");
pub(super) const NAS_PORT_ID: OwnElement = octets(37, "ostiaryNasPortId", "NAS-Port-Id of RADIUS");
pub(super) const CIRCUIT_ID: OwnElement = octets(38, "ostiaryCircuitId", "line, as the access node names it");
pub(super) const REMOTE_ID: OwnElement = octets(39, "ostiaryRemoteId", "subscriber's end of the line");
pub(super) const HOST_NAME: OwnElement = octets(40, "ostiaryHostName", "the host's name for itself");
pub(super) const USER_GROUP: OwnElement = octets(41, "ostiaryUserGroup", "Class of RADIUS");
pub(super) const FILTER_ID: OwnElement = octets(42, "ostiaryFilterId", "Filter-Id of RADIUS");
pub(super) const ACCESS_SESSION: OwnElement = octets(43, "ostiaryAccessSessionId", "Acct-Session-Id of RADIUS");
pub(super) const ACCESS_MESSAGE: OwnElement = octets(44, "ostiaryAccessMessage", "what the server told the user");
pub(super) const IDENTIFIES: OwnElement = text(45, "ostiaryIdentifies", "person, host or port: what the account names");
pub(super) const TRUST: OwnElement =
    text(46, "ostiaryTrust", "verified or unverified: whether RADIUS's authenticator could be; empty of others");
pub(super) const LOGIN_TIME: OwnElement = time(47, "ostiaryLoginTime", "when the user signed on; 0: not known");
pub(super) const LOGOUT_TIME: OwnElement = time(48, "ostiaryLogoutTime", "when the user signed off; 0: did not");
pub(super) const ACCESS_CAUSE: OwnElement =
    small(49, "ostiaryAccessCause", DataType::Unsigned32, "Acct-Terminate-Cause, of reason other; 0: none");

pub(super) const LOSS_REASON: OwnElement = text(
    50,
    "ostiaryLossReason",
    "queue-full, spool-full, spool-age, spool-corrupt, suppressed, uncarried, refused, shutdown, crash or store-full",
);
pub(super) const LOSS_FIRST_SEQUENCE: OwnElement = number(
    51,
    "ostiaryLossFirstSequence",
    Semantics::Identifier,
    0,
    "ostiaryRecordSequence of the first lost; 0: none",
);
pub(super) const LOSS_LAST_SEQUENCE: OwnElement =
    number(52, "ostiaryLossLastSequence", Semantics::Identifier, 0, "ostiaryRecordSequence of the last lost; 0: none");

pub(super) const AUDIT_EVENT: OwnElement = text(53, "ostiaryAuditEvent", "what happened, by the name of the event");
pub(super) const AUDIT_OUTCOME: OwnElement =
    text(54, "ostiaryAuditOutcome", "success or failure; empty where there was nothing to succeed in");
pub(super) const AUDIT_SEVERITY: OwnElement =
    small(55, "ostiaryAuditSeverity", DataType::Unsigned8, "severity of RFC 5424: 0 emergency to 7 debug");
pub(super) const AUDIT_UID: OwnElement =
    small(56, "ostiaryAuditUserId", DataType::Unsigned32, "user id of the subject; 4294967295: not known");
pub(super) const AUDIT_PID: OwnElement =
    small(57, "ostiaryAuditProcessId", DataType::Unsigned32, "process of the subject; 0: not known");
pub(super) const AUDIT_ROLE: OwnElement = text(58, "ostiaryAuditRole", "role of the subject; empty: not known");
pub(super) const AUDIT_VIA: OwnElement = text(59, "ostiaryAuditVia", "by which way; empty: not known");
pub(super) const AUDIT_SESSION: OwnElement =
    small(60, "ostiaryAuditSession", DataType::Unsigned32, "session of NETCONF; 0: none");
pub(super) const AUDIT_DETAIL: OwnElement =
    text(61, "ostiaryAuditDetail", "the event's fields as name=value, a space between two, cut at 254 octets");
pub(super) const AUDIT_ORIGIN_V4: OwnElement =
    address(62, "ostiaryAuditOriginIPv4Address", DataType::Ipv4, "where the subject is; 0: not known");
pub(super) const AUDIT_ORIGIN_V6: OwnElement =
    address(63, "ostiaryAuditOriginIPv6Address", DataType::Ipv6, "where the subject is; 0: not known");

const fn octets(id: u16, name: &'static str, description: &'static str) -> OwnElement {
    OwnElement { id, name, data_type: DataType::Octets, semantics: Semantics::Default, units: 0, description }
}

const fn address(id: u16, name: &'static str, data_type: DataType, description: &'static str) -> OwnElement {
    OwnElement { id, name, data_type, semantics: Semantics::Default, units: 0, description }
}

const fn small(id: u16, name: &'static str, data_type: DataType, description: &'static str) -> OwnElement {
    OwnElement { id, name, data_type, semantics: Semantics::Identifier, units: 0, description }
}

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
    USER_NAME,
    ACCESS_SOURCE,
    ACCESS_INTERFACE,
    USER_IPV6,
    USER_PREFIX,
    USER_PREFIX_LENGTH,
    ASSIGNED,
    NAS_V4,
    NAS_V6,
    NAS_ID,
    NAS_PORT,
    NAS_PORT_ID,
    CIRCUIT_ID,
    REMOTE_ID,
    HOST_NAME,
    USER_GROUP,
    FILTER_ID,
    ACCESS_SESSION,
    ACCESS_MESSAGE,
    IDENTIFIES,
    TRUST,
    LOGIN_TIME,
    LOGOUT_TIME,
    ACCESS_CAUSE,
    LOSS_REASON,
    LOSS_FIRST_SEQUENCE,
    LOSS_LAST_SEQUENCE,
    AUDIT_EVENT,
    AUDIT_OUTCOME,
    AUDIT_SEVERITY,
    AUDIT_UID,
    AUDIT_PID,
    AUDIT_ROLE,
    AUDIT_VIA,
    AUDIT_SESSION,
    AUDIT_DETAIL,
    AUDIT_ORIGIN_V4,
    AUDIT_ORIGIN_V6,
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
                _ => 0,
            };
            assert_eq!(element.units, units, "{}", element.name);
        }
    }
}
