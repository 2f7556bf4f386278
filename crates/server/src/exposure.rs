//! What may be open to a network: one rule for a stack and for an authority that is alone.

use std::net::SocketAddr;

use reqwest::Url;

/// How a service that is sent identity tokens is reached.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its operators ask, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Whether it speaks HTTPS where it listens.
    pub tls: bool,
    /// The URL that clients are told, if it is not where it listens: that of a proxy in front.
    pub url: Option<&'a str>,
    /// Whether whoever reaches it may sign as anybody.
    pub dev: bool,
}

impl Reach<'_> {
    /// The URL that clients are told, without a slash at its end. Refuses what would be open to a network and should not be.
    pub fn stated_url(&self) -> Result<Option<String>, ReachError> {
        let url = self.url.map(base_url).transpose()?;
        // A proxy in front opens it to those who are told its URL.
        let told = url.filter(|url| !is_of_this_machine(url)).map(|url| format!("`{url}`"));
        let place = told.or_else(|| beyond_loopback(self.listen));
        let is_secret = url.map_or(self.tls, |url| url.starts_with("https://"));
        let admin = self.admin.filter(|_| self.dev).and_then(beyond_loopback);
        match place.or(admin) {
            Some(place) if self.dev => Err(ReachError::exposed(place, Exposure::Development)),
            Some(place) if !is_secret => Err(ReachError::exposed(place, Exposure::InTheClear)),
            _ if self.dev && self.tls => Err(ReachError::DevelopmentTls),
            _ => Ok(url.map(str::to_owned)),
        }
    }
}

/// An address that other machines reach.
fn beyond_loopback(address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| address.to_string())
}

/// Why a service is not to be reached from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Whoever reaches it could sign as anybody.
    #[error("development settings are for this machine only")]
    Development,
    /// Neither it nor a proxy in front speaks HTTPS.
    #[error("identity tokens would be readable on the way")]
    InTheClear,
    /// The registry has no users.
    #[error("there are no users: everybody who reaches the registry could push")]
    OpenRegistry,
    /// It listens everywhere, which is no name.
    #[error("clients need to be told a name")]
    Nameless,
}

/// Why a service is not reached as it was to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// Its development issuer is at http, so that nobody takes it for another.
    #[error(
        "development settings and TLS do not go together: the development issuer speaks plain HTTP, on loopback"
    )]
    DevelopmentTls,
    /// More would be open to the network than should be.
    #[error("{place} is not on loopback: {why}")]
    Exposed {
        /// Where it listens, or the URL that clients are told.
        place: String,
        /// What is missing, or too much.
        why: Exposure,
    },
    /// The URL for clients.
    #[error("`{url}` is no URL for clients: {why}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ReachError {
    pub(crate) fn exposed(place: String, why: Exposure) -> Self {
        Self::Exposed { place, why }
    }
}

/// A URL of a host and a port, without a slash at its end.
fn base_url(url: &str) -> Result<&str, ReachError> {
    let url = url.trim_end_matches('/');
    let refused = |why| Err(ReachError::Url { url: url.to_owned(), why });
    match url.split_once(':') {
        Some(("http" | "https", rest)) => match rest.strip_prefix("//").unwrap_or_default() {
            host if host.is_empty() || host.starts_with(':') => refused("it has no host"),
            // sigstore-python drops the path of a CA's URL.
            host if host.contains(|c: char| MORE.contains(&c) || c.is_whitespace()) => {
                refused("it has more than a host and a port")
            }
            host if !host.is_ascii() => {
                refused("its host has letters that clients write in different ways: write it with `xn--`")
            }
            _ if Url::parse(url).is_err() => refused("its host or port is none"),
            _ => Ok(url),
        },
        _ => refused("it is neither http nor https"),
    }
}

/// Before, or after, a host and a port.
const MORE: [char; 5] = ['/', '?', '#', '@', '\\'];

/// Whether no other machine would find anything at this URL.
pub(crate) fn is_of_this_machine(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|it| it.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_over_a_network_in_secret_or_not_at_all() {
        let open = |listen: &str, tls, url, dev| {
            let reach = Reach { listen: listen.parse().unwrap(), admin: None, tls, url, dev };
            match reach.stated_url() {
                Err(ReachError::Exposed { place, why }) => Err((place, why)),
                other => Ok(other.unwrap()),
            }
        };
        let clear = |place: &str| Err((place.to_owned(), Exposure::InTheClear));
        let https = Some("https://ca.example");
        let (here, everywhere) = ("127.0.0.1:1", "0.0.0.0:1");
        assert_eq!(open(here, false, None, true), Ok(None));
        assert_eq!(
            open(here, false, Some("http://localhost:1/"), true),
            Ok(Some("http://localhost:1".into()))
        );
        assert_eq!(open(here, false, https, false), Ok(https.map(str::to_owned)));
        assert_eq!(open(here, false, Some("http://ca.example"), false), clear("`http://ca.example`"));
        assert_eq!(open(everywhere, false, None, false), clear(everywhere));
        assert_eq!(open(everywhere, false, Some("http://localhost"), false), clear(everywhere));
        assert_eq!(open(everywhere, true, Some("http://ca.example"), false), clear("`http://ca.example`"));
        assert_eq!(open(everywhere, false, https, false), Ok(https.map(str::to_owned)));
        assert_eq!(open(everywhere, true, None, false), Ok(None));
        for (listen, tls, url) in [(everywhere, true, None), (here, true, https)] {
            assert_eq!(open(listen, tls, url, true).unwrap_err().1, Exposure::Development);
        }
        assert_eq!(open(here, true, Some("http://ca.example"), false), clear("`http://ca.example`"));
    }

    #[test]
    fn development_settings_and_tls_do_not_go_together() {
        let reach =
            Reach { listen: "127.0.0.1:1".parse().unwrap(), admin: None, tls: true, url: None, dev: true };
        assert_eq!(reach.stated_url(), Err(ReachError::DevelopmentTls));
        assert_eq!(Reach { dev: false, ..reach }.stated_url(), Ok(None));
        assert_eq!(Reach { tls: false, ..reach }.stated_url(), Ok(None));
    }

    #[test]
    fn the_url_for_clients_has_a_host_and_a_port_at_most() {
        let stated = |url| {
            let listen = "127.0.0.1:1".parse().unwrap();
            Reach { listen, admin: None, tls: true, url: Some(url), dev: false }.stated_url()
        };
        for (url, why) in [
            ("https://:5000", "it has no host"),
            ("https://ca.example:port", "its host or port is none"),
            ("https://ca.example:70000", "its host or port is none"),
            ("https://[::1", "its host or port is none"),
            ("https://ca.example\\ca", "it has more than a host and a port"),
            ("https://ca.example\n", "it has more than a host and a port"),
            ("ca.example", "it is neither http nor https"),
            (
                "https://ünï.example",
                "its host has letters that clients write in different ways: write it with `xn--`",
            ),
        ] {
            assert_eq!(stated(url), Err(ReachError::Url { url: url.to_owned(), why }), "{url}");
        }
        for url in ["https://ca.example:5000", "https://[::1]:1", "https://ca.example/"] {
            assert_eq!(stated(url), Ok(Some(url.trim_end_matches('/').to_owned())));
        }
    }

    #[test]
    fn operators_of_development_ask_on_this_machine_only() {
        let (listen, admin) = ("127.0.0.1:1".parse().unwrap(), "0.0.0.0:2".parse().ok());
        let reach = Reach { listen, admin, tls: false, url: None, dev: true };
        assert_eq!(reach.stated_url(), Err(ReachError::exposed("0.0.0.0:2".into(), Exposure::Development)));
        assert_eq!(Reach { dev: false, ..reach }.stated_url(), Ok(None));
    }
}
