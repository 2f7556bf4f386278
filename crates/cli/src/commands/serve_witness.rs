//! `signet serve witness`.

use std::path::Path;
use std::sync::Arc;

use signet_formats::note::{KeyKind, VerifierKey};
use signet_formats::tlog::parse_log_list;
use signet_server::host::{Host, health};
use signet_server::witness;
use signet_services::clock::SystemClock;
use signet_services::witness::{Config, HomeOptions, Witness, WitnessedLog};
use signet_store::fs::Disk;
use signet_verify::Code;

use crate::args::ServeWitnessArgs;
use crate::document::ServeWitnessDocument;
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::{files, runtime};

/// Serves a witness until it is told to stop.
pub(crate) async fn run(args: &ServeWitnessArgs, face: Face) -> Answer {
    let (data, clock) = (args.data.clone(), Arc::new(SystemClock::start()));
    let config = Config { data, logs: logs(&args.log)?, clock };
    let options = HomeOptions { name: args.name.clone(), ml_dsa: args.ml_dsa };
    let witness = Witness::open_home(Disk::default(), config, options).await?;
    let host = Host::listen(args.listen, args.tls.files().as_ref()).await?;
    let stop = runtime::stopped();
    face.result(&document(args, &witness, &host), text)?;
    let ready = witness.clone();
    let router = witness::router(witness).merge(health(move || ready.is_cosigning()));
    host.run(router, stop).await;
    Ok(Status::Yes)
}

/// Verifier keys, and lists of logs.
fn logs(given: &[String]) -> Result<Vec<WitnessedLog>, CliError> {
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

fn document(args: &ServeWitnessArgs, witness: &Witness, host: &Host) -> ServeWitnessDocument {
    ServeWitnessDocument {
        address: host.local_addr(),
        url: host.url(),
        data: args.data.display().to_string(),
        keys: witness.keys().map(ToString::to_string).collect(),
        logs: witness.logs(),
    }
}

fn text(document: &ServeWitnessDocument) -> String {
    let ServeWitnessDocument { url, data, logs, .. } = document;
    let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
    format!("witnessing {logs} logs at {url} from `{data}`\n{keys}")
}

/// The witness network's largest list has 40,000 logs.
const MAX_LIST_BYTES: usize = 32 * 1024 * 1024;
const MAX_SHOWN: usize = 100;
