//! Who may not talk to a registry without users: the pages that a browser on this machine shows.
//!
//! Such a registry trusts whoever reaches loopback. A browser does so for any page: one whose name leads to 127.0.0.1 (DNS
//! rebinding) can read and push as if it were the registry's own, and any page can send forms.

use http::uri::Authority;
use http::{HeaderMap, HeaderName, StatusCode, Uri, header};

use super::error::{self, ApiError};
use super::request::text;

/// Refuses a request to a name that is neither this machine's nor `public_host`, and one that a page of another
/// origin makes.
pub(super) fn refuse_pages(headers: &HeaderMap, public_host: Option<&str>) -> Result<(), ApiError> {
    let host = match text(headers, header::HOST) {
        Some(host) => host,
        // No browser leaves it out.
        None if !headers.contains_key(header::HOST) => return Ok(()),
        None => "",
    };
    let is_ours = host.parse::<Authority>().is_ok_and(|name| is_own_name(name.host(), public_host));
    if !is_ours {
        return Err(refused("this registry has no users and answers only to names of its own machine"));
    }
    let own_site = text(headers, SEC_FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    let own_origin = headers.get(header::ORIGIN).is_none_or(|origin| is_origin_of(origin.as_bytes(), host));
    match own_site && own_origin {
        true => Ok(()),
        false => Err(refused("this registry has no users and answers to no page of another site")),
    }
}

fn is_own_name(host: &str, public_host: Option<&str>) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_named = |name: &str| bare.eq_ignore_ascii_case(name);
    loopback || is_named("localhost") || public_host.is_some_and(is_named)
}

/// Whether an `Origin` has this host and port, whatever its scheme.
fn is_origin_of(origin: &[u8], host: &str) -> bool {
    let origin = Uri::try_from(origin).ok();
    let authority = origin.as_ref().and_then(Uri::authority);
    authority.is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host))
}

fn refused(why: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, error::DENIED, why)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(of: &[(&str, &str)]) -> bool {
        let headers = of.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        refuse_pages(&headers.collect(), Some("registry.example")).is_err()
    }

    #[test]
    fn names_of_this_machine_and_its_own_are_answered() {
        for host in [
            "localhost",
            "LocalHost:5000",
            "127.0.0.1:5000",
            "127.3.2.1",
            "[::1]:5000",
            "registry.example:443",
        ] {
            assert!(!is_refused(&[("host", host)]), "{host}");
        }
        assert!(!is_refused(&[]), "no browser");
        for host in
            ["evil.example", "evil.example:5000", "localhost.evil.example", "10.0.0.1:5000", "", "[::2]"]
        {
            assert!(is_refused(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_not() {
        let host = ("host", "localhost:5000");
        for own in [
            ("origin", "http://localhost:5000"),
            ("origin", "http://LOCALHOST:5000"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert!(!is_refused(&[host, own]), "{own:?}");
        }
        for other in [
            ("origin", "http://localhost:8080"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(is_refused(&[host, other]), "{other:?}");
        }
    }
}
