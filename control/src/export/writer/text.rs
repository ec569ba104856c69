//! The formats that are text: one message a record.

use crate::export::{Format, HostConfig};
use crate::record::{Record, cef, huawei, json, rfc3164, rfc5424};

/// Writes records in one of them.
#[derive(Debug)]
pub(super) enum Text {
    Syslog(rfc5424::Formatter),
    Rfc3164(rfc3164::Formatter),
    Json(json::Formatter),
    Cef(cef::Formatter),
    Huawei(huawei::Formatter),
}

impl Text {
    /// For a host; none where the format is not text.
    pub(super) fn new(host: &HostConfig, format: Format) -> Option<Self> {
        let (name, process, zone) = (&*host.host_name, std::process::id(), host.time_zone.clone());
        let options = &host.text;
        Some(match format {
            Format::Syslog => Self::Syslog(rfc5424::Formatter::new(name, process, zone).with(options, host.via.source)),
            Format::Rfc3164 => {
                Self::Rfc3164(rfc3164::Formatter::new(name, process, zone, options.facility, options.digits))
            }
            Format::Cef => Self::Cef(cef::Formatter::new(name, zone, options.facility)),
            Format::Huawei => Self::Huawei(huawei::Formatter::new(name, zone)),
            Format::Json => Self::Json(json::Formatter::new(name, zone, options.digits)),
            Format::Binary => return None,
        })
    }

    /// Appends a message, without framing.
    pub(super) fn write(&mut self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Self::Syslog(formatter) => formatter.format(record, out),
            Self::Rfc3164(formatter) => formatter.format(record, out),
            Self::Json(formatter) => formatter.format(record, out),
            Self::Cef(formatter) => formatter.format(record, out),
            Self::Huawei(formatter) => formatter.format(record, out),
        }
    }
}
