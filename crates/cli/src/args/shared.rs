//! Options that several commands share.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::note::{NoteError, is_name};
use signet_formats::oci::Registry;
use signet_keys::SigningAlgorithm;
use signet_verify::Code;

use super::CosignVerifyArgs;
use crate::error::CliError;

/// How to reach registries.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Registry options")]
pub(crate) struct ConnectionArgs {
    /// Speak plain HTTP to registries that are not on this machine; with a name, to this one and wherever it
    /// is. Given several times, to each of them.
    #[arg(long, value_name = "REGISTRY", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = http_registry)]
    pub(crate) allow_http_registry: Vec<HttpRegistry>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_cacert: Option<PathBuf>,
    /// A PEM client certificate to present to the registry.
    #[arg(long, value_name = "FILE", requires = "registry_client_key")]
    pub(crate) registry_client_cert: Option<PathBuf>,
    /// The PEM key of the client certificate.
    #[arg(long, value_name = "FILE", requires = "registry_client_cert")]
    pub(crate) registry_client_key: Option<PathBuf>,
    /// How long one request may take, such as `90s` or `3m`.
    #[arg(long, short = 't', value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// Who may be asked over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HttpRegistry {
    /// Nobody.
    None,
    /// Every registry of the command.
    Any,
    /// This one.
    Named(Registry),
}

/// Whom to trust.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArgs {
    /// A public key, or the key that the program `sigstore-kms-NAME` holds as ID; given several times, a signature of any one of
    /// them is enough. With `--policy`, the key of a principal that the policy names by id.
    #[arg(long, value_name = "FILE|NAME://ID", conflicts_with_all = ["certificate_identity", "certificate_identity_regexp"])]
    pub(crate) key: Vec<PathBuf>,
    /// A policy file (YAML or JSON) that says who must have signed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["certificate_identity", "certificate_identity_regexp"])]
    pub(crate) policy: Option<PathBuf>,
    /// The identity in the signing certificate: an email address, a URI or a DNS name.
    #[arg(long, value_name = "IDENTITY", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "certificate_identity_regexp")]
    pub(crate) certificate_identity: Option<String>,
    /// The identity as a regular expression that begins with `^` and ends with `$`.
    #[arg(long, value_name = "REGEXP")]
    pub(crate) certificate_identity_regexp: Option<String>,
    /// The OIDC issuer in the signing certificate.
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "certificate_oidc_issuer_regexp")]
    pub(crate) certificate_oidc_issuer: Option<String>,
    /// The OIDC issuer as a regular expression that begins with `^` and ends with `$`.
    #[arg(long, value_name = "REGEXP")]
    pub(crate) certificate_oidc_issuer_regexp: Option<String>,
    /// A Sigstore `trusted_root.json`: the authorities and logs behind certificates.
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// A witness of logs: its C2SP verifier key `NAME+HASH+KEY`, or a file with one on each line. Given several
    /// times, all must have cosigned the log's checkpoint; with `--policy`, as many as its `witnesses` says.
    #[arg(long, value_name = "VKEY")]
    pub(crate) witness: Vec<String>,
    /// What must have been signed: `signature` (nothing but "signed"), `any`, the URI of a predicate type, or
    /// cosign's name of one: `slsaprovenance`, `slsaprovenance02`, `slsaprovenance1`, `link`, `spdx`, `spdxjson`,
    /// `cyclonedx`, `vuln`, `openvex`, `custom`.
    #[arg(long, visible_alias = "type", value_name = "TYPE", default_value = "signature", value_parser = predicate_type, conflicts_with = "policy")]
    pub(crate) predicate_type: String,
    /// An annotation that must have been signed with this value.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = annotations, conflicts_with = "policy")]
    pub(crate) annotations: Vec<Annotations>,
    /// Ask for no entry of a transparency log, which is the default for `--key`; with `=false`, ask for one there, too. An
    /// entry that is there and wrong is still refused, and a certificate still needs a timestamp to prove when it was used.
    #[arg(long, visible_alias = "private-infrastructure", conflicts_with = "policy", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "true|false")]
    pub(crate) insecure_ignore_tlog: Option<bool>,
    /// Ask for no proof that a certificate-transparency log holds the certificate.
    #[arg(long, conflicts_with = "policy", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true, value_name = "true|false")]
    pub(crate) insecure_ignore_sct: bool,
    #[command(flatten)]
    pub(crate) cosign: CosignVerifyArgs,
}

/// Where the password of a private key comes from. Unset: `SIGNET_PASSWORD`, `COSIGN_PASSWORD`, a prompt.
#[derive(Clone, Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the key's password from the first line of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "password_fd")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the key's password from the first line of this open file descriptor.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) password_fd: Option<u32>,
}

/// Reads the name of a predicate type, or its URI.
pub(crate) fn predicate_type(text: &str) -> Result<String, String> {
    let by_name = PREDICATE_TYPES.iter().find(|(name, _)| *name == text).map(|(_, uri)| *uri);
    match by_name {
        Some(uri) => Ok(uri.to_owned()),
        None if ["signature", "any"].contains(&text) || text.contains(':') => Ok(text.to_owned()),
        None => {
            let names: Vec<&str> = PREDICATE_TYPES.iter().map(|(name, _)| *name).collect();
            Err(format!("expected `signature`, `any`, a URI or one of {}", names.join(", ")))
        }
    }
}

/// Reads an address to listen on. A name is one of its addresses, of IPv4 if it has one.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let expected =
        "expected an address and a port, such as `127.0.0.1:5000`, or `0.0.0.0:5000` for all of this machine";
    if text.starts_with(':') {
        return Err(expected.to_owned());
    }
    let found = text.to_socket_addrs().map_err(|error| format!("{expected}: {error}"))?;
    one_of(found.collect()).map_err(|why| format!("{why}: {expected}"))
}

/// Which one it is decides who reaches it, so they have to agree on that.
fn one_of(found: Vec<SocketAddr>) -> Result<SocketAddr, &'static str> {
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first()).copied();
    let first = first.ok_or("the name has no address")?;
    let is_alike = |address: &SocketAddr| address.ip().is_loopback() == first.ip().is_loopback();
    match found.iter().all(is_alike) {
        true => Ok(first),
        false => Err("the name has addresses on loopback and others"),
    }
}

/// Reads the name of a log.
pub(super) fn log_name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(NoteError::Name.to_string()),
    }
}

/// Reads a time of RFC 3339.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    signet_formats::time::parse(text).map_err(|error| error.to_string())
}

/// Reads the name of a registry, or cosign's `true` for any and `false` for none.
fn http_registry(text: &str) -> Result<HttpRegistry, String> {
    let is_host = text == "localhost" || text.contains(['.', ':']);
    match text {
        "true" => Ok(HttpRegistry::Any),
        "false" => Ok(HttpRegistry::None),
        _ if is_host => Registry::new(text).map(HttpRegistry::Named).map_err(|error| error.to_string()),
        _ => Err("expected a registry, `HOST` or `HOST:PORT`".to_owned()),
    }
}

/// Annotations that one option gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations(Vec<(String, String)>);

/// Reads `NAME=VALUE`, or several with commas between them, as cosign does: `"NAME=a,b"` has a comma in its value.
pub(crate) fn annotations(text: &str) -> Result<Annotations, String> {
    let pair = |field: String| match field.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected `NAME=VALUE`, or `\"NAME=VALUE\"` where the value has a comma".to_owned()),
    };
    fields(text).into_iter().map(pair).collect::<Result<_, _>>().map(Annotations)
}

/// All annotations, each name once.
pub(crate) fn distinct(given: &[Annotations]) -> Result<Vec<(String, String)>, CliError> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in given.iter().flat_map(|annotations| &annotations.0) {
        match all.iter().find(|(known, _)| known == name) {
            Some((_, known)) if known != value => {
                let detail = format!("the annotation `{name}` is given as `{known}` and as `{value}`");
                return Err(CliError::new(Code::UsageInvalid, detail).hint("give one of them"));
            }
            Some(_) => {}
            None => all.push((name.clone(), value.clone())),
        }
    }
    Ok(all)
}

/// The fields of a line of comma-separated values (RFC 4180), of which one in quotes may have commas.
fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let (mut field, mut quoted) = (String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(character),
        }
    }
    fields.push(field);
    fields
}

/// Reads a scheme by its own name, or by cosign's name of key and scheme together.
pub(crate) fn scheme(text: &str) -> Result<Scheme, String> {
    let by_key = || text.parse::<SigningAlgorithm>().ok().map(|algorithm| algorithm.scheme);
    text.parse().ok().or_else(by_key).ok_or_else(|| "unknown scheme".to_owned())
}

/// Reads the name of a key algorithm: `p256`, one that Signet prints (`ecdsa-p256`, `rsa-2048`), or one of cosign's.
pub(crate) fn key_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    let named = text.parse().ok();
    let known = || SigningAlgorithm::names().filter_map(|name| name.parse::<SigningAlgorithm>().ok());
    let found = named.or_else(|| known().find(|algorithm| algorithm.key.to_string() == text));
    let names = || known().map(|algorithm| algorithm.key.to_string()).collect::<BTreeSet<_>>();
    found
        .map(|algorithm| algorithm.key)
        .ok_or_else(|| format!("expected one of {}", names().into_iter().collect::<Vec<_>>().join(", ")))
}

/// Reads `90`, `90s`, `3m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse() {
        Ok(seconds) => Some(seconds),
        Err(_) => seconds_of_parts(text),
    };
    match seconds {
        None => Err("expected a number and `s`, `m` or `h`, such as `90s` or `1m30s`".to_owned()),
        Some(seconds @ 1..=MAX_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err("expected a time between 1s and 24h".to_owned()),
    }
}

/// `1h2m3s`, as Go writes durations and cosign shows them; each unit once, the larger first.
fn seconds_of_parts(mut text: &str) -> Option<u64> {
    let (mut seconds, mut last) = (0_u64, u64::MAX);
    while !text.is_empty() {
        let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let unit = rest.chars().next()?;
        let factor = UNITS.iter().find_map(|(name, factor)| (*name == unit).then_some(*factor))?;
        // More than fits is more than may be.
        seconds = seconds.saturating_add(number.parse::<u64>().ok()?.saturating_mul(factor));
        (text, last) = (rest.strip_prefix(unit).filter(|_| factor < last)?, factor);
    }
    (last < u64::MAX).then_some(seconds)
}

/// What a duration is written in, and how many seconds that is.
const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// cosign's names (its `options/predicate.go`).
const PREDICATE_TYPES: [(&str, &str); 10] = [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
];
const MAX_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_the_name_of_this_machine_and_needs_a_port() {
        assert_eq!(address("localhost:5000"), Ok(([127, 0, 0, 1], 5000).into()));
        assert_eq!(address("0.0.0.0:0"), Ok(([0, 0, 0, 0], 0).into()));
        for text in [":5000", "5000", "localhost", "localhost:port"] {
            assert!(address(text).unwrap_err().contains("`127.0.0.1:5000`"), "{text}");
        }
    }

    /// Else what is refused beyond loopback would be judged by another address than somebody meant.
    #[test]
    fn a_name_is_on_loopback_with_all_its_addresses_or_with_none() {
        let of = |texts: &[&str]| one_of(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(of(&["[::1]:1", "127.0.0.1:1"]), Ok(([127, 0, 0, 1], 1).into()));
        assert_eq!(of(&["[2001:db8::1]:1"]), Ok("[2001:db8::1]:1".parse().unwrap()));
        assert!(of(&["127.0.1.1:1", "192.0.2.1:1"]).is_err());
        assert!(of(&[]).is_err());
    }

    #[test]
    fn algorithms_are_known_by_our_names_and_cosigns() {
        for name in ["p256", "ecdsa-p256", "ecdsa-sha2-256-nistp256"] {
            assert_eq!(key_algorithm(name), Ok(KeyAlgorithm::EcdsaP256), "{name}");
        }
        assert_eq!(key_algorithm("rsa-4096"), Ok(KeyAlgorithm::Rsa { bits: 4096 }));
        assert!(key_algorithm("dsa").unwrap_err().contains("ml-dsa-65"));
        assert_eq!(scheme("rsa-pss-sha256"), scheme("rsa-sign-pss-2048-sha256"));
        assert!(scheme("md5").is_err());
    }

    #[test]
    fn predicate_types_have_cosigns_names_and_no_misspelt_ones() {
        assert_eq!(predicate_type("slsaprovenance1"), Ok("https://slsa.dev/provenance/v1".to_owned()));
        for text in ["any", "signature", "https://example.com/predicate"] {
            assert_eq!(predicate_type(text), Ok(text.to_owned()));
        }
        assert!(predicate_type("slsaprovenence").unwrap_err().contains("slsaprovenance"));
    }

    /// `-a a=1,b=2` signed one annotation whose value was `1,b=2`; cosign signs two.
    #[test]
    fn annotations_are_split_as_cosign_splits_them() {
        let read = |text: &str| distinct(&[annotations(text)?]).map_err(|error| error.detail);
        let pairs = |pairs: &[(&str, &str)]| -> Result<Vec<(String, String)>, String> {
            Ok(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(read("a=b=c"), pairs(&[("a", "b=c")]));
        assert_eq!(read("a=1,b=2"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(read(r#""a=1,2",b="x""#), pairs(&[("a", "1,2"), ("b", "\"x\"")]));
        assert_eq!(read(r#""a=""1"",2""#), pairs(&[("a", "\"1\",2")]));
        for text in ["", "=b", "a", "a=1,", "a=1,b", "a=1,a=2"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("a=1,a=1"), pairs(&[("a", "1")]));
    }

    #[test]
    fn plain_http_is_for_any_registry_or_for_a_named_one() {
        let named = |name: &str| Ok(HttpRegistry::Named(Registry::new(name).unwrap()));
        assert_eq!(http_registry("true"), Ok(HttpRegistry::Any));
        assert_eq!(http_registry("127.0.0.1:5000"), named("127.0.0.1:5000"));
        assert_eq!(http_registry("Registry.Example"), named("registry.example"));
        assert_eq!(http_registry("false"), Ok(HttpRegistry::None));
        for text in ["", "yes", "a/b.c", "https://a.example"] {
            assert!(http_registry(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_bounds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("3m"), Ok(Duration::from_secs(180)));
        assert_eq!(duration("3m0s"), Ok(Duration::from_secs(180)), "as cosign shows its default");
        assert_eq!(duration("1h1m30s"), Ok(Duration::from_secs(3690)));
        for text in ["", "0s", "25h", "3d", "m", "-1s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
