//! `signet verify`.

use std::sync::Arc;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, media_type};
use signet_registry::{Client, ImageStore, Location, parallel};
use signet_verify::{Class, Code, Verdict};

use super::verify_blob;
use crate::args::VerifyArgs;
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::plain::Plain;
use crate::runtime::block_on;
use crate::trust::Trust;
use crate::{clock, connection, decision, render};

/// Verifies each image, and ends as the worst of them.
pub(crate) fn run(args: &VerifyArgs, face: Face) -> Answer {
    if let Some(bundle) = &args.bundle {
        return verify_blob::verify_files(&args.trust, bundle, &args.images, face);
    }
    let trust = Trust::from_args(&args.trust, face)?;
    let places: Vec<Location> =
        args.images.iter().map(|image| connection::place(image)).collect::<Result<_, _>>()?;
    let at = clock::now();
    block_on(async {
        let client = connection::client(&args.connection, &places);
        let results = parallel(places, PARALLEL, |place| verify(&client, place, &trust, at)).await;
        if let Some(misuse) = results.iter().find_map(Image::misuse) {
            return Err(misuse.clone().into());
        }
        let worst = results.iter().map(Image::status).max().unwrap_or(Status::Undecided);
        for note in results.iter().filter_map(Image::note) {
            face.note(&note)?;
        }
        let document = VerifyDocument { results: results.iter().map(Image::body).collect() };
        face.result(&document, |_| results.iter().map(Image::text).collect())?;
        Ok(worst)
    })
}

/// One image and what came of it.
struct Image {
    /// As the user named it, by digest where it could be resolved.
    name: String,
    result: Result<Verdict, CliError>,
    /// How many signatures it has of a kind that is not verified here.
    foreign: usize,
}

impl Image {
    fn status(&self) -> Status {
        match &self.result {
            Ok(verdict) => Status::of_verdict(verdict),
            Err(error) => Status::of(error.code),
        }
    }

    /// What the caller gave wrongly, for this image and so for all: that is no verdict.
    fn misuse(&self) -> Option<&CliError> {
        self.result.as_ref().err().filter(|error| error.code.class() == Class::Usage)
    }

    fn body(&self) -> ImageBody<'_> {
        ImageBody::new(&self.name, self.result.as_ref())
    }

    /// What an unsigned image is signed with all the same.
    fn note(&self) -> Option<String> {
        let which = match self.foreign {
            0 => return None,
            1 => "a signature".to_owned(),
            count => format!("{count} signatures"),
        };
        let name = Plain(&self.name);
        Some(format!(
            "note: {name} has {which} of the Notary Project, which this release does not verify; `notation verify` does"
        ))
    }

    fn text(&self) -> String {
        match &self.result {
            Ok(verdict) => render::verdict(&self.name, verdict),
            Err(error) => render::undecided(&self.name, error),
        }
    }
}

async fn verify(client: &Client, place: Location, trust: &Trust, at: i64) -> Image {
    match decide(client, &place, trust, at).await {
        Ok((digest, verdict, foreign)) => {
            Image { name: connection::name_by_digest(&place, digest), result: Ok(verdict), foreign }
        }
        Err(error) => Image { name: place.to_string(), result: Err(error), foreign: 0 },
    }
}

async fn decide(
    client: &Client,
    place: &Location,
    trust: &Trust,
    at: i64,
) -> Result<(Digest, Verdict, usize), CliError> {
    let endpoint = connection::source(client, place)?;
    let attachments = connection::attachments(client, place, &endpoint)?;
    let repository = connection::repository_name(place);
    let decided = decision::about_named(&endpoint, &attachments, repository.as_deref(), trust, at).await?;
    let (digest, verdict) = decided;
    let foreign = match verdict.code {
        Some(Code::Unsigned) => notary_signatures(&attachments, &digest).await,
        _ => 0,
    };
    Ok((digest, verdict, foreign))
}

/// How many signatures of the Notary Project are listed: for a hint, so that the list is believed.
async fn notary_signatures(attachments: &Arc<dyn ImageStore>, image: &Digest) -> usize {
    let Ok(listed) = attachments.referrers(image).await else { return 0 };
    let is_one =
        |descriptor: &&Descriptor| descriptor.artifact_type.as_deref() == Some(media_type::NOTARY_SIGNATURE);
    listed.descriptors.iter().filter(is_one).count()
}

/// Images verified at once; each of them reads its signatures side by side.
const PARALLEL: usize = 8;
