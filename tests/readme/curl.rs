//! What `curl -s --json BODY URL` prints, without curl.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Posts the body of a command and gives back the body of the answer.
pub(super) fn post(arguments: &str) -> String {
    let (body, url) = arguments.strip_prefix("-s --json '").unwrap().split_once("' ").unwrap();
    let (address, path) = url.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head =
        format!("POST /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json");
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
