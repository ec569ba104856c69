//! A RELP server of our own, for what no real one does on demand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How a connection is treated.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Every message is answered with 200.
    Take,
    /// `open` gets these octets in place of an answer, and the end.
    Refuse(&'static [u8]),
    /// So many messages get a 500 first.
    Nak(usize),
    /// Messages with these words in them get a 500, always.
    Poison(&'static str),
    /// So many messages are answered, then the session is closed as rsyslog does when it ends.
    CloseAfter(usize),
    /// No message is answered.
    Silent,
}

/// What came on one connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The data of `open`.
    pub offers: String,
    /// Messages with their transactions.
    pub messages: Vec<(u32, String)>,
    /// How many were answered.
    pub answered: usize,
    /// The transaction of `close`.
    pub closed: Option<u32>,
}

/// See the module.
pub struct RelpServer {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl RelpServer {
    /// Treats each connection in its manner, those behind the last as the last.
    pub fn listen(manners: &'static [Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all: Arc<Mutex<Vec<Seen>>> = Arc::clone(&seen);
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let manner = manners[index.min(manners.len() - 1)];
                all.lock().unwrap().push(Seen::default());
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    serve(&stream.unwrap(), manner, &|change| change(&mut all.lock().unwrap()[index]))
                });
            }
        });
        Self { address, seen }
    }

    /// Each connection, so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

type Change<'a> = &'a mut dyn FnMut(&mut Seen);

/// Until the client ends, or the manner wants the end.
fn serve(stream: &TcpStream, manner: Manner, note: &dyn Fn(Change<'_>)) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let (mut refused, mut answered, mut last) = (0, 0, 0);
    loop {
        let (transaction, command, data) = frame(&mut reader)?;
        assert_eq!(transaction, last + 1, "transactions have no gap");
        last = transaction;
        let text = String::from_utf8(data).unwrap();
        let answer: &[u8] = match (command.as_str(), manner) {
            ("open", Manner::Refuse(octets)) => {
                writer.write_all(octets).ok()?;
                return None;
            }
            ("open", _) => {
                note(&mut |seen| seen.offers.clone_from(&text));
                b"200 OK\nrelp_version=0\nrelp_software=test\ncommands=syslog"
            }
            ("close", _) => {
                note(&mut |seen| seen.closed = Some(transaction));
                write!(writer, "{transaction} rsp 0\n0 serverclose 0\n").ok()?;
                return None;
            }
            ("syslog", _) => {
                note(&mut |seen| seen.messages.push((transaction, text.clone())));
                match manner {
                    Manner::Silent => continue,
                    Manner::CloseAfter(most) if answered == most => {
                        // Read to the end: a socket that is closed over unread octets may take answers back.
                        writer.write_all(b"0 serverclose 0\n").ok()?;
                        stream.shutdown(std::net::Shutdown::Write).ok()?;
                        std::io::copy(&mut reader, &mut std::io::sink()).ok()?;
                        return None;
                    }
                    Manner::Nak(most) if refused < most => {
                        refused += 1;
                        b"500 later"
                    }
                    Manner::Poison(words) if text.contains(words) => b"500 never",
                    _ => {
                        answered += 1;
                        note(&mut |seen| seen.answered = answered);
                        b"200 OK"
                    }
                }
            }
            (other, _) => panic!("the command {other:?}"),
        };
        let mut line = format!("{transaction} rsp {} ", answer.len()).into_bytes();
        line.extend_from_slice(answer);
        line.push(b'\n');
        writer.write_all(&line).ok()?;
    }
}

/// A frame, or nothing at the end.
fn frame(reader: &mut BufReader<&TcpStream>) -> Option<(u32, String, Vec<u8>)> {
    let mut word = |ends: &[u8]| {
        let mut word = Vec::new();
        loop {
            let octet = *reader.fill_buf().ok()?.first()?;
            reader.consume(1);
            if ends.contains(&octet) {
                return Some((String::from_utf8(word).unwrap(), octet));
            }
            word.push(octet);
        }
    };
    let transaction = word(b" ")?.0.parse().unwrap();
    let command = word(b" ")?.0;
    let (length, end) = word(b" \n")?;
    let mut data = vec![0; length.parse().unwrap()];
    if end == b' ' {
        let mut end = [0];
        reader.read_exact(&mut data).ok()?;
        reader.read_exact(&mut end).ok()?;
        assert_eq!(end, *b"\n");
    }
    Some((transaction, command, data))
}
