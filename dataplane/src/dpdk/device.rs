//! What a port is made of, as the operator writes it: a PCI address or a DPDK vdev string.

use std::fmt;
use std::str::FromStr;

/// The device behind a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// A NIC by its place on the PCI bus.
    Pci(PciAddress),
    /// A virtual device: driver, instance and arguments, as in EAL's `--vdev`.
    Vdev(String),
}

/// A function's place on the PCI bus, `domain:bus:device.function`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Usually 0.
    pub domain: u32,
    /// 0 to 0xff.
    pub bus: u8,
    /// 0 to 0x1f.
    pub device: u8,
    /// 0 to 7.
    pub function: u8,
}

/// Text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDevice {
    /// Neither form.
    #[error("{0:?} is neither a PCI address such as 0000:3b:00.0 nor a DPDK device such as net_af_xdp0,iface=eth1")]
    Form(String),
    /// EAL tells instances of a driver apart by a number behind its name.
    #[error("{0:?} has no number: write {0}0, and a number of its own for every device of that driver")]
    NoInstance(String),
}

impl Device {
    /// The name by which DPDK knows the device: `0000:3b:00.0`, or `net_ring0` of `net_ring0,nodeaction=…`.
    pub fn name(&self) -> String {
        match self {
            Self::Pci(address) => address.to_string(),
            Self::Vdev(text) => text.split(',').next().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Vdev(text) => f.write_str(text),
        }
    }
}

impl FromStr for Device {
    type Err = BadDevice;

    fn from_str(text: &str) -> Result<Self, BadDevice> {
        let text = text.trim();
        if let Some(address) = PciAddress::parse(text) {
            return Ok(Self::Pci(address));
        }
        let name = text.split(',').next().unwrap_or_default();
        let is_name = ["net_", "eth_", "virtio_user"].iter().any(|prefix| name.starts_with(prefix))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.len() <= MAX_NAME;
        if !is_name || text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(BadDevice::Form(text.to_owned()));
        }
        if !name.ends_with(|last: char| last.is_ascii_digit()) {
            return Err(BadDevice::NoInstance(name.to_owned()));
        }
        Ok(Self::Vdev(text.to_owned()))
    }
}

impl PciAddress {
    /// `dddd:bb:dd.f` or, in domain 0, `bb:dd.f`; hexadecimal.
    fn parse(text: &str) -> Option<Self> {
        let (rest, function) = text.split_once('.')?;
        let mut parts = rest.rsplit(':');
        let device = number(parts.next()?, 2)?;
        let bus = number(parts.next()?, 2)?;
        let domain = parts.next().map_or(Some(0), |domain| number(domain, 8))?;
        if parts.next().is_some() || device > 0x1f {
            return None;
        }
        let function = number(function, 1).filter(|function| *function <= 7)?;
        Some(Self { domain, bus: bus as u8, device: device as u8, function: function as u8 })
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

fn number(digits: &str, most: usize) -> Option<u32> {
    let plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// RTE_ETH_NAME_MAX_LEN, less the terminating zero.
const MAX_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_has_two_forms_and_one_name() {
        for text in ["0000:3b:00.1", "3b:00.1", " 0:3b:0.1 "] {
            assert_eq!(text.parse::<Device>().map(|device| device.name()), Ok("0000:3b:00.1".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_vdev_keeps_its_arguments_and_is_named_by_what_is_before_them() {
        let device: Device = "net_af_xdp0,iface=eth1,start_queue=0".parse().unwrap();
        assert_eq!(device.name(), "net_af_xdp0");
        assert_eq!(device.to_string(), "net_af_xdp0,iface=eth1,start_queue=0");
    }

    #[test]
    fn what_names_no_device_is_refused() {
        for text in ["", "eth1", "0000:3b:20.0", "0000:3b:00.8", "3b:00", "1:0000:3b:00.0", "net ring0", "+b:00.0"] {
            assert_eq!(text.parse::<Device>(), Err(BadDevice::Form(text.to_owned())), "{text}");
        }
        assert_eq!("net_null,copy=1".parse::<Device>(), Err(BadDevice::NoInstance("net_null".to_owned())));
    }
}
