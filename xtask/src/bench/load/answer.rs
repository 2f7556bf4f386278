//! Reading an answer of HTTP/1.1 to its end, and nothing more: the driver shares the cores with the server.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reads one answer; its status. Whoever has asked once has nothing else coming.
pub(super) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = head_of(buffer) {
            if buffer.len() >= MAX_ANSWER {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if is_whole(head, buffer) {
                return status(head).ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
        }
    }
}

/// What stands before the empty line, with it.
fn head_of(answer: &[u8]) -> Option<&str> {
    let end = answer.windows(END.len()).position(|window| window == END)?;
    std::str::from_utf8(answer.get(..end + END.len())?).ok()
}

fn is_whole(head: &str, answer: &[u8]) -> bool {
    match content_length(head) {
        Some(length) => answer.len() >= head.len() + length,
        // It comes in chunks, of which the last is empty.
        None => answer.ends_with(LAST_CHUNK),
    }
}

fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

fn status(head: &str) -> Option<u16> {
    head.split(' ').nth(1)?.parse().ok()
}

const END: &[u8] = b"\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const MAX_ANSWER: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_or_its_last_chunk_says() {
        let whole =
            |answer: &str| head_of(answer.as_bytes()).is_some_and(|head| is_whole(head, answer.as_bytes()));
        let cases = [
            ("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}", true),
            ("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{", false),
            ("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true),
            ("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", false),
            ("HTTP/1.1 201 Created\r\n", false),
        ];
        for (answer, is) in cases {
            assert_eq!(whole(answer), is, "{answer}");
        }
        assert_eq!(status("HTTP/1.1 503 Service Unavailable\r\n"), Some(503));
    }
}
