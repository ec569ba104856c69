//! The fields of records, and how templates declare them.

use dataplane::access::Text;

use super::element::{self, DataType, OwnElement};
use super::{ENTERPRISE, REVERSE};

/// What a field of a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// observationTimeMilliseconds: when it happened.
    Time,
    /// ostiaryBootId.
    Boot,
    /// ostiaryRecordSequence.
    Sequence,
    /// firewallEvent: 1 flow created, 2 flow deleted, 3 flow denied.
    FirewallEvent,
    /// natEvent: 4 NAT44 session created, 5 NAT44 session deleted (RFC 8158, 4).
    NatEvent,
    /// postNATSourceIPv4Address.
    NatSource,
    /// postNAPTSourceTransportPort.
    NatSourcePort,
    /// flowId: the session's number.
    Session,
    /// sourceIPv4Address.
    ClientV4,
    /// destinationIPv4Address.
    ServerV4,
    /// sourceIPv6Address.
    ClientV6,
    /// destinationIPv6Address.
    ServerV6,
    /// sourceTransportPort.
    ClientPort,
    /// destinationTransportPort.
    ServerPort,
    /// protocolIdentifier.
    Protocol,
    /// vlanId: the outer VLAN, which collectors that know no Q-in-Q look at.
    Vlan,
    /// dot1qVlanId: the outer VLAN.
    ServiceVlan,
    /// dot1qCustomerVlanId: the inner VLAN.
    CustomerVlan,
    /// applicationName.
    Application,
    /// ostiaryRuleName.
    Rule,
    /// ostiaryClientInterfaceName.
    ClientInterface,
    /// ostiaryServerInterfaceName.
    ServerInterface,
    /// ostiaryClientZone.
    ClientZone,
    /// ostiaryServerZone.
    ServerZone,
    /// flowStartMilliseconds: when the session was created; of denied packets, when the first of those
    /// that the record counts came; of an attack, when it began; of a sign-on, when it happened.
    Start,
    /// flowEndMilliseconds: when the session was closed; in all other records, when it happened: collectors of flows show
    /// this and know nothing of observation times.
    End,
    /// flowEndReason.
    EndReason,
    /// octetDeltaCount: client to server.
    OctetsToServer,
    /// packetDeltaCount: client to server.
    PacketsToServer,
    /// reverseOctetDeltaCount: server to client.
    OctetsToClient,
    /// reversePacketDeltaCount: server to client.
    PacketsToClient,
    /// ostiaryCloseReason.
    CloseReason,
    /// ostiarySignOnAction.
    Action,
    /// ostiarySignOnResult.
    Result,
    /// ostiarySignOnReason.
    Reason,
    /// ostiaryAccount.
    Account,
    /// ostiaryOnlineMilliseconds.
    Online,
    /// ostiarySignatureVersion.
    Signatures,
    /// ostiarySignOnConfidence.
    Confidence,
    /// ostiaryPseudonymKey.
    PseudonymKey,
    /// ostiaryLossClass.
    LossClass,
    /// ostiaryLossPlace.
    LossPlace,
    /// ostiaryLossCount.
    LossCount,
    /// ostiaryLossFirst.
    LossFirst,
    /// ostiaryLossLast.
    LossLast,
    /// ostiaryLossReason.
    LossReason,
    /// ostiaryLossFirstSequence.
    LossFirstSequence,
    /// ostiaryLossLastSequence.
    LossLastSequence,
    /// packetDeltaCount: of denied packets or of an attack, since the last record.
    Packets,
    /// ostiaryAttackKind.
    AttackKind,
    /// ostiaryAttackPhase.
    AttackPhase,
    /// ostiaryAttackTotalPackets.
    AttackTotal,
    /// ostiaryAttackPacketsPerSecond.
    AttackRate,
    /// octetDeltaCount: of an attack, since the last record.
    Octets,
    /// userName: UTF-8, empty where the name is none; of a flow, that of the access user who had the client's address.
    UserText,
    /// ostiaryUserName.
    UserName,
    /// sourceMacAddress.
    UserMac,
    /// sourceIPv4Address: the user's.
    UserV4,
    /// ostiaryUserIPv6Address.
    UserV6,
    /// ostiaryUserIPv6Prefix.
    UserPrefix,
    /// ostiaryUserIPv6PrefixLength.
    UserPrefixLength,
    /// ostiaryIPv6Assignment.
    Assigned,
    /// ostiaryAccessSource.
    AccessSource,
    /// ostiaryAccessInterface.
    AccessInterface,
    /// ostiaryNasIPv4Address.
    NasV4,
    /// ostiaryNasIPv6Address.
    NasV6,
    /// ostiaryNasPort.
    NasPort,
    /// A text of RADIUS, PPPoE or DHCP, each an element of its own.
    AccessText(Text),
    /// ostiaryIdentifies.
    Identifies,
    /// ostiaryTrust.
    Trust,
    /// ostiaryLoginTime.
    LoginTime,
    /// ostiaryLogoutTime.
    LogoutTime,
    /// ostiaryAccessCause.
    Cause,
    /// octetDeltaCount: from the user.
    FromUserOctets,
    /// packetDeltaCount: from the user.
    FromUserPackets,
    /// reverseOctetDeltaCount: to the user.
    ToUserOctets,
    /// reversePacketDeltaCount: to the user.
    ToUserPackets,
    /// ostiaryAuditEvent.
    AuditEvent,
    /// ostiaryAuditOutcome.
    AuditOutcome,
    /// ostiaryAuditSeverity.
    AuditSeverity,
    /// ostiaryAuditUserId.
    AuditUid,
    /// ostiaryAuditProcessId.
    AuditPid,
    /// ostiaryAuditRole.
    AuditRole,
    /// ostiaryAuditVia.
    AuditVia,
    /// ostiaryAuditSession.
    AuditSession,
    /// ostiaryAuditDetail.
    AuditDetail,
    /// ostiaryAuditOriginIPv4Address.
    AuditOriginV4,
    /// ostiaryAuditOriginIPv6Address.
    AuditOriginV6,
}

/// A field specifier, RFC 7011, 3.2: enterprise number (none for IANA's), element, length in octets.
pub(super) type Specifier = (Option<u32>, u16, u16);

/// The length that stands for variable (RFC 7011, 7).
const VARIABLE: u16 = 0xffff;

impl Field {
    /// Octets of its value; none where they vary.
    pub const fn length(self) -> Option<usize> {
        match self.specifier() {
            (_, _, VARIABLE) => None,
            (_, _, length) => Some(length as usize),
        }
    }

    /// How templates declare it.
    pub(super) const fn specifier(self) -> Specifier {
        match self {
            Self::Time => (None, 323, 8),
            Self::Boot => own(element::BOOT),
            Self::Sequence => own(element::SEQUENCE),
            Self::FirewallEvent => (None, 233, 1),
            Self::NatEvent => (None, 230, 1),
            Self::NatSource => (None, 225, 4),
            Self::NatSourcePort => (None, 227, 2),
            Self::Session => (None, 148, 8),
            Self::ClientV4 => (None, 8, 4),
            Self::ServerV4 => (None, 12, 4),
            Self::ClientV6 => (None, 27, 16),
            Self::ServerV6 => (None, 28, 16),
            Self::ClientPort => (None, 7, 2),
            Self::ServerPort => (None, 11, 2),
            Self::Protocol => (None, 4, 1),
            Self::Vlan => (None, 58, 2),
            Self::ServiceVlan => (None, 243, 2),
            Self::CustomerVlan => (None, 245, 2),
            Self::Application => (None, 96, VARIABLE),
            Self::Rule => own(element::RULE),
            Self::ClientInterface => own(element::CLIENT_INTERFACE),
            Self::ServerInterface => own(element::SERVER_INTERFACE),
            Self::ClientZone => own(element::CLIENT_ZONE),
            Self::ServerZone => own(element::SERVER_ZONE),
            Self::Start => (None, 152, 8),
            Self::End => (None, 153, 8),
            Self::EndReason => (None, 136, 1),
            Self::OctetsToServer => (None, 1, 8),
            Self::PacketsToServer => (None, 2, 8),
            Self::OctetsToClient => (Some(REVERSE), 1, 8),
            Self::PacketsToClient => (Some(REVERSE), 2, 8),
            Self::CloseReason => own(element::CLOSE_REASON),
            Self::Action => own(element::ACTION),
            Self::Result => own(element::RESULT),
            Self::Reason => own(element::REASON),
            Self::Account => own(element::ACCOUNT),
            Self::Online => own(element::ONLINE),
            Self::Signatures => own(element::SIGNATURES),
            Self::Confidence => own(element::CONFIDENCE),
            Self::PseudonymKey => own(element::PSEUDONYM_KEY),
            Self::LossClass => own(element::LOSS_CLASS),
            Self::LossPlace => own(element::LOSS_PLACE),
            Self::LossCount => own(element::LOSS_COUNT),
            Self::LossFirst => own(element::LOSS_FIRST),
            Self::LossLast => own(element::LOSS_LAST),
            Self::LossReason => own(element::LOSS_REASON),
            Self::LossFirstSequence => own(element::LOSS_FIRST_SEQUENCE),
            Self::LossLastSequence => own(element::LOSS_LAST_SEQUENCE),
            Self::Packets => (None, 2, 8),
            Self::AttackKind => own(element::ATTACK_KIND),
            Self::AttackPhase => own(element::ATTACK_PHASE),
            Self::AttackTotal => own(element::ATTACK_TOTAL),
            Self::AttackRate => own(element::ATTACK_RATE),
            Self::Octets | Self::FromUserOctets => (None, 1, 8),
            Self::UserText => (None, 371, VARIABLE),
            Self::UserName => own(element::USER_NAME),
            Self::UserMac => (None, 56, 6),
            Self::UserV4 => (None, 8, 4),
            Self::UserV6 => own(element::USER_IPV6),
            Self::UserPrefix => own(element::USER_PREFIX),
            Self::UserPrefixLength => own(element::USER_PREFIX_LENGTH),
            Self::Assigned => own(element::ASSIGNED),
            Self::AccessSource => own(element::ACCESS_SOURCE),
            Self::AccessInterface => own(element::ACCESS_INTERFACE),
            Self::NasV4 => own(element::NAS_V4),
            Self::NasV6 => own(element::NAS_V6),
            Self::NasPort => own(element::NAS_PORT),
            Self::AccessText(text) => own(of_text(text)),
            Self::Identifies => own(element::IDENTIFIES),
            Self::Trust => own(element::TRUST),
            Self::LoginTime => own(element::LOGIN_TIME),
            Self::LogoutTime => own(element::LOGOUT_TIME),
            Self::Cause => own(element::ACCESS_CAUSE),
            Self::FromUserPackets => (None, 2, 8),
            Self::ToUserOctets => (Some(REVERSE), 1, 8),
            Self::ToUserPackets => (Some(REVERSE), 2, 8),
            Self::AuditEvent => own(element::AUDIT_EVENT),
            Self::AuditOutcome => own(element::AUDIT_OUTCOME),
            Self::AuditSeverity => own(element::AUDIT_SEVERITY),
            Self::AuditUid => own(element::AUDIT_UID),
            Self::AuditPid => own(element::AUDIT_PID),
            Self::AuditRole => own(element::AUDIT_ROLE),
            Self::AuditVia => own(element::AUDIT_VIA),
            Self::AuditSession => own(element::AUDIT_SESSION),
            Self::AuditDetail => own(element::AUDIT_DETAIL),
            Self::AuditOriginV4 => own(element::AUDIT_ORIGIN_V4),
            Self::AuditOriginV6 => own(element::AUDIT_ORIGIN_V6),
        }
    }
}

/// The element of a text.
const fn of_text(text: Text) -> OwnElement {
    match text {
        Text::User => element::USER_NAME,
        Text::Class => element::USER_GROUP,
        Text::Filter => element::FILTER_ID,
        Text::HostName | Text::ClientId => element::HOST_NAME,
        Text::CircuitId => element::CIRCUIT_ID,
        Text::RemoteId | Text::SubscriberId => element::REMOTE_ID,
        Text::NasId | Text::CalledStation => element::NAS_ID,
        Text::NasPortId => element::NAS_PORT_ID,
        Text::SessionId => element::ACCESS_SESSION,
        Text::Message => element::ACCESS_MESSAGE,
    }
}

const fn own(element: OwnElement) -> Specifier {
    let length = match element.data_type {
        DataType::Unsigned64 | DataType::Milliseconds => 8,
        DataType::Unsigned8 => 1,
        DataType::Unsigned32 | DataType::Ipv4 => 4,
        DataType::Ipv6 => 16,
        DataType::String | DataType::Octets => VARIABLE,
    };
    (Some(ENTERPRISE), element.id, length)
}
