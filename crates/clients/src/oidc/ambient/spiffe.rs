//! The SPIFFE Workload API: one call of gRPC over a socket on this machine (SPIFFE_Workload_API.md).
//!
//! A client of gRPC would be larger than the rest of this crate; the call needs a frame of five bytes and
//! two messages of protobuf.

use super::{Ambient, Surroundings};
use crate::oidc::Token;
use crate::web::Web;
use crate::{Error, Result};

/// Asks for a JWT-SVID for the audience. The first one that comes is the workload's default identity.
pub(super) async fn token(web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
    let socket = here.required(Ambient::Spiffe, SOCKET, "")?;
    let work = fetch(&socket, audience);
    let outcome = tokio::time::timeout(web.limits().helper, work).await;
    let answer = outcome.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    let failed = |reason| Error::no_token(Ambient::Spiffe.name(), reason);
    let answer = answer.map_err(failed)?;
    let text = first_svid(&answer).ok_or_else(|| failed("its answer is malformed".to_owned()))?;
    Token::read("the SPIFFE Workload API", text)
}

#[cfg(unix)]
async fn fetch(socket: &str, audience: &str) -> Result<Vec<u8>, String> {
    let path = socket.strip_prefix("unix:").map(|path| path.trim_start_matches("//"));
    let path = path.ok_or_else(|| format!("`{SOCKET}` is not `unix:///PATH`"))?;
    let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| error.to_string())?;
    grpc::call(stream, "/SpiffeWorkloadAPI/FetchJWTSVID", &request(audience)).await
}

#[cfg(not(unix))]
async fn fetch(_socket: &str, _audience: &str) -> Result<Vec<u8>, String> {
    Err("this system has no such sockets".to_owned())
}

/// One unary call.
#[cfg(unix)]
mod grpc {
    use bytes::Bytes;
    use h2::{RecvStream, client};
    use http::{HeaderMap, Request};
    use tokio::net::UnixStream;

    pub(super) async fn call(stream: UnixStream, path: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |error: h2::Error| error.to_string();
        let (sender, connection) = client::handshake(stream).await.map_err(failed)?;
        let request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            // Against requests that a browser could be made to send (SPIFFE_Workload_Endpoint.md §6).
            .header("workload.spiffe.io", "true")
            .body(())
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let mut sender = sender.ready().await.map_err(failed)?;
            let (response, mut body) = sender.send_request(request, false).map_err(failed)?;
            body.send_data(frame(message), true).map_err(failed)?;
            let (head, body) = response.await.map_err(failed)?.into_parts();
            check(&head.headers)?;
            read(body).await
        };
        tokio::select! {
            outcome = exchange => outcome,
            ended = connection => Err(ended.err().map_or_else(|| "it hung up".to_owned(), failed)),
        }
    }

    /// Not compressed, and the length in four bytes.
    fn frame(message: &[u8]) -> Bytes {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[0], &length[..], message].concat().into()
    }

    async fn read(mut body: RecvStream) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(|error| error.to_string())?;
            if all.len() + data.len() > MAX_MESSAGE {
                return Err("its answer is too large".to_owned());
            }
            let _ = body.flow_control().release_capacity(data.len());
            all.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.map_err(|error| error.to_string())?;
        check(&trailers.unwrap_or_default())?;
        match all.split_at_checked(5) {
            Some(([0, ..], message)) => Ok(message.to_vec()),
            _ => Err("its answer is malformed".to_owned()),
        }
    }

    /// A status other than 0, with its message.
    fn check(headers: &HeaderMap) -> Result<(), String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match text("grpc-status") {
            None | Some("0") => Ok(()),
            Some(status) => {
                let message = signet_http::printable(text("grpc-message").unwrap_or_default());
                Err(format!("it refused with status {status}: {message}"))
            }
        }
    }

    const MAX_MESSAGE: usize = 256 * 1024;
}

/// `JWTSVIDRequest { repeated string audience = 1; }`
fn request(audience: &str) -> Vec<u8> {
    // Audiences are short: one byte holds the length.
    let length = u8::try_from(audience.len().min(127)).unwrap_or(127);
    let audience = audience.as_bytes().get(..usize::from(length)).unwrap_or_default();
    [&[TEXT_1, length], audience].concat()
}

/// The first of `JWTSVIDResponse { repeated JWTSVID svids = 1; }`, its `svid = 2`.
fn first_svid(message: &[u8]) -> Option<&str> {
    let svid = field(message, 1)?;
    std::str::from_utf8(field(svid, 2)?).ok()
}

/// The first field of this number, which has to be of bytes, as all before it.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    loop {
        let (key, rest) = varint(message)?;
        let (length, rest) = varint(rest)?;
        let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        match (key >> 3, key & 7) {
            (found, BYTES) if found == number => return Some(value),
            (_, BYTES) => message = rest,
            _ => return None,
        }
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let (digits, rest) = bytes.split_at_checked(end)?;
    let value = digits
        .iter()
        .rev()
        .try_fold(0_u64, |value, digit| value.checked_mul(128)?.checked_add(u64::from(digit & 0x7f)));
    Some((value?, rest))
}

pub(super) const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";
/// Field 1, of bytes.
const TEXT_1: u8 = 0x0a;
const BYTES: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u8, value: &[u8]) -> Vec<u8> {
        let length = value.len();
        let length = [0x80 | u8::try_from(length & 0x7f).unwrap(), u8::try_from(length >> 7).unwrap()];
        [&[number << 3 | 2], &length[..], value].concat()
    }

    #[test]
    fn the_first_svid_is_read() {
        let svid =
            |token: &str| [text(1, b"spiffe://x/y"), text(2, token.as_bytes()), text(3, b"hint")].concat();
        let long = "t".repeat(300);
        let message = [text(1, &svid(&long)), text(1, &svid("second"))].concat();
        assert_eq!(first_svid(&message), Some(long.as_str()));
        assert_eq!(request("sigstore"), b"\x0a\x08sigstore");
        for end in 0..310 {
            assert_eq!(first_svid(&message[..end]), None, "{end}");
        }
        assert_eq!(first_svid(&[0x08, 0x01]), None);
        assert_eq!(first_svid(&[0xff; 20]), None);
    }
}
