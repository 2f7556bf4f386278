//! `signet copy`.

use signet_registry::{CopyOptions, CopyReport, Endpoint, ManifestName, copy};

use crate::args::CopyArgs;
use crate::document::CopyDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::progress::Progress;
use crate::runtime::block_on;
use crate::{connection, render};

/// Copies an image with everything that belongs to it.
pub(crate) fn run(args: &CopyArgs, face: Face) -> Answer {
    let (from, to) = (connection::place(&args.source)?, connection::place(&args.destination)?);
    block_on(async {
        let client = connection::client(&args.connection, &[from.clone(), to.clone()]);
        let source = Endpoint {
            apart: connection::attachments_apart(&client, &from)?,
            ..connection::source(&client, &from)?
        };
        let target = to.target_told(&client, &|file| {
            // Whoever cannot be told waits all the same.
            let _ = face
                .note(&format!("`{}` is being written by another process: waiting for it", file.display()));
        })?;
        let progress = Progress::of_bytes("copying", face);
        let options = CopyOptions { referrers: !args.no_referrers, ..CopyOptions::default() };
        let report = copy(&source, &target, &options, &|event| progress.copied(&event)).await;
        drop(progress);
        let report = report?;
        for digest in &report.missing {
            face.note(&format!("{from} lists {digest} as attached and does not have it: it was not copied"))?;
        }
        for name in &report.refused {
            face.note(&format!("{name} is attached and {from} does not let you have it: it was not copied"))?;
        }
        face.result(&document(args, &report), render::copied)?;
        Ok(Status::Yes)
    })
}

fn document(args: &CopyArgs, report: &CopyReport) -> CopyDocument {
    CopyDocument {
        source: args.source.clone(),
        destination: args.destination.clone(),
        digest: report.digest,
        manifests_sent: report.manifests_sent,
        manifests_present: report.manifests_present,
        blobs_sent: report.blobs_sent,
        blobs_present: report.blobs_present + report.blobs_mounted,
        bytes_sent: report.bytes_sent,
        referrers: report.referrers,
        attachments: report.attachments,
        missing: report.missing.clone(),
        refused: report.refused.iter().map(ManifestName::to_string).collect(),
        race_possible: report.race_possible,
    }
}
