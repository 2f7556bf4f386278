//! The registry client that the options ask for.

use signet_crypto::Digest;
use signet_formats::oci::Registry;
use signet_registry::{Client, Endpoint, Keychain, Limits, Location, Options, TlsOptions};

use crate::args::ConnectionArgs;
use crate::error::CliError;

/// A client for these places.
pub(crate) fn client(args: &ConnectionArgs, places: &[Location]) -> Client {
    let mut limits = Limits::default();
    if let Some(timeout) = args.timeout {
        limits.request = timeout;
        limits.idle = limits.idle.max(timeout);
    }
    let tls = TlsOptions {
        authorities: args.registry_cacert.iter().cloned().collect(),
        identity: args.registry_client_cert.clone().zip(args.registry_client_key.clone()),
    };
    let plain_http = match args.allow_http_registry {
        true => places.iter().filter_map(registry).cloned().collect(),
        false => Default::default(),
    };
    Client::new(Options { keychain: Keychain::from_environment(), plain_http, tls, limits })
}

/// Reads a place as the user wrote it.
pub(crate) fn place(text: &str) -> Result<Location, CliError> {
    Ok(text.parse::<Location>()?)
}

/// Opens a place to read an image from.
pub(crate) fn source(client: &Client, place: &Location) -> Result<Endpoint, CliError> {
    Ok(place.source(client)?)
}

/// What a place names, by the digest it was resolved to.
pub(crate) fn name_by_digest(place: &Location, digest: Digest) -> String {
    match place {
        Location::Registry(reference) => reference.by_digest(digest).to_string(),
        _ => format!("{place}@{digest}"),
    }
}

/// The repository that a place names, as it is signed and compared; layouts and archives name none.
pub(crate) fn repository_name(place: &Location) -> Option<String> {
    match place {
        Location::Registry(reference) => Some(reference.repository.to_string()),
        _ => None,
    }
}

fn registry(place: &Location) -> Option<&Registry> {
    match place {
        Location::Registry(reference) => Some(&reference.repository.registry),
        _ => None,
    }
}
