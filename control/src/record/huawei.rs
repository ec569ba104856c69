//! Records of access users as the vendor's boxes write theirs in syslog: one line, one event a message.
//!
//! ```text
//! <189>2026-03-01 08:15:30 fw1 %%01CM/5/USER_ACCESSRESULT(l):[USER_INFO_ACCESS]DEVICEMAC:-;DEVICENAME:fw1;USER:alice;
//! MAC:0200-5e00-5301;IPADDRESS:198.51.100.7;TIME:1772352930;ZONE:UTC+0000;DAYLIGHT:false;…
//! ```
//!
//! The keys and their order are those of the vendor's log reference for USER_OFFLINERESULT; what is not known is `-`. What
//! was lost is told as the module INFOCENTER tells it, in words of our own.

use std::fmt::{self, Write as _};

use dataplane::access::Text;
use dataplane::time::Nanos;
use jiff::Timestamp;
use jiff::tz::{Dst, TimeZone};

use super::access::AccessRecord;
use super::{Body, LossRecord, Record};
use crate::presence::access::{AccessAction, AccessReason, AccessUser};

/// The facility that those boxes use, RFC 5424, table 1.
const LOCAL7: u8 = 23;
/// RFC 5424, table 2: what `/5/` says in the head, and the `/4/` of a loss.
const NOTICE: u8 = 5;
const WARNING: u8 = 4;

/// Writes records for one receiver.
#[derive(Debug)]
pub struct Formatter {
    host: String,
    zone: Option<TimeZone>,
}

impl Formatter {
    /// For messages of `host_name`; time stamps in `zone`, in UTC where there is none.
    pub fn new(host_name: &str, zone: Option<TimeZone>) -> Self {
        let host: String = host_name.chars().filter(|c| matches!(c, '!'..='~')).take(255).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, zone }
    }

    /// Appends one message, without framing; nothing of a record that has no form here.
    pub fn format(&self, record: &Record, out: &mut Vec<u8>) {
        let line = match &record.body {
            Body::Access(access) => self.access(record.time, access),
            Body::Loss(loss) => self.loss(record.time, loss),
            Body::Session(_) | Body::Im(_) | Body::Attack(_) | Body::Audit(_) => return,
        };
        out.extend_from_slice(line.as_bytes());
    }

    fn head(&self, severity: u8, time: Nanos, module: &str, name: &str) -> String {
        let moment = Moment::new(time, self.zone.as_ref());
        let priority = LOCAL7 * 8 + severity;
        format!("<{priority}>{} {} %%01{module}/{severity}/{name}(l):", moment.civil, self.host)
    }

    fn access(&self, time: Nanos, access: &AccessRecord) -> String {
        let (name, kind) = match access.action {
            AccessAction::Login | AccessAction::Seen => ("USER_ACCESSRESULT", "USER_INFO_ACCESS"),
            AccessAction::Logout => ("USER_OFFLINERESULT", "USER_INFO_OFFLINE"),
            AccessAction::Result { .. } => ("USER_AUTHENRESULT", "USER_INFO_AUTHENTICATION"),
        };
        let user = &*access.user;
        let moment = Moment::new(time, self.zone.as_ref());
        let result = match access.action {
            AccessAction::Login | AccessAction::Result { success: true } => "Success",
            AccessAction::Seen => "Online",
            AccessAction::Logout => "Offline",
            AccessAction::Result { success: false } => "Failed",
        };
        let mut line = self.head(NOTICE, time, "CM", name);
        let _ = write!(line, "[{kind}]DEVICEMAC:-;DEVICENAME:{};", self.host);
        let mut put = |key: &str, value: &dyn fmt::Display| {
            let _ = write!(line, "{key}:{value};");
        };
        put("USER", &Octets(user.user.as_deref().unwrap_or(&user.account)));
        put("MAC", &Known(user.mac.map(|mac| Mac(mac.0))));
        let prefix = user.prefix.map(|(address, length)| Prefix(address, length));
        match (user.ipv4, user.ipv6) {
            (Some(address), _) => put("IPADDRESS", &std::net::Ipv4Addr::from(address)),
            (None, Some(address)) => put("IPADDRESS", &std::net::Ipv6Addr::from(address)),
            (None, None) => put("IPADDRESS", &Known(prefix)),
        }
        put("TIME", &(time.millis() / 1000));
        put("ZONE", &moment.zone);
        put("DAYLIGHT", &moment.daylight);
        match access.reason {
            AccessReason::Other(cause) => put("ERRCODE", &cause),
            reason => put("ERRCODE", &reason.text()),
        }
        put("RESULT", &result);
        put("USERGROUP", &Octets(user.text(Text::Class)));
        put("AUTHENPLACE", &user.source.name().to_ascii_uppercase());
        put("EXTENDINFO", &Further { user, prefix });
        put("CIB ID", &Octets(user.text(Text::SessionId)));
        put("INTERFACE", &Known(access.interface()));
        put("ACCESS TYPE", &user.source.name());
        put("RDSIP", &Known(user.nas.map(|nas| nas.ip())));
        put("Portal TYPE", &"-");
        put("AUTHID", &"-");
        line
    }

    fn loss(&self, time: Nanos, loss: &LossRecord) -> String {
        let mut line = self.head(WARNING, time, "INFOCENTER", "LOG_LOST");
        let _ = write!(line, "CLASS:{};PLACE:{};COUNT:{};", loss.class.text(), loss.place, loss.count);
        let _ = write!(line, "REASON:{};", loss.reason.text());
        if let Some((first, last)) = loss.sequences {
            let _ = write!(line, "FIRST:{first};LAST:{last};");
        }
        line
    }
}

/// A time in a zone.
struct Moment {
    /// `2026-03-01 08:15:30`.
    civil: String,
    /// `UTC+0800`.
    zone: String,
    daylight: bool,
}

impl Moment {
    fn new(time: Nanos, zone: Option<&TimeZone>) -> Self {
        let at = Timestamp::from_second((time.millis() / 1000) as i64).unwrap_or(Timestamp::MAX);
        let zone = zone.unwrap_or(&TimeZone::UTC).clone();
        let info = zone.to_offset_info(at);
        let (offset, daylight) = (info.offset().seconds(), info.dst() == Dst::Yes);
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        Self {
            civil: at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            zone: format!("UTC{sign}{:02}{:02}", minutes / 60, minutes % 60),
            daylight,
        }
    }
}

/// Octets that others chose: what could end a value or a line, and what is no text, as `\xHH`; `-` where there are none.
struct Octets<'a>(&'a [u8]);

impl fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    ';' | '\\' => write!(f, "\\x{:02X}", character as u32)?,
                    other
                        if other.is_control() || matches!(other, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                    {
                        let mut octets = [0; 4];
                        for octet in other.encode_utf8(&mut octets).bytes() {
                            write!(f, "\\x{octet:02X}")?;
                        }
                    }
                    other => f.write_char(other)?,
                }
            }
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02X}")?;
            }
        }
        Ok(())
    }
}

/// A prefix of IPv6.
#[derive(Clone, Copy)]
struct Prefix([u8; 16], u8);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", std::net::Ipv6Addr::from(self.0), self.1)
    }
}

/// What has no key of its own: the addresses that are not under IPADDRESS, then the message; `-` where there is none of it.
struct Further<'a> {
    user: &'a AccessUser,
    prefix: Option<Prefix>,
}

impl fmt::Display for Further<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user;
        let address = user.ipv6.filter(|_| user.ipv4.is_some());
        let prefix = self.prefix.filter(|_| user.ipv4.is_some() || user.ipv6.is_some());
        if let Some(address) = address {
            write!(f, "IPV6={},", std::net::Ipv6Addr::from(address))?;
        }
        if let Some(prefix) = prefix {
            write!(f, "PREFIX={prefix},")?;
        }
        match (address.is_some() || prefix.is_some(), user.text(Text::Message)) {
            (true, []) => Ok(()),
            (_, message) => Octets(message).fmt(f),
        }
    }
}

/// A value, or `-`.
struct Known<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// A MAC address as the vendor spells it: `0200-5e00-5301`.
struct Mac([u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}{b:02x}-{c:02x}{d:02x}-{e:02x}{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Class, LossPlace, sample};

    fn text(record: &Record, zone: Option<&str>) -> String {
        let mut out = Vec::new();
        Formatter::new("fw1", zone.map(|name| TimeZone::get(name).unwrap())).format(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_event_is_said_in_full() {
        let tail = "DEVICEMAC:-;DEVICENAME:fw1;USER:alice@example.net;MAC:0200-5e00-5301;IPADDRESS:198.51.100.7;\
                    TIME:1772352930;ZONE:UTC+0000;DAYLIGHT:false;";
        let end = "USERGROUP:-;AUTHENPLACE:RADIUS;EXTENDINFO:-;CIB ID:-;INTERFACE:inside.200.101;ACCESS TYPE:radius;\
                   RDSIP:-;Portal TYPE:-;AUTHID:-;";
        for (action, head, result) in [
            (AccessAction::Login, "USER_ACCESSRESULT(l):[USER_INFO_ACCESS]", "Success"),
            (AccessAction::Seen, "USER_ACCESSRESULT(l):[USER_INFO_ACCESS]", "Online"),
            (AccessAction::Logout, "USER_OFFLINERESULT(l):[USER_INFO_OFFLINE]", "Offline"),
            (AccessAction::Result { success: true }, "USER_AUTHENRESULT(l):[USER_INFO_AUTHENTICATION]", "Success"),
            (AccessAction::Result { success: false }, "USER_AUTHENRESULT(l):[USER_INFO_AUTHENTICATION]", "Failed"),
        ] {
            let expected =
                format!("<189>2026-03-01 08:15:30 fw1 %%01CM/5/{head}{tail}ERRCODE:message;RESULT:{result};{end}");
            assert_eq!(text(&sample::access(action), None), expected);
        }
    }

    #[test]
    fn times_are_those_of_the_zone_and_say_so() {
        let login = sample::access(AccessAction::Login);
        let shanghai = text(&login, Some("Asia/Shanghai"));
        assert!(
            shanghai.starts_with("<189>2026-03-01 16:15:30 fw1 ") && shanghai.contains(";ZONE:UTC+0800;"),
            "{shanghai}"
        );
        assert!(shanghai.contains(";TIME:1772352930;") && shanghai.contains(";DAYLIGHT:false;"));
        let mut summer = login;
        summer.time = Nanos::from_parts(1_783_000_000, 0);
        let new_york = text(&summer, Some("America/New_York"));
        assert!(new_york.contains(";ZONE:UTC-0400;DAYLIGHT:true;"), "{new_york}");
    }

    #[test]
    fn addresses_of_ipv6_are_there() {
        let record = |v4: bool, v6: bool| {
            let mut record = sample::access(AccessAction::Login);
            let Body::Access(access) = &mut record.body else { panic!("a user") };
            let user = std::sync::Arc::make_mut(&mut access.user);
            user.ipv4 = user.ipv4.filter(|_| v4);
            user.ipv6 = v6.then(|| "2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
            user.prefix = Some(("2001:db8:700::".parse::<std::net::Ipv6Addr>().unwrap().octets(), 56));
            text(&record, None)
        };
        for (v4, v6, address, further) in [
            (true, true, "198.51.100.7", "IPV6=2001:db8::7,PREFIX=2001:db8:700::/56,"),
            (true, false, "198.51.100.7", "PREFIX=2001:db8:700::/56,"),
            (false, true, "2001:db8::7", "PREFIX=2001:db8:700::/56,"),
            (false, false, "2001:db8:700::/56", "-"),
        ] {
            let line = record(v4, v6);
            assert!(line.contains(&format!(";IPADDRESS:{address};")), "{line}");
            assert!(line.contains(&format!(";EXTENDINFO:{further};")), "{line}");
        }
    }

    #[test]
    fn what_was_lost_is_told_and_what_has_no_form_is_not() {
        let loss = text(&sample::loss(Class::Access, LossPlace::Host("nms".into()), 17), None);
        assert!(
            loss.ends_with(" %%01INFOCENTER/4/LOG_LOST(l):CLASS:access;PLACE:host:nms;COUNT:17;REASON:queue-full;"),
            "{loss}"
        );
        assert_eq!(text(&sample::login("10001"), None), "");
    }

    proptest! {
        /// Whatever a name is, it ends neither its value nor its line, and its octets can be had back.
        #[test]
        fn a_hostile_name_stays_in_its_value(name in prop::collection::vec(any::<u8>(), 1..256)) {
            let text = Octets(&name).to_string();
            prop_assert!(!text.contains(|c: char| c == ';' || c.is_control()));
            let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
            while let Some((first, behind)) = rest.split_first() {
                if let Some(escaped) = rest.strip_prefix(b"\\x") {
                    let digits = std::str::from_utf8(&escaped[..2]).unwrap();
                    octets.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &escaped[2..];
                } else {
                    octets.push(*first);
                    rest = behind;
                }
            }
            prop_assert_eq!(octets, name);
        }
    }
}
