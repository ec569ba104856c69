//! A log host that counts: it takes messages from one connection, answers RELP, and keeps nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::{Protocol, Taken};
use crate::harness::Fallible;

/// Prints its port, takes `records` messages, and prints what it took; or what there was when nothing came for so long.
pub(super) fn run(protocol: Protocol, records: u64) -> Fallible<()> {
    const SILENCE: Duration = Duration::from_secs(15);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let mut parser = Parser { protocol, messages: 0, answers: Vec::new() };
    let (mut buffer, mut filled, mut octets) = (vec![0; 1 << 20], 0, 0);
    let (mut begin, mut end) = (None, Instant::now());
    while parser.messages < records {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => {
                end = Instant::now();
                begin.get_or_insert(end);
                octets += read as u64;
                filled += read;
                let used = parser.take(&buffer[..filled])?;
                buffer.copy_within(used..filled, 0);
                filled -= used;
                answer(&mut stream, &mut parser.answers)?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    let seconds = end.duration_since(begin.unwrap_or(end)).as_secs_f64();
    println!("{}", serde_json::to_string(&Taken { records: parser.messages, octets, seconds })?);
    // Who started this ends it, and the sender.
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
    Ok(())
}

fn answer(stream: &mut TcpStream, answers: &mut Vec<u8>) -> io::Result<()> {
    if !answers.is_empty() {
        stream.write_all(answers)?;
        answers.clear();
    }
    Ok(())
}

struct Parser {
    protocol: Protocol,
    messages: u64,
    answers: Vec<u8>,
}

impl Parser {
    /// Takes whole messages off the front: how many octets they are.
    fn take(&mut self, octets: &[u8]) -> Fallible<usize> {
        let mut used = 0;
        while let Some(length) = self.message(&octets[used..])? {
            used += length;
        }
        Ok(used)
    }

    fn message(&mut self, octets: &[u8]) -> Fallible<Option<usize>> {
        match self.protocol {
            Protocol::Tcp => {
                let Some((length, head)) = number(octets)? else { return Ok(None) };
                let all = head + 1 + length;
                self.messages += u64::from(octets.len() >= all);
                Ok((octets.len() >= all).then_some(all))
            }
            Protocol::Relp => {
                let Some((transaction, first)) = number(octets)? else { return Ok(None) };
                let rest = &octets[first + 1..];
                let Some(command) = rest.iter().position(|octet| *octet == b' ') else { return Ok(None) };
                let Some((length, head)) = number(&rest[command + 1..])? else { return Ok(None) };
                // A space before the data, a line feed behind it; without data there is no space.
                let all = first + 1 + command + 1 + head + usize::from(length > 0) + length + 1;
                if octets.len() < all {
                    return Ok(None);
                }
                match &rest[..command] {
                    b"syslog" => {
                        self.messages += 1;
                        writeln!(self.answers, "{transaction} rsp 6 200 OK")?;
                    }
                    b"open" => {
                        let offer = "200 OK\nrelp_version=0\nrelp_software=sink\ncommands=syslog";
                        writeln!(self.answers, "{transaction} rsp {} {offer}", offer.len())?;
                    }
                    _ => writeln!(self.answers, "{transaction} rsp 0\n0 serverclose 0")?,
                }
                Ok(Some(all))
            }
        }
    }
}

/// A number and how many digits it has; none where its end is not there yet.
fn number(octets: &[u8]) -> Fallible<Option<(usize, usize)>> {
    let Some(digits) = octets.iter().position(|octet| !octet.is_ascii_digit()) else { return Ok(None) };
    let number = std::str::from_utf8(&octets[..digits])?.parse().map_err(|_| "no number where one belongs")?;
    Ok(Some((number, digits)))
}
