//! One trusted root from several.

use std::path::Path;

use signet_formats::trusted_root::{Authority, LogInstance, TrustedRoot, TrustedRootError, Validity};
use signet_verify::Code;

use super::moment;
use crate::args::TrustMergeArgs;
use crate::document::{TrustAnchor, TrustMergeDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::{clock, files, trust};

/// Merges what is in use, then what was.
pub(super) fn run(args: &TrustMergeArgs, face: Face) -> Answer {
    let merged = merged(args, args.at.unwrap_or_else(clock::now))?;
    let json = merged.to_json().map_err(|error| invalid(&args.out, error))?;
    files::create(&args.out, &json)?;
    let document = TrustMergeDocument { file: args.out.display().to_string(), anchors: anchors(&merged) };
    face.result(&document, text)?;
    Ok(Status::Yes)
}

/// All that is in the files; what is retired ends at `at`.
fn merged(args: &TrustMergeArgs, at: i64) -> Result<TrustedRoot, CliError> {
    let files = args.files.iter().chain(&args.retired);
    let current = args.files.iter().map(|file| trust::read_trusted_root(file));
    let retired = args.retired.iter().map(|file| Ok(trust::read_trusted_root(file)?.retired(at)));
    let mut roots = files.zip(current.chain(retired)).map(|(file, root)| Ok::<_, CliError>((file, root?)));
    let (_, mut merged) = roots.next().ok_or_else(|| CliError::internal("no trusted root was given"))??;
    for next in roots {
        let (file, root) = next?;
        merged.add(root).map_err(|error| invalid(file, error))?;
    }
    Ok(merged)
}

fn invalid(file: &Path, error: TrustedRootError) -> CliError {
    CliError::new(Code::TrustRootInvalid, about(file, error))
}

fn anchors(root: &TrustedRoot) -> Vec<TrustAnchor> {
    let logs = |kind, logs: &[LogInstance]| -> Vec<TrustAnchor> {
        logs.iter().map(|log| anchor(kind, &log.base_url, log.validity)).collect()
    };
    let authorities = |kind, authorities: &[Authority]| -> Vec<TrustAnchor> {
        authorities.iter().map(|one| anchor(kind, &one.common_name, one.validity)).collect()
    };
    [
        logs("log", &root.tlogs),
        authorities("certificate authority", &root.certificate_authorities),
        logs("certificate log", &root.ctlogs),
        authorities("timestamp authority", &root.timestamp_authorities),
    ]
    .concat()
}

fn anchor(kind: &'static str, name: &str, Validity { start, end }: Validity) -> TrustAnchor {
    TrustAnchor { kind, name: name.to_owned(), since: moment(start), until: end.map(moment) }
}

fn text(document: &TrustMergeDocument) -> String {
    let line = |TrustAnchor { kind, name, since, until }: &TrustAnchor| {
        let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        format!("{kind:<21}  {name}, since {since}{until}\n")
    };
    let lines: String = document.anchors.iter().map(line).collect();
    format!("{lines}written to `{}`\n", document.file)
}
