//! The templates: which fields the records of a kind and address family have, and in which order.

use dataplane::access::Text;

use super::element::{self, DataType, OwnElement};
use super::{ENTERPRISE, REVERSE};
use crate::presence::access::AccessUser;
use crate::record::{Body, Class, Record, SessionAction};

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

/// What binary records of access users have, as `version` in `[log.access]` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessVersion {
    /// One VLAN, IPv4.
    V1,
    /// Stacked VLANs, IPv4.
    V2,
    /// One VLAN, IPv4 and IPv6.
    V3,
    /// Stacked VLANs, IPv4 and IPv6.
    #[default]
    V4,
}

impl AccessVersion {
    /// Its number, 1 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// Whether records of this version can tell where a user is: two VLANs need a version that has both, an address needs
    /// one that has its family. A user without any address is carried.
    pub fn carries(self, user: &AccessUser) -> bool {
        let has_ipv6 = user.ipv6.is_some() || user.prefix.is_some();
        let (stacks, tells_ipv6) = match self {
            Self::V1 => (false, false),
            Self::V2 => (true, false),
            Self::V3 => (false, true),
            Self::V4 => (true, true),
        };
        (stacks || user.cvlan == 0) && (tells_ipv6 || !has_ipv6 || user.ipv4.is_some())
    }
}

/// A template.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// Its number, the same in every transport session.
    pub id: u16,
    /// The fields in three runs: those of all records, those of the flow, those of the kind.
    pub fields: [&'static [Field]; 3],
}

const ALL: &[Field] = &[Field::Time, Field::Boot, Field::Sequence];

macro_rules! flow {
    ($client:ident, $server:ident) => {
        &[
            Field::Session,
            Field::$client,
            Field::$server,
            Field::ClientPort,
            Field::ServerPort,
            Field::Protocol,
            Field::Vlan,
            Field::ServiceVlan,
            Field::CustomerVlan,
            Field::Application,
            Field::Rule,
            Field::ClientInterface,
            Field::ServerInterface,
            Field::ClientZone,
            Field::ServerZone,
            Field::UserText,
            Field::UserMac,
            Field::AccessInterface,
        ]
    };
}

const V4: &[Field] = flow!(ClientV4, ServerV4);
const V6: &[Field] = flow!(ClientV6, ServerV6);

macro_rules! ends {
    ($client:ident, $server:ident) => {
        &[
            Field::$client,
            Field::$server,
            Field::ClientPort,
            Field::ServerPort,
            Field::Protocol,
            Field::ClientInterface,
            Field::ServerInterface,
            Field::ClientZone,
            Field::ServerZone,
        ]
    };
}

const ENDS_V4: &[Field] = ends!(ClientV4, ServerV4);
const ENDS_V6: &[Field] = ends!(ClientV6, ServerV6);

const MOMENT: &[Field] = &[Field::FirewallEvent, Field::Start, Field::End];
const DENY: &[Field] = &[Field::FirewallEvent, Field::Start, Field::End, Field::Packets];
const ATTACK: &[Field] = &[
    Field::AttackKind,
    Field::AttackPhase,
    Field::Octets,
    Field::Packets,
    Field::AttackTotal,
    Field::AttackRate,
    Field::Start,
    Field::End,
];
const CLOSE: &[Field] = &[
    Field::FirewallEvent,
    Field::Start,
    Field::End,
    Field::EndReason,
    Field::OctetsToServer,
    Field::PacketsToServer,
    Field::OctetsToClient,
    Field::PacketsToClient,
    Field::CloseReason,
];
/// What RFC 8158, 5.2 adds for a translated session.
const NAT_MOMENT: &[Field] =
    &[Field::NatEvent, Field::NatSource, Field::NatSourcePort, Field::FirewallEvent, Field::Start, Field::End];
const NAT_CLOSE: &[Field] = &[
    Field::NatEvent,
    Field::NatSource,
    Field::NatSourcePort,
    Field::FirewallEvent,
    Field::Start,
    Field::End,
    Field::EndReason,
    Field::OctetsToServer,
    Field::PacketsToServer,
    Field::OctetsToClient,
    Field::PacketsToClient,
    Field::CloseReason,
];
const SIGN_ON: &[Field] = &[
    Field::Start,
    Field::End,
    Field::Action,
    Field::Result,
    Field::Reason,
    Field::Account,
    Field::Online,
    Field::Signatures,
    Field::Confidence,
    Field::PseudonymKey,
];
/// Where an access user is, by what the versions have: with one VLAN or two, with IPv6 or without.
const PLACE_1: &[Field] = &[Field::Vlan, Field::UserV4];
const PLACE_2: &[Field] = &[Field::ServiceVlan, Field::CustomerVlan, Field::UserV4];
const PLACE_3: &[Field] =
    &[Field::Vlan, Field::UserV4, Field::UserV6, Field::UserPrefix, Field::UserPrefixLength, Field::Assigned];
const PLACE_4: &[Field] = &[
    Field::ServiceVlan,
    Field::CustomerVlan,
    Field::UserV4,
    Field::UserV6,
    Field::UserPrefix,
    Field::UserPrefixLength,
    Field::Assigned,
];
const ACCESS: &[Field] = &[
    Field::Start,
    Field::End,
    Field::Action,
    Field::Result,
    Field::Reason,
    Field::Cause,
    Field::AccessSource,
    Field::UserText,
    Field::UserName,
    Field::UserMac,
    Field::AccessInterface,
    Field::ClientZone,
    Field::NasV4,
    Field::NasV6,
    Field::AccessText(Text::NasId),
    Field::NasPort,
    Field::AccessText(Text::NasPortId),
    Field::AccessText(Text::CircuitId),
    Field::AccessText(Text::RemoteId),
    Field::AccessText(Text::HostName),
    Field::AccessText(Text::Class),
    Field::AccessText(Text::Filter),
    Field::AccessText(Text::SessionId),
    Field::AccessText(Text::Message),
    Field::LoginTime,
    Field::LogoutTime,
    Field::Online,
    Field::FromUserOctets,
    Field::FromUserPackets,
    Field::ToUserOctets,
    Field::ToUserPackets,
    Field::Identifies,
    Field::Trust,
];
const LOSS: &[Field] = &[Field::LossClass, Field::LossPlace, Field::LossCount, Field::LossFirst, Field::LossLast];

static CREATE_V4: Template = Template { id: 260, fields: [ALL, V4, MOMENT] };
static CREATE_V6: Template = Template { id: 261, fields: [ALL, V6, MOMENT] };
static CLOSE_V4: Template = Template { id: 262, fields: [ALL, V4, CLOSE] };
static CLOSE_V6: Template = Template { id: 263, fields: [ALL, V6, CLOSE] };
static DENY_V4: Template = Template { id: 264, fields: [ALL, V4, DENY] };
static DENY_V6: Template = Template { id: 265, fields: [ALL, V6, DENY] };
static SIGN_ON_V4: Template = Template { id: 266, fields: [ALL, V4, SIGN_ON] };
static SIGN_ON_V6: Template = Template { id: 267, fields: [ALL, V6, SIGN_ON] };
static ATTACK_V4: Template = Template { id: 269, fields: [ALL, ENDS_V4, ATTACK] };
static ATTACK_V6: Template = Template { id: 270, fields: [ALL, ENDS_V6, ATTACK] };
static NAT_CREATE: Template = Template { id: 272, fields: [ALL, V4, NAT_MOMENT] };
static NAT_CLOSED: Template = Template { id: 273, fields: [ALL, V4, NAT_CLOSE] };
static ACCESS_1: Template = Template { id: 274, fields: [ALL, PLACE_1, ACCESS] };
static ACCESS_2: Template = Template { id: 275, fields: [ALL, PLACE_2, ACCESS] };
static ACCESS_3: Template = Template { id: 276, fields: [ALL, PLACE_3, ACCESS] };
static ACCESS_4: Template = Template { id: 277, fields: [ALL, PLACE_4, ACCESS] };
static CALL_STATUS: Template = Template { id: 278, fields: [ALL, PLACE_4, ACCESS] };
static LOST: Template = Template { id: 268, fields: [ALL, LOSS, &[]] };

impl Template {
    /// The template of a record; of an access user's by the version that the configuration wants.
    pub fn of(record: &Record, version: AccessVersion) -> &'static Self {
        match &record.body {
            Body::Session(session) => {
                let v4 = session.flow.tuple.client.address.is_v4();
                let translated = v4 && session.flow.translation.is_some();
                match (&session.action, v4) {
                    (SessionAction::Create, _) if translated => &NAT_CREATE,
                    (SessionAction::Close { .. }, _) if translated => &NAT_CLOSED,
                    (SessionAction::Create, true) => &CREATE_V4,
                    (SessionAction::Create, false) => &CREATE_V6,
                    (SessionAction::Close { .. }, true) => &CLOSE_V4,
                    (SessionAction::Close { .. }, false) => &CLOSE_V6,
                    (SessionAction::Deny { .. }, true) => &DENY_V4,
                    (SessionAction::Deny { .. }, false) => &DENY_V6,
                }
            }
            Body::Im(im) if im.flow.tuple.client.address.is_v4() => &SIGN_ON_V4,
            Body::Im(_) => &SIGN_ON_V6,
            Body::Attack(attack) if attack.flow.tuple.client.address.is_v4() => &ATTACK_V4,
            Body::Attack(_) => &ATTACK_V6,
            Body::Access(access) => match access.class() {
                Class::CallStatus => &CALL_STATUS,
                _ => Self::of_version(version),
            },
            Body::Loss(_) => &LOST,
        }
    }

    fn of_version(version: AccessVersion) -> &'static Self {
        match version {
            AccessVersion::V1 => &ACCESS_1,
            AccessVersion::V2 => &ACCESS_2,
            AccessVersion::V3 => &ACCESS_3,
            AccessVersion::V4 => &ACCESS_4,
        }
    }

    /// The templates that records of a class may use.
    pub fn of_class(class: Class, version: AccessVersion) -> &'static [&'static Self] {
        static SESSION: [&Template; 8] =
            [&CREATE_V4, &CREATE_V6, &CLOSE_V4, &CLOSE_V6, &DENY_V4, &DENY_V6, &NAT_CREATE, &NAT_CLOSED];
        static IM: [&Template; 2] = [&SIGN_ON_V4, &SIGN_ON_V6];
        static ATTACK: [&Template; 2] = [&ATTACK_V4, &ATTACK_V6];
        static V1: [&Template; 1] = [&ACCESS_1];
        static V2: [&Template; 1] = [&ACCESS_2];
        static V3: [&Template; 1] = [&ACCESS_3];
        static V4: [&Template; 1] = [&ACCESS_4];
        static RESULTS: [&Template; 1] = [&CALL_STATUS];
        match class {
            Class::Session => &SESSION,
            Class::Im => &IM,
            Class::Attack => &ATTACK,
            Class::Access => match version {
                AccessVersion::V1 => &V1,
                AccessVersion::V2 => &V2,
                AccessVersion::V3 => &V3,
                AccessVersion::V4 => &V4,
            },
            Class::CallStatus => &RESULTS,
        }
    }

    /// The template of losses, which records of every class may need.
    pub fn of_losses() -> &'static Self {
        &LOST
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = Field> + Clone + '_ {
        self.fields.iter().flat_map(|run| run.iter().copied())
    }
}
