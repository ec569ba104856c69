//! A collector of our own, that stalls and dies on demand.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A TCP collector of our own, for what no real one does on demand: reads everything, or nothing.
pub struct Collector {
    pub address: SocketAddr,
    reading: Arc<AtomicBool>,
    pace: Arc<AtomicUsize>,
    ending: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Listens; reads from each connection as long as `reading` is set.
    pub fn listen(address: SocketAddr, reading: bool) -> Self {
        Self::over(TcpListener::bind(address).unwrap(), reading)
    }

    /// Reads, and its kernel holds little for it, however fast it was before.
    pub fn narrow() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Inherited by connections.
        socket2::SockRef::from(&listener).set_recv_buffer_size(64 * 1024).unwrap();
        Self::over(listener, true)
    }

    fn over(listener: TcpListener, reading: bool) -> Self {
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (reading, ending) = (Arc::new(AtomicBool::new(reading)), Arc::new(AtomicBool::new(false)));
        let (reads, ends) = (Arc::clone(&reading), Arc::clone(&ending));
        let pace = Arc::new(AtomicUsize::new(usize::MAX));
        let paces = Arc::clone(&pace);
        let thread = thread::spawn(move || collect(&listener, &reads, &paces, &ends));
        Self { address, reading, pace, ending, thread: Some(thread) }
    }

    pub fn read_from_now_on(&self) {
        self.reading.store(true, Ordering::SeqCst);
    }

    /// From now on so many octets a millisecond and connection; all that there is for `usize::MAX`.
    pub fn read_at(&self, pace: usize) {
        self.pace.store(pace, Ordering::SeqCst);
    }

    /// Ends listener and connections, unread data and all; gives what each connection brought.
    pub fn end(mut self) -> Vec<Vec<u8>> {
        self.ending.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn collect(listener: &TcpListener, reading: &AtomicBool, pace: &AtomicUsize, ending: &AtomicBool) -> Vec<Vec<u8>> {
    let mut connections: Vec<(TcpStream, Vec<u8>)> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !ending.load(Ordering::SeqCst) {
        let mut idle = true;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            connections.push((stream, Vec::new()));
        }
        if reading.load(Ordering::SeqCst) {
            let pace = pace.load(Ordering::SeqCst);
            for (stream, got) in &mut connections {
                let most = pace.min(buffer.len());
                if let Ok(octets @ 1..) = stream.read(&mut buffer[..most]) {
                    got.extend_from_slice(&buffer[..octets]);
                    idle = pace < usize::MAX;
                }
            }
        }
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
    connections.into_iter().map(|(_, got)| got).collect()
}
