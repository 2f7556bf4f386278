//! The registry client that the options ask for.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use signet_crypto::Digest;
use signet_formats::oci::{Registry, Repository};
use signet_registry::{
    Client, Endpoint, ImageStore, Keychain, Limits, Location, Options, RegistryStore, TlsOptions,
};
use signet_verify::Code;

use crate::args::{ConnectionArgs, HttpRegistry};
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
    let asked: HashSet<Registry> = places.iter().flat_map(registries).collect();
    let may_be_plain = |registry: &&Registry| {
        args.allow_http_registry.iter().any(|allowed| match allowed {
            HttpRegistry::None => false,
            HttpRegistry::Any => true,
            HttpRegistry::Named(named) => named == *registry,
        })
    };
    let plain_http: HashSet<Registry> = asked.iter().filter(may_be_plain).cloned().collect();
    // Whoever names certificates means HTTPS, on this machine too.
    let has_certificates = !tls.authorities.is_empty() || tls.identity.is_some();
    let https = asked.into_iter().filter(|registry| has_certificates && !plain_http.contains(registry));
    let https = https.collect();
    Client::new(Options { keychain: Keychain::from_environment(), plain_http, https, tls, limits })
}

/// Reads a place as the user wrote it, and where its signatures are to be.
pub(crate) fn place(text: &str) -> Result<Location, CliError> {
    if text.contains('.') && Path::new(text).is_file() {
        let detail = format!("`{text}` is a file here, and would be asked for at Docker Hub");
        return Err(CliError::new(Code::ReferenceInvalid, detail).hint(format!(
            "the image in it is `oci-archive:{text}` or `docker-archive:{text}`; the file itself is signed by `sign-blob` and verified by `verify-blob`"
        )));
    }
    let place = text.parse::<Location>()?;
    signature_repository(&place)?;
    Ok(place)
}

/// Opens a place to read an image from.
pub(crate) fn source(client: &Client, place: &Location) -> Result<Endpoint, CliError> {
    Ok(place.source(client)?)
}

/// Where what is attached to the image of `place` is kept: the repository that `COSIGN_REPOSITORY` names,
/// else with the image.
pub(crate) fn attachments(
    client: &Client,
    place: &Location,
    image: &Endpoint,
) -> Result<Arc<dyn ImageStore>, CliError> {
    Ok(attachments_apart(client, place)?.unwrap_or_else(|| image.store.clone()))
}

/// The same, if it is not with the image.
pub(crate) fn attachments_apart(
    client: &Client,
    place: &Location,
) -> Result<Option<Arc<dyn ImageStore>>, CliError> {
    let (Location::Registry(image), Some(repository)) = (place, signature_repository(place)?) else {
        return Ok(None);
    };
    Ok(match repository == image.repository {
        true => None,
        false => Some(Arc::new(RegistryStore::new(client.clone(), repository))),
    })
}

/// The repository in which the signatures of an image in a registry are: `COSIGN_REPOSITORY`, else the image's.
/// Layouts and archives keep their own.
pub(crate) fn signature_repository(place: &Location) -> Result<Option<Repository>, CliError> {
    let Location::Registry(reference) = place else { return Ok(None) };
    let named = std::env::var("COSIGN_REPOSITORY").ok().filter(|named| !named.is_empty());
    let Some(named) = named else { return Ok(Some(reference.repository.clone())) };
    let repository = named.parse().map_err(|error| {
        CliError::new(Code::ReferenceInvalid, format!("`COSIGN_REPOSITORY` is `{named}`: {error}"))
            .hint("name a repository without tag and digest, or unset the variable")
    });
    repository.map(Some)
}

/// What a place names, by the digest it was resolved to.
pub(crate) fn name_by_digest(place: &Location, digest: Digest) -> String {
    place.by_digest(digest).to_string()
}

/// The repository that a place names, as it is signed and compared; layouts and archives name none.
pub(crate) fn repository_name(place: &Location) -> Option<String> {
    match place {
        Location::Registry(reference) => Some(reference.repository.to_string()),
        _ => None,
    }
}

/// The registries that a place is asked for at.
fn registries(place: &Location) -> impl Iterator<Item = Registry> {
    let image = match place {
        Location::Registry(reference) => Some(reference.repository.registry.clone()),
        _ => None,
    };
    // What is wrong with the name of the other one is said where it is used.
    let signatures = signature_repository(place).ok().flatten().map(|repository| repository.registry);
    image.into_iter().chain(signatures)
}
