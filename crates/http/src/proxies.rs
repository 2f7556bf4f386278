//! The proxies of the environment.

use std::ffi::{OsStr, OsString};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// The first variable that names a proxy which nobody can use. The client passes such a proxy by, and what was to
/// go through it goes another way.
pub(crate) fn unusable(variable: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    // Of each pair the client reads the first that is set.
    let set = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
    VARIABLES.into_iter().filter_map(set).find(|(_, value)| !is_usable(value)).map(|(name, _)| name)
}

fn is_usable(value: &OsStr) -> bool {
    match value.to_str().map(str::trim) {
        None => false,
        // Set to nothing: no proxy, by custom.
        Some("") => true,
        Some(url) => is_read_by_the_client(url),
    }
}

fn is_read_by_the_client(url: &str) -> bool {
    let client = Matcher::builder().all(url).build();
    let proxy = client.intercept(&http::Uri::from_static("http://host"));
    // A port that is no port is read, too, but as none.
    proxy.is_some_and(|proxy| Url::parse(&proxy.uri().to_string()).is_ok())
}

const VARIABLES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_cannot_be_read_is_named() {
        for (value, usable) in [
            ("http://proxy:3128", true),
            ("http://user:secret@proxy:3128/", true),
            ("https://proxy", true),
            ("proxy:3128", true),
            ("127.0.0.1:3128", true),
            ("[::1]:3128", true),
            ("socks5://proxy:1080", true),
            ("", true),
            (" ", true),
            ("http//proxy:3128", false),
            ("http://", false),
            ("http://[::1", false),
            ("ftp://proxy", false),
            ("proxy:port", false),
            ("http://proxy:99999", false),
        ] {
            for names in VARIABLES.as_flattened() {
                let found = unusable(|name| (name == *names).then(|| value.into()));
                assert_eq!(found, (!usable).then_some(*names), "{value}");
            }
        }
    }

    #[test]
    fn of_two_spellings_the_one_in_capitals_counts() {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://proxy".into()),
            "https_proxy" => Some("http://".into()),
            _ => None,
        };
        assert_eq!(unusable(variable), None);
    }
}
