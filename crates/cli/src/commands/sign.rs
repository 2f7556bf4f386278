//! `signet sign`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use signet_formats::oci::{Descriptor, Platform, Reference};
use signet_keys::{PrivateKey, read_private};
use signet_registry::{Client, ImageStore, Location, RegistryStore, Resolved, parallel};
use signet_verify::{Code, KeyReference, Policy, Principal, RepositoryRule, Rule, TrustSnapshot};

use super::sign_blob::{self, Blob};
use crate::args::{ImageFormat, SignArgs};
use crate::document::{SignAction, SignDocument, SignedBody};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::gather::Place;
use crate::runtime::block_on;
use crate::signing::Signing;
use crate::trust::Trust;
use crate::{attach, clock, connection, decision, password, render};

/// Signs each image: the index and every platform in it.
pub(crate) fn run(args: &SignArgs, face: Face) -> Answer {
    if let Some(bundle) = &args.bundle {
        return sign_files(args, bundle, face);
    }
    let places: Vec<Location> =
        args.images.iter().map(|image| connection::place(image)).collect::<Result<_, _>>()?;
    let references: Vec<Reference> = places.iter().map(in_registry).collect::<Result<_, _>>()?;
    let key = read_private(&args.key, &password::source(&args.password))?;
    let signing = Signing::new(&key, args.scheme)?;
    if args.format == ImageFormat::CosignLegacy {
        signing.fits_legacy()?;
    }
    let job =
        Job { args, signing, own: own_trust(&key)?, client: connection::client(&args.connection, &places) };
    block_on(async {
        let mut signed = Vec::new();
        for reference in &references {
            signed.extend(job.sign_image(reference).await?);
        }
        face.result(&SignDocument { schema: "signet.dev/sign/v1", signed }, render::signed)?;
        Ok(Status::Yes)
    })
}

fn sign_files(args: &SignArgs, bundle: &Path, face: Face) -> Answer {
    let [file] = args.images.as_slice() else {
        return Err(CliError::new(Code::UsageInvalid, "with `--bundle` one file is signed at a time").into());
    };
    let file = Path::new(file);
    let blob = Blob { key: &args.key, password: &args.password, scheme: args.scheme, bundle, file };
    sign_blob::sign_file(&blob, face)
}

fn in_registry(place: &Location) -> Result<Reference, CliError> {
    match place {
        Location::Registry(reference) => Ok(reference.clone()),
        _ => Err(CliError::new(Code::ReferenceInvalid, format!("`{place}` is not in a registry"))
            .hint("copy it to a registry with `signet copy`, then sign it there")),
    }
}

/// Trust in the signing key alone, for a signature that names this very repository: what a rerun looks for.
fn own_trust(key: &PrivateKey) -> Result<Trust, CliError> {
    let public = key.public_key();
    let principals = BTreeMap::from([("signer".to_owned(), Principal::Key(KeyReference::id(public.id())))]);
    let rule = Rule::any_of(principals.keys().cloned());
    let mut policy = Policy::of_principals("rerun", principals, rule).map_err(CliError::internal)?;
    policy.spec.repository = RepositoryRule::Deny;
    Ok(Trust { snapshot: TrustSnapshot::from_keys([public]), policy })
}

struct Job<'a> {
    args: &'a SignArgs,
    signing: Signing<'a>,
    own: Trust,
    client: Client,
}

/// A manifest to sign.
struct Target {
    manifest: Resolved,
    platform: Option<String>,
}

impl Job<'_> {
    async fn sign_image(&self, reference: &Reference) -> Result<Vec<SignedBody>, Stop> {
        let image = self.client.resolve(reference).await?;
        let targets = self.targets(reference, image).await?;
        let signed = parallel(targets, PARALLEL, |target| self.sign_target(reference, target)).await;
        signed.into_iter().collect()
    }

    /// The image itself and the platforms in it, as far as the options want them.
    async fn targets(&self, reference: &Reference, image: Resolved) -> Result<Vec<Target>, Stop> {
        let wanted: Vec<(Descriptor, String)> = platforms(&image)
            .filter(|_| !self.args.index_only)
            .map(|(descriptor, platform)| (descriptor.clone(), platform.to_string()))
            .filter(|(_, platform)| self.args.platform.is_empty() || self.args.platform.contains(platform))
            .collect();
        self.all_found(&image, &wanted)?;
        let children = parallel(wanted, PARALLEL, |(descriptor, platform)| async move {
            let manifest = self.client.manifest(&reference.repository, &descriptor.digest).await?;
            Ok(Target { manifest, platform: Some(platform) })
        });
        let children: Result<Vec<Target>, Stop> = children.await.into_iter().collect();
        let mut targets = children?;
        if self.args.platform.is_empty() {
            targets.insert(0, Target { manifest: image, platform: None });
        }
        Ok(targets)
    }

    /// Each platform that was asked for must be there.
    fn all_found(&self, image: &Resolved, wanted: &[(Descriptor, String)]) -> Result<(), CliError> {
        let missing =
            self.args.platform.iter().find(|asked| !wanted.iter().any(|(_, found)| found == *asked));
        let Some(missing) = missing else { return Ok(()) };
        let there: Vec<String> = platforms(image).map(|(_, platform)| platform.to_string()).collect();
        let detail = match there.is_empty() {
            true => format!("`{missing}` was asked for, and the image is not an index of platforms"),
            false => format!("`{missing}` was asked for, and the index has {}", there.join(", ")),
        };
        Err(CliError::new(Code::UsageInvalid, detail)
            .hint("choose a platform that is there, or leave out `--platform`"))
    }

    async fn sign_target(&self, reference: &Reference, target: Target) -> Result<SignedBody, Stop> {
        let digest = target.manifest.digest();
        let stored = match self.is_signed(reference, &target.manifest).await {
            true => None,
            false => Some(self.sign_manifest(reference, &target.manifest).await?),
        };
        Ok(SignedBody {
            name: reference.by_digest(digest).to_string(),
            platform: target.platform,
            action: if stored.is_some() { SignAction::Signed } else { SignAction::Present },
            race_possible: stored.as_ref().is_some_and(|stored| stored.race_possible),
            stored: stored.map(|stored| stored.place),
        })
    }

    /// Whether a sound signature of this key, in this format and for this repository, is there already.
    async fn is_signed(&self, reference: &Reference, manifest: &Resolved) -> bool {
        let place = match self.args.format {
            ImageFormat::Bundle => Place::Referrers,
            ImageFormat::CosignLegacy => Place::SignatureTag,
        };
        let store: Arc<dyn ImageStore> =
            Arc::new(RegistryStore::new(self.client.clone(), reference.repository.clone()));
        let name = reference.repository.to_string();
        let (own, at) = (&self.own, clock::now());
        decision::about_image(&store, manifest, Some(&name), own, &[place], at).await.is_allowed()
    }

    async fn sign_manifest(
        &self,
        reference: &Reference,
        manifest: &Resolved,
    ) -> Result<attach::Stored, Stop> {
        let (client, repository, digest) = (&self.client, &reference.repository, manifest.digest());
        match self.args.format {
            ImageFormat::Bundle => {
                let bundle = self.signing.statement(repository.to_string(), digest).await?;
                attach::bundle(client, repository, &manifest.descriptor, bundle).await
            }
            ImageFormat::CosignLegacy => {
                let signature = self.signing.simple(&repository.to_string(), digest).await?;
                attach::legacy(client, repository, &digest, &signature).await
            }
        }
    }
}

/// The platforms of an index. What BuildKit keeps there under `unknown/unknown` are attestations.
fn platforms(image: &Resolved) -> impl Iterator<Item = (&Descriptor, &Platform)> {
    let known = |platform: &Platform| platform.os != "unknown" || platform.architecture != "unknown";
    image.manifest.manifests().iter().filter_map(move |descriptor| {
        descriptor.platform.as_ref().filter(|platform| known(platform)).map(|platform| (descriptor, platform))
    })
}

/// Manifests signed at once.
const PARALLEL: usize = 8;
