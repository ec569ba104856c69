//! A collector of our own, that stalls and dies on demand.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A TCP collector of our own, for what no real one does on demand: reads everything, or nothing.
pub struct Collector {
    pub address: SocketAddr,
    reading: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Listens; reads from each connection as long as `reading` is set.
    pub fn listen(address: SocketAddr, reading: bool) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (reading, ending) = (Arc::new(AtomicBool::new(reading)), Arc::new(AtomicBool::new(false)));
        let (reads, ends) = (Arc::clone(&reading), Arc::clone(&ending));
        let thread = thread::spawn(move || collect(&listener, &reads, &ends));
        Self { address, reading, ending, thread: Some(thread) }
    }

    pub fn read_from_now_on(&self) {
        self.reading.store(true, Ordering::SeqCst);
    }

    /// Ends listener and connections, unread data and all; gives what each connection brought.
    pub fn end(mut self) -> Vec<Vec<u8>> {
        self.ending.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn collect(listener: &TcpListener, reading: &AtomicBool, ending: &AtomicBool) -> Vec<Vec<u8>> {
    let mut connections: Vec<(TcpStream, Vec<u8>)> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !ending.load(Ordering::SeqCst) {
        let mut idle = true;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            connections.push((stream, Vec::new()));
        }
        if reading.load(Ordering::SeqCst) {
            for (stream, got) in &mut connections {
                if let Ok(octets @ 1..) = stream.read(&mut buffer) {
                    got.extend_from_slice(&buffer[..octets]);
                    idle = false;
                }
            }
        }
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
    connections.into_iter().map(|(_, got)| got).collect()
}
