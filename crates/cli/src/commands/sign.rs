//! `signet sign`.

use std::iter;
use std::path::Path;
use std::sync::Arc;

use signet_crypto::Digest;
use signet_registry::{Client, ImageStore, Location, ManifestName, Resolved, parallel};
use signet_verify::{Code, Evidence};

use super::sign_blob;
use crate::args::{ImageFormat, SignArgs, distinct};
use crate::attach::{self, Bundles};
use crate::document::{SignAction, SignDocument, SignedBody, UnsignedBody};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::gather::{self, Place};
use crate::method::{Method, MethodArgs};
use crate::progress::Progress;
use crate::runtime::block_on;
use crate::targets::{self, Target};
use crate::trust::Trust;
use crate::{clock, connection, decision, render};

/// Signs each image: the index and every platform in it.
pub(crate) fn run(args: &SignArgs, face: Face) -> Answer {
    if let Some(bundle) = &args.bundle {
        return sign_files(args, bundle, face);
    }
    let places: Vec<Location> =
        args.images.iter().map(|image| signable(image, args.format)).collect::<Result<_, _>>()?;
    let annotations = distinct(&args.annotations)?;
    let method = Method::of(&method_args(args), face)?;
    if args.format == ImageFormat::CosignLegacy {
        method.fits_legacy()?;
    }
    let job = Job {
        args,
        annotations,
        method,
        client: connection::client(&args.connection, &places),
        progress: Progress::of_pieces("signing", face),
    };
    block_on(async move {
        let done = job.sign_all(&places).await?;
        drop(job);
        done.tell(face)
    })
}

fn sign_files(args: &SignArgs, bundle: &Path, face: Face) -> Answer {
    let [file] = args.images.as_slice() else {
        return Err(CliError::new(Code::UsageInvalid, "with `--bundle` one file is signed at a time").into());
    };
    let file = Path::new(file);
    sign_blob::sign_file(&method_args(args), file, bundle, face)
}

fn method_args(args: &SignArgs) -> MethodArgs<'_> {
    MethodArgs {
        key: args.key.as_deref(),
        password: &args.password,
        scheme: args.scheme,
        keyless: &args.keyless,
        cosign: &args.cosign,
    }
}

/// Reads the place of an image that can be signed in this format.
fn signable(image: &str, format: ImageFormat) -> Result<Location, CliError> {
    let place = connection::place(image)?;
    let refused = |why: &str, hint: &str| {
        Err(CliError::new(Code::ReferenceInvalid, format!("`{place}` {why}")).hint(hint))
    };
    match (&place, format) {
        (Location::Registry(_), _) | (Location::Layout(..), ImageFormat::Bundle) => Ok(place),
        (Location::Layout(..), ImageFormat::CosignLegacy) => refused(
            "is no repository, and a signature in the legacy format names one",
            "sign with the default format, or copy it to a registry and sign it there",
        ),
        (Location::OciArchive(..) | Location::DockerArchive(..), _) => refused(
            "is an archive, which is not changed",
            "copy it to a layout (`oci:DIR`) or a registry with `signet copy`, then sign it there",
        ),
    }
}

/// What came of all of them.
#[derive(Default)]
struct Done {
    signed: Vec<SignedBody>,
    failed: Vec<(String, CliError)>,
}

impl Done {
    fn add(&mut self, name: String, result: Result<SignedBody, Stop>) -> Result<(), Stop> {
        match result {
            Ok(body) => self.signed.push(body),
            Err(Stop::Error(error)) => self.failed.push((name, *error)),
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    /// What is wrong with the signer or its services, and so for every image.
    fn fault(&self) -> Option<CliError> {
        // A platform that an index lacks is of that index.
        let of_an_image = |code: Code| code == Code::UsageInvalid || (2000..3000).contains(&code.number());
        self.failed.iter().map(|(_, error)| error).find(|error| !of_an_image(error.code)).cloned()
    }

    /// Tells all of it, and ends as the worst; one reason for which nothing was signed is an error like others.
    fn tell(self, face: Face) -> Answer {
        if let (true, Some((_, first))) = (self.signed.is_empty(), self.failed.first())
            && self.failed.iter().all(|(_, error)| error == first)
        {
            return Err(first.clone().into());
        }
        let worst = self.failed.iter().map(|(_, error)| Status::of(error.code)).max();
        let failed = self.failed.iter();
        let failed = failed.map(|(name, error)| UnsignedBody { name: name.clone(), error: error.into() });
        let document = SignDocument { failed: failed.collect(), signed: self.signed };
        face.result(&document, render::signed)?;
        Ok(worst.unwrap_or(Status::Yes))
    }
}

struct Job<'a> {
    args: &'a SignArgs,
    annotations: Vec<(String, String)>,
    method: Method,
    client: Client,
    progress: Progress,
}

/// Where an image is, and where its signatures go.
struct Site<'a> {
    place: &'a Location,
    images: Arc<dyn ImageStore>,
    signatures: Arc<dyn ImageStore>,
    bundles: Bundles,
    /// The repository name that is signed.
    name: Option<String>,
}

/// A manifest's name, and what came of it.
type Outcome = (String, Result<SignedBody, Stop>);

impl Job<'_> {
    /// Signs image after image: what one of them lacks keeps no other from being signed.
    async fn sign_all(&self, places: &[Location]) -> Result<Done, Stop> {
        let mut done = Done::default();
        for place in places {
            match done.fault() {
                Some(fault) => done.failed.push((place.to_string(), fault)),
                None => match self.sign_image(place).await {
                    Ok(outcomes) => {
                        outcomes.into_iter().try_for_each(|(name, result)| done.add(name, result))?
                    }
                    Err(stop) => done.add(place.to_string(), Err(stop))?,
                },
            }
        }
        Ok(done)
    }

    async fn sign_image(&self, place: &Location) -> Result<Vec<Outcome>, Stop> {
        let endpoint = connection::source(&self.client, place)?;
        let signatures = connection::attachments(&self.client, place, &endpoint)?;
        let site = Site {
            place,
            bundles: Bundles::new(signatures.clone()),
            signatures,
            name: connection::repository_name(place),
            images: endpoint.store,
        };
        let (image, signatures) = self.resolve(&site, endpoint.name.as_ref()).await?;
        let targets = self.targets(&site, image).await?;
        self.progress.expect(targets.len() as u64);
        // The image is the first of its targets.
        let read = iter::once(signatures).chain(iter::repeat_with(|| None));
        let targets = targets.into_iter().zip(read).collect();
        let outcomes = parallel(targets, PARALLEL, |(target, read): (Target, _)| async {
            let name = connection::name_by_digest(place, target.manifest.digest());
            (name, self.sign_target(&site, target, read).await)
        });
        as_one(outcomes.await)
    }

    /// The image; where it is named by its digest and to be signed itself, its signatures are read meanwhile.
    async fn resolve(
        &self,
        site: &Site<'_>,
        name: Option<&ManifestName>,
    ) -> Result<(Resolved, Option<Evidence>), Stop> {
        let image = site.images.resolve(name);
        match name {
            Some(ManifestName::Digest(digest)) if self.args.platform.is_empty() => {
                let (image, signatures) = tokio::join!(image, self.signatures(site, digest));
                Ok((image?, Some(signatures)))
            }
            _ => Ok((image.await?, None)),
        }
    }

    /// The signatures in the format asked for that a manifest has.
    async fn signatures(&self, site: &Site<'_>, manifest: &Digest) -> Evidence {
        let place = match self.args.format {
            ImageFormat::Bundle => Place::Referrers,
            ImageFormat::CosignLegacy => Place::SignatureTag,
        };
        gather::gather(&site.signatures, manifest, place).await
    }

    /// The image itself and what is in it, as far as the options want them.
    async fn targets(&self, site: &Site<'_>, image: Resolved) -> Result<Vec<Target>, Stop> {
        match self.args.index_only {
            true => Ok(vec![Target { manifest: image, platform: None }]),
            false => targets::find(&site.images, image, &self.args.platform).await,
        }
    }

    /// Signs a manifest, unless one of its signatures, which may have been read already, will do.
    async fn sign_target(
        &self,
        site: &Site<'_>,
        target: Target,
        read: Option<Evidence>,
    ) -> Result<SignedBody, Stop> {
        let digest = target.manifest.digest();
        let own = self.method.own_trust(&self.annotations).await?;
        let signatures = match read {
            Some(signatures) => signatures,
            None => self.signatures(site, &digest).await,
        };
        let stored = match self.is_signed(site, &target.manifest, signatures, &own) {
            true => None,
            false => Some(self.sign_manifest(site, &target.manifest).await?),
        };
        self.progress.done(1);
        Ok(SignedBody {
            name: connection::name_by_digest(site.place, digest),
            platform: target.platform.map(|platform| platform.to_string()),
            action: if stored.is_some() { SignAction::Signed } else { SignAction::Present },
            identity: self.method.identity().await?,
            race_possible: stored.as_ref().is_some_and(|stored| stored.race_possible),
            stored: stored.map(|stored| stored.place),
        })
    }

    /// Whether a sound signature of this key or identity, for this repository and with these annotations, is among them;
    /// of the scheme, if one is asked for.
    fn is_signed(&self, site: &Site<'_>, manifest: &Resolved, mut signatures: Evidence, own: &Trust) -> bool {
        let name = site.name.as_deref();
        let verdict = decision::about_manifest(manifest, name, &mut signatures, own, clock::now());
        verdict.is_allowed() && self.args.scheme.is_none_or(|scheme| verdict.counts(scheme))
    }

    async fn sign_manifest(&self, site: &Site<'_>, manifest: &Resolved) -> Result<attach::Stored, Stop> {
        let (digest, annotations) = (manifest.digest(), &self.annotations);
        let repository = connection::signature_repository(site.place)?;
        match (self.args.format, repository, &site.name) {
            (ImageFormat::CosignLegacy, Some(repository), Some(name)) => {
                let signature = self.method.simple(name, digest, annotations).await?;
                attach::legacy(&self.client, &repository, &digest, &signature).await
            }
            // A layout has no repository to name, and `signable` lets only bundles into one.
            _ => {
                let bundle = self.method.statement(site.name.clone(), digest, annotations).await?;
                site.bundles.attach(&manifest.descriptor, bundle).await
            }
        }
    }
}

/// Where all manifests of an image failed alike, the failure of the first is that of the image.
fn as_one(mut outcomes: Vec<Outcome>) -> Result<Vec<Outcome>, Stop> {
    let code = |outcome: &Outcome| match &outcome.1 {
        Err(Stop::Error(error)) => Some(error.code),
        _ => None,
    };
    let first = outcomes.first().and_then(code);
    match first.is_some() && outcomes.iter().all(|outcome| code(outcome) == first) {
        true => outcomes.swap_remove(0).1.map(|_| Vec::new()),
        false => Ok(outcomes),
    }
}

/// Manifests signed at once.
const PARALLEL: usize = 8;
