//! The timestamp authority: no serial twice, whatever ends it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use signet_crypto::Digest;
use signet_formats::timestamp::{ReceivedRequest, TimestampToken};
use signet_services::clock::SystemClock;
use signet_services::tsa::{Config, TimeSource, Tsa};

use super::play::{Killer, Role, aborts, tell, whole};

/// The hidden task.
pub(super) const COMMAND: &str = "play-tsa";

/// Kills the authority so often; what was seen.
pub(super) async fn kills(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    let (mut killer, mut serials) = (Killer::new(COMMAND, seed, LONGEST_LIFE_MICROS), BTreeSet::new());
    for life in 0..kills {
        let why = |why| format!("kill {life}: {why}");
        let lines = killer.life(&dir.path().join("tsa"), life).await.map_err(why)?;
        hear(&mut serials, lines).map_err(why)?;
    }
    Ok(format!("{kills} kills: {} serials, each once", serials.len()))
}

/// The process aborts at each step on the disk, and starts again on what is left.
pub(super) async fn steps(dir: &Path) -> Result<String, String> {
    let aborts = aborts(dir, COMMAND, async |data, lines| {
        let mut serials = BTreeSet::new();
        hear(&mut serials, lines)?;
        hear(&mut serials, whole(COMMAND, data, 1)?)
    });
    Ok(format!("every step: {} aborts", aborts.await?))
}

fn hear(serials: &mut BTreeSet<String>, told: Vec<String>) -> Result<(), String> {
    told.into_iter().try_for_each(|serial| match serials.insert(serial.clone()) {
        true => Ok(()),
        false => Err(format!("serial {serial} was given twice")),
    })
}

/// The authority and its clients, in the process that is killed.
pub(super) async fn play(args: &[&str]) -> Result<(), String> {
    let role = Role::parse(args)?;
    let mut config = Config::new(Arc::new(SystemClock::start()));
    config.time = TimeSource::Development;
    let tsa = Tsa::open_on(role.disk.clone(), role.data, None, config).await;
    let tsa = tsa.map_err(|error| format!("it does not start: {error}"))?;
    let each = if role.ends { 5 } else { u64::MAX };
    let clients = (0..CLIENTS).map(|_| {
        let tsa = tsa.clone();
        tokio::spawn(async move {
            for number in 0..each {
                let request = ReceivedRequest::new(Digest::sha256(&number.to_be_bytes()), None, None);
                let Ok(answer) = tsa.stamp(&request).await else { return };
                if let Ok(token) = TimestampToken::from_response(&answer) {
                    tell(&format!("{:?}", token.info().serial));
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

const CLIENTS: u32 = 8;
const LONGEST_LIFE_MICROS: u64 = 100_000;
