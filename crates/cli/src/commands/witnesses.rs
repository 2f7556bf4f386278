//! What the commands that witness, or are witnessed, share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::note::{KeyKind, VerifierKey};
use signet_formats::tlog::{MAX_POLICY_BYTES, WitnessPolicy, parse_log_list};
use signet_server::witness::HttpWitnesses;
use signet_services::log::{Config, REFRESH, Witnesses, policy_of};
use signet_services::witness::WitnessedLog;
use signet_verify::Code;

use crate::error::{CliError, about};
use crate::files;

/// Reads a witness policy.
pub(crate) fn read_policy(path: &Path) -> Result<WitnessPolicy, CliError> {
    let text = files::read(path, MAX_POLICY_BYTES)?;
    WitnessPolicy::parse(&text).map_err(|error| CliError::new(Code::ConfigInvalid, about(path, error)))
}

/// The witnesses of a policy, each of which may take so long.
pub(crate) fn witnesses_of(policy: WitnessPolicy, within: Duration) -> Arc<Witnesses> {
    Arc::new(Witnesses::new(policy, Arc::new(HttpWitnesses::default()), within))
}

/// A log that is opened with this policy, or with the one that it has.
pub(crate) fn witnessed(
    mut config: Config,
    policy: Option<WitnessPolicy>,
    within: Duration,
) -> Result<Config, CliError> {
    let policy = match policy {
        Some(policy) => Some(policy),
        None => policy_of(&config.data)?,
    };
    if let Some(policy) = policy {
        config.witnesses = Some(witnesses_of(policy, within));
        config.limits.interval = WITNESSED_INTERVAL;
        config.refresh = Some(REFRESH);
    }
    Ok(config)
}

/// Verifier keys, and lists of logs.
pub(crate) fn witnessed_logs(given: &[String]) -> Result<Vec<WitnessedLog>, CliError> {
    let mut logs = Vec::new();
    for value in given {
        match value.parse::<VerifierKey>() {
            Ok(key) if key.kind() == KeyKind::CosignatureV1 => {
                return Err(unusable(value, "it is the key of a witness, not of a log"));
            }
            Ok(key) => {
                logs.push(WitnessedLog { origin: key.name().to_owned(), keys: vec![key], per_day: None })
            }
            Err(_) => logs.extend(listed(value)?),
        }
    }
    Ok(logs)
}

fn listed(value: &str) -> Result<Vec<WitnessedLog>, CliError> {
    let path = Path::new(value);
    if !path.exists() {
        return Err(unusable(value, "it is neither a verifier key nor a file"));
    }
    let bytes = files::read(path, MAX_LIST_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| CliError::unreadable(path, error))?;
    let logs = parse_log_list(text)
        .map_err(|error| CliError::new(Code::ConfigInvalid, about(path, error)))?
        .into_iter()
        .map(|log| WitnessedLog { origin: log.origin, keys: vec![log.key], per_day: log.per_day });
    Ok(logs.collect())
}

fn unusable(what: &str, why: &str) -> CliError {
    let shown: String = what.chars().take(MAX_SHOWN).collect();
    CliError::new(Code::KeyUnusable, format!("log `{shown}`: {why}"))
        .hint("give `NAME+HASH+KEY` as the log publishes it, or a file that begins with `logs/v0`")
}

/// What the witness network asks for: a checkpoint a second at most.
pub(crate) const WITNESSED_INTERVAL: Duration = Duration::from_secs(1);
/// The witness network's largest list has 40,000 logs.
const MAX_LIST_BYTES: usize = 32 * 1024 * 1024;
const MAX_SHOWN: usize = 100;
