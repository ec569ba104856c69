//! WeChat: a phone's day over mmtls, the clear-text packets of before, the PC client's file network, and the web.

mod legacy;
mod mmtls;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use self::legacy::{LegacyLink, legacy_post};
pub use self::mmtls::LongLink;
use super::background;
use super::frames::{Ends, Side};
use super::script::{Action, Script, SignOn};
use super::tcp::Connection;

/// A phone with an account, and the servers that it knows.
#[derive(Clone, Debug)]
pub struct Phone {
    /// The account.
    pub account: u32,
    /// Its address.
    pub address: IpAddr,
    /// Addresses of WeChat's servers.
    pub servers: [IpAddr; 3],
    /// The word in the paths of its short links; changes every few seconds.
    word: u32,
    next_port: u16,
}

/// The client version of a present client and of one from before mmtls.
const VERSION: u32 = 0x2800_1737;

impl Phone {
    /// A phone.
    pub fn new(script: &mut Script, address: IpAddr, servers: [IpAddr; 3]) -> Self {
        let account = script.dice.account();
        let word = script.dice.half();
        let next_port = script.dice.between(35_000, 50_000) as u16;
        Self { account, address, servers, word, next_port }
    }

    /// The ends of a new connection to server `which`.
    pub fn ends(&mut self, which: usize, port: u16) -> Ends {
        self.next_port += 2;
        Ends {
            client: SocketAddr::new(self.address, self.next_port),
            server: SocketAddr::new(self.servers[which % self.servers.len()], port),
        }
    }

    /// Asks the resolver for the names of the servers.
    pub fn look_up(&mut self, script: &mut Script, at: Duration) -> Duration {
        for (i, name) in ["dns.weixin.qq.com", "short.weixin.qq.com", "long.weixin.qq.com"].into_iter().enumerate() {
            self.next_port += 2;
            let client = SocketAddr::new(self.address, self.next_port);
            let answer = self.servers[i];
            let ends = background::dns(script, at + Duration::from_millis(3 * i as u64), client, name, answer);
            script.may_name_udp("wechat", ends);
        }
        at + Duration::from_millis(60)
    }

    /// The request that names the account in clear; with `uin=0` where nobody is signed in.
    pub fn ask_addresses(&mut self, script: &mut Script, at: Duration, signed_in: bool) -> Duration {
        let port = if script.dice.between(0, 2) == 0 { 80 } else { 8080 };
        let ends = self.ends(0, port);
        let mut connection = Connection::open(script, ends, at);
        script.names_tcp("wechat", ends);
        let account = if signed_in { self.account } else { 0 };
        let request = format!(
            "GET /cgi-bin/micromsg-bin/newgetdns?uin={account}&clientversion={VERSION}&scene=0&net=1&md5={:016x}{:016x}\
             &devicetype=android-34&lan=en&sigver=2&lasteffecttime=1767225600&xagreementid=0&networkid={:016x} HTTP/1.0\r\n\
             Accept: */*\r\nAccept-Encoding: deflate\r\nCache-Control: no-cache\r\nConnection: close\r\n\
             Content-Type: application/octet-stream\r\nHost: dns.weixin.qq.com\r\n\
             User-Agent: MicroMessenger Client\r\n\r\n",
            script.dice.word(),
            script.dice.word(),
            script.dice.word(),
        );
        connection.send(script, Side::Client, request.as_bytes());
        let body = script.dice.octets(2600);
        let mut answer = format!(
            "HTTP/1.0 200 OK\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/xml\r\n\
             Content-Encoding: deflate\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        connection.send(script, Side::Server, &answer);
        connection.finish(script, Side::Server)
    }

    /// Says what should be reported of this phone's account.
    pub fn expect(
        &self,
        script: &mut Script,
        action: Action,
        reason: Option<&'static str>,
        window: (Duration, Duration),
    ) {
        script.expect(SignOn {
            application: "wechat",
            action,
            account: self.account.to_string(),
            client: self.address,
            reason,
            window,
        });
    }
}

/// The PC client's file network: names the account of a client that is signed in already.
pub fn file_network(script: &mut Script, phone: &mut Phone, at: Duration) -> Duration {
    let ends = phone.ends(1, 443);
    let mut connection = Connection::open(script, ends, at);
    script.names_tcp("wechat", ends);
    let pairs: [(&str, String); 6] = [
        ("ver", "1".into()),
        ("weixinnum", phone.account.to_string()),
        ("seq", "1".into()),
        ("clientversion", "1610810192".into()),
        ("clientostype", "windows10".into()),
        ("authkey", "0".repeat(64)),
    ];
    let mut body = vec![0x27, 0x14];
    body.resize(20, 0);
    for (key, value) in pairs {
        for text in [key, &value] {
            body.extend_from_slice(&(text.len() as u32).to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
    }
    connection.send(script, Side::Client, &file_packet(&body));
    let answer = script.dice.octets(36);
    connection.send(script, Side::Server, &file_packet(&answer));
    connection.finish(script, Side::Client)
}

/// `AB`, then a length that counts the whole packet.
fn file_packet(body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xab];
    packet.extend_from_slice(&(body.len() as u32 + 5).to_be_bytes());
    packet.extend_from_slice(body);
    packet
}

/// The web client: TLS to WeChat's names, no account visible.
pub fn web(script: &mut Script, phone: &mut Phone, at: Duration) -> Duration {
    let mut now = at;
    for name in ["web.wechat.com", "wx.qq.com", "login.weixin.qq.com"] {
        let ends = phone.ends(2, 443);
        now = background::tls(script, now, ends, name);
        script.names_tcp("wechat", ends);
    }
    now
}
