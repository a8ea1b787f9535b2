//! HTTP/2 frame by frame over a socket, for what no library would send. No state machine: a test says every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// How long a write may find no room: whoever is deaf so long has stopped reading.
const STUCK: Duration = Duration::from_millis(500);

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload = values.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(SETTINGS, 0, 0, &payload.collect::<Vec<_>>())
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// HPACK: a field that enters no table, its name spelt out.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0], &text(name)[..], &text(value)].concat()
}

/// HPACK: a text that is not compressed.
pub(crate) fn text(of: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = of.len();
    if rest < 127 {
        bytes.push(u8::try_from(rest).unwrap());
    } else {
        bytes.push(127);
        rest -= 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend_from_slice(of.as_bytes());
    bytes
}

/// The header block of a call.
pub(crate) fn call(path: &str) -> Vec<u8> {
    // `:method: POST` and `:scheme: http` by their numbers in the static table.
    let mut block = vec![0x83, 0x86];
    for (name, value) in
        [(":path", path), (":authority", "sidegate"), ("content-type", "application/grpc"), ("te", "trailers")]
    {
        block.extend(field(name, value));
    }
    block
}

/// The frames of a whole call on a stream.
pub(crate) fn whole_call(stream: u32, path: &str, body: &[u8]) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, &call(path)), frame(DATA, END_STREAM, stream, body)].concat()
}

/// What came back on a connection, up to its end.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// The code of the last GOAWAY: 11 is `ENHANCE_YOUR_CALM`.
    pub(crate) goaway: Option<u32>,
    /// How many frames of each kind.
    pub(crate) frames: [usize; 10],
    /// The header blocks and bodies as they came.
    pub(crate) payloads: Vec<u8>,
}

/// One end of a connection.
pub(crate) struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Says nothing yet.
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(STUCK)).unwrap();
        Self { stream }
    }

    /// Has said how it wants to be spoken to.
    pub(crate) fn hello(address: &str, values: &[(u16, u32)]) -> Self {
        let mut wire = Self::open(address);
        assert!(wire.write(&[PREFACE, &settings(values)].concat()));
        wire
    }

    /// `false` when the other end has closed, or reads no more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes the same again and again; how often it went.
    pub(crate) fn flood(&mut self, times: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) -> usize {
        (0..times).find(|number| !self.write(&bytes(*number))).unwrap_or(times)
    }

    /// Reads on another thread, until the end.
    pub(crate) fn listen(&self) -> Listening {
        let stream = self.stream.try_clone().unwrap();
        let heard = Arc::default();
        let shared = Arc::clone(&heard);
        Listening { heard, thread: thread::spawn(move || hear(stream, &shared)) }
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&self) {
        // Fails where the other end has closed.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Whether the other end has closed, without waiting.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let mut bytes = [0; 4096];
        let closed = loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        closed
    }
}

/// A thread that reads.
pub(crate) struct Listening {
    heard: Arc<Mutex<Heard>>,
    thread: JoinHandle<()>,
}

impl Listening {
    pub(crate) fn so_far(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until the other end has closed.
    pub(crate) fn end(self) -> Heard {
        self.thread.join().unwrap();
        self.heard.lock().unwrap().clone()
    }
}

fn hear(mut stream: TcpStream, heard: &Mutex<Heard>) {
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut payload).is_err() {
            break;
        }
        let mut heard = heard.lock().unwrap();
        if let Some(count) = heard.frames.get_mut(usize::from(head[3])) {
            *count += 1;
        }
        match head[3] {
            GOAWAY => heard.goaway = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap())),
            DATA | HEADERS => heard.payloads.extend(payload),
            _ => {}
        }
    }
}
