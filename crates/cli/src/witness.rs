//! Witnesses of transparency logs, as `--witness` names them.

use std::collections::BTreeSet;
use std::path::Path;

use signet_formats::note::{KeyKind, VerifierKey};
use signet_verify::{Code, TrustSnapshot, TrustedWitness};

use crate::error::CliError;
use crate::files;

/// Reads verifier keys, and files with one on each line; empty lines and those that begin with `#` are skipped.
pub(crate) fn read(given: &[String]) -> Result<Vec<TrustedWitness>, CliError> {
    let mut witnesses = Vec::new();
    for value in given {
        match value.parse::<VerifierKey>() {
            Ok(key) => witnesses.push(witness(&key, value)?),
            Err(_) => witnesses.extend(read_file(value)?),
        }
    }
    Ok(witnesses)
}

/// How many witnesses the snapshot has: a witness is its name, whatever number of keys it has.
pub(crate) fn distinct(snapshot: &TrustSnapshot) -> u32 {
    let names: BTreeSet<&str> =
        snapshot.witnesses.iter().filter_map(|witness| witness.verifier_key.split('+').next()).collect();
    u32::try_from(names.len()).unwrap_or(u32::MAX)
}

fn read_file(value: &str) -> Result<Vec<TrustedWitness>, CliError> {
    let path = Path::new(value);
    if !path.exists() {
        return Err(unusable(value, "it is neither a verifier key nor a file"));
    }
    let bytes = files::read(path, MAX_FILE)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| CliError::unreadable(path, error))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let witnesses = lines.map(|line| match line.parse::<VerifierKey>() {
        Ok(key) => witness(&key, line),
        Err(error) => Err(unusable(line, &error.to_string())),
    });
    let witnesses: Vec<TrustedWitness> = witnesses.collect::<Result<_, _>>()?;
    match witnesses.is_empty() {
        true => Err(unusable(value, "the file holds no verifier key")),
        false => Ok(witnesses),
    }
}

/// A log's key signs checkpoints; only a witness's cosigns them.
fn witness(key: &VerifierKey, text: &str) -> Result<TrustedWitness, CliError> {
    match key.kind() {
        KeyKind::CosignatureV1 | KeyKind::SubtreeV1 => Ok(TrustedWitness { verifier_key: key.to_string() }),
        _ => Err(unusable(text, "it is the key of a log, not of a witness")),
    }
}

fn unusable(what: &str, why: &str) -> CliError {
    let shown: String = what.chars().take(MAX_SHOWN).collect();
    CliError::new(Code::KeyUnusable, format!("witness `{shown}`: {why}"))
        .hint("give `NAME+HASH+KEY` as the witness publishes it, of type 04 (Ed25519) or 06 (ML-DSA-44)")
}

/// Some thousand keys.
const MAX_FILE: usize = 4 * 1024 * 1024;
const MAX_SHOWN: usize = 100;
