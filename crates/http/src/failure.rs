//! What it means that a request was not answered, or its answer broke off.

use std::error::Error as StdError;

use rustls::InvalidMessage;

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took too long.
    Timeout,
    /// The host speaks no TLS on a port that was asked for it.
    PlainHttp,
    /// The host was asked over plain HTTP, and answers in something else, as ports of TLS do.
    NoPlainHttp,
    /// No TLS connection, in the words of TLS.
    Tls(String),
    /// What came is not HTTP.
    Malformed(String),
    /// No connection, or it broke off.
    Unreachable(String),
}

impl Failure {
    /// What the error of a request, or of reading its answer, means.
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let mut causes = causes(error);
        match causes.clone().find_map(tls_error) {
            // What came is no TLS at all.
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                return Self::PlainHttp;
            }
            Some(tls) => return Self::Tls(tls.to_string()),
            None => {}
        }
        let reason = reason(error);
        let is_plain = error.url().is_some_and(|url| url.scheme() == "http");
        match causes.any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)) {
            true if is_plain && reason == NO_HTTP => Self::NoPlainHttp,
            true => Self::Malformed(reason),
            false => Self::Unreachable(reason),
        }
    }
}

/// The innermost cause: the outer ones only say that sending failed.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let innermost = causes(error).last().map(ToString::to_string);
    let reason = innermost.unwrap_or_else(|| "the connection broke off".to_owned());
    // Nothing but HTTP and HTTPS is asked for: another scheme is that of a proxy (SOCKS).
    match reason.strip_prefix("unsupported scheme ") {
        Some(scheme) => format!("the proxy of the environment is of the unsupported kind `{scheme}`"),
        None => reason,
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> + Clone {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The error of rustls that `cause` is, or wraps as I/O errors do: not as its source.
fn tls_error<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = || cause.downcast_ref::<std::io::Error>()?.get_ref();
    cause.downcast_ref().or_else(|| tls_error(wrapped()?))
}

/// How hyper says that an answer does not begin as HTTP does.
const NO_HTTP: &str = "invalid HTTP version parsed";
