//! From what the file says to a stack that listens.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_server::host::{Bounds, TlsFiles};
use signet_server::registry::{AuthFiles, GarbageCollection, PullGate};
use signet_server::stack::{CaConfig, Config, LogConfig, RegistryConfig, Stack, TsaConfig, WitnessConfig};
use signet_services::authority::Issuer;
use signet_services::ca::{Hierarchy, Rate};
use signet_services::log::{Limits, MAX_INTERVAL, MAX_QUEUE, MAX_WITNESS_WITHIN};
use signet_services::oidc::Issuers;
use signet_services::tsa::Identity;
use signet_verify::Code;
use tokio::task::JoinSet;

use super::StackFile;
use super::sections::{CaSection, LogSection, RegistrySection, TsaSection, WitnessSection};
use super::span::Span;
use crate::clock;
use crate::commands::authorities::{read_authority, read_issuers, read_roots, time_servers};
use crate::commands::witnesses::{WITNESSED_INTERVAL, read_policy, witnessed_logs, witnesses_of};
use crate::error::CliError;
use crate::gate::{Demand, Gate};
use crate::trust::read_trusted_root;

/// A stack, and what it was built from.
pub(crate) struct Built {
    /// The stack.
    pub(crate) stack: Stack,
    /// Its data directory, as it was given.
    pub(crate) data: PathBuf,
    /// What follows files as they change, as long as it is kept.
    pub(crate) following: JoinSet<()>,
}

/// Opens the stack that the file describes.
pub(crate) async fn build(file: StackFile) -> Result<Built, CliError> {
    let missing =
        || CliError::new(Code::UsageInvalid, "there is no data directory").hint("give `--data DIR`");
    let data = file.data.clone().ok_or_else(missing)?;
    let gate = gate(&file.registry, file.public_url.as_deref())?.map(Arc::new);
    let mut config = Config::new(data.clone(), file.listen.0);
    config.public_url = file.public_url;
    config.dev = file.dev;
    config.also_trust =
        file.also_trust.iter().map(|path| read_trusted_root(path)).collect::<Result<_, _>>()?;
    config.tls = pair("tls.certificate", file.tls.certificate, "tls.key", file.tls.key)?
        .map(|(certificates, key)| TlsFiles { certificates, key });
    config.admin = file.admin.listen.map(|listen| listen.0);
    let limits = file.limits;
    config.bounds = Bounds {
        connections: positive("limits.connections", limits.connections)?,
        idle: limits.idle.0,
        drain: limits.drain.0,
    };
    config.registry = registry(file.registry, gate.clone())?;
    config.log = log(&file.log)?;
    config.tsa = tsa(file.tsa).await?;
    config.ca = ca(file.ca).await?;
    config.trust = file.trust.enabled;
    config.witness = witness(file.witness)?;
    let stack = config.build().await?;
    let mut following = JoinSet::new();
    if let Some((gate, registry)) = gate.zip(stack.services().registry.as_ref()) {
        gate.guard(registry.store().clone());
        following.spawn(gate.follow());
    }
    Ok(Built { stack, data, following })
}

fn registry(section: RegistrySection, gate: Option<Arc<Gate>>) -> Result<Option<RegistryConfig>, CliError> {
    if !section.enabled {
        return Ok(None);
    }
    if section.access.is_some() && section.htpasswd.is_none() {
        return Err(CliError::new(Code::ConfigInvalid, "`registry.access` needs `registry.htpasswd`"));
    }
    Ok(Some(RegistryConfig {
        auth: section.htpasswd.map(|htpasswd| AuthFiles { htpasswd, rights: section.access }),
        anonymous: section.anonymous,
        garbage: section.gc_interval.map(|every| GarbageCollection::every(every.0)),
        gate: gate.map(|gate| gate as Arc<dyn PullGate>),
    }))
}

fn gate(section: &RegistrySection, url: Option<&str>) -> Result<Option<Gate>, CliError> {
    let Some(policy) = section.require_signed.as_ref().filter(|_| section.enabled) else { return Ok(None) };
    let demand = Demand {
        policy: policy.clone(),
        keys: section.keys.clone(),
        trusted_root: section.trusted_root.clone(),
        witnesses: section.witnesses.clone(),
    };
    Gate::new(demand, url).map(Some)
}

fn log(section: &LogSection) -> Result<LogConfig, CliError> {
    let LogSection { ml_dsa, interval, queue, queue_bytes, witness_timeout, search, .. } = *section;
    let queue = at_most("log.queue", positive("log.queue", queue)?, MAX_QUEUE)?;
    let interval = at_most("log.interval", interval, Span(MAX_INTERVAL))?.0;
    let within = at_most("log.witnessTimeout", witness_timeout, Span(MAX_WITNESS_WITHIN))?.0;
    let mut limits = Limits { queue, queue_bytes: positive("log.queueBytes", queue_bytes)?, interval };
    let witnesses = section.witness_policy.as_deref().map(read_policy).transpose()?;
    let witnesses = witnesses.map(|policy| {
        limits.interval = limits.interval.max(WITNESSED_INTERVAL);
        witnesses_of(policy, within)
    });
    Ok(LogConfig { ml_dsa, limits, witnesses, search: search.map(Into::into) })
}

fn witness(section: WitnessSection) -> Result<Option<WitnessConfig>, CliError> {
    let WitnessSection { enabled, logs, own_log, name, ml_dsa } = section;
    match enabled {
        true => Ok(Some(WitnessConfig { logs: witnessed_logs(&logs)?, own_log, name, ml_dsa })),
        false if own_log || !logs.is_empty() => Err(CliError::new(
            Code::ConfigInvalid,
            "`witness.logs` and `witness.ownLog` need `witness.enabled`",
        )),
        false => Ok(None),
    }
}

async fn tsa(section: TsaSection) -> Result<TsaConfig, CliError> {
    let chain = pair("tsa.key", section.key, "tsa.certificateChain", section.certificate_chain)?;
    let identity = match chain {
        Some((key, chain)) => {
            let (key, chain) = read_authority(&key, &chain).await?;
            Some(Identity::new(key, chain)?)
        }
        None => None,
    };
    let ntp = time_servers(&section.ntp, section.ntp_agree)?;
    Ok(TsaConfig { accuracy: section.accuracy.0, ntp, identity })
}

async fn ca(section: CaSection) -> Result<CaConfig, CliError> {
    let chain = pair("ca.key", section.key, "ca.certificateChain", section.certificate_chain)?;
    let hierarchy = match chain {
        Some((key, chain)) => {
            let (key, chain) = read_authority(&key, &chain).await?;
            Some(Hierarchy::given(Issuer::new(key, chain)?, clock::now())?)
        }
        None => None,
    };
    let rate = |key: &str, count: u32| {
        Ok::<_, CliError>(Rate { count: positive(key, count)?, per: Duration::from_secs(60) })
    };
    let issuers = section
        .issuers
        .as_deref()
        .map_or_else(|| Ok(Issuers::default()), |file: &Path| read_issuers(file))?;
    let (per_identity, per_issuer) =
        (rate("ca.perIdentity", section.per_identity)?, rate("ca.perIssuer", section.per_issuer)?);
    Ok(CaConfig { issuers, hierarchy, ct_roots: read_roots(&section.ct_roots)?, per_identity, per_issuer })
}

/// A number of which none would let nobody in.
fn positive<T: Default + PartialEq>(key: &str, number: T) -> Result<T, CliError> {
    match number == T::default() {
        true => Err(CliError::new(Code::ConfigInvalid, format!("`{key}` is 0"))),
        false => Ok(number),
    }
}

/// A value that is not larger than what makes sense.
fn at_most<T: PartialOrd + Display>(key: &str, value: T, most: T) -> Result<T, CliError> {
    match value > most {
        true => Err(CliError::new(Code::ConfigInvalid, format!("`{key}` is {value}, and at most {most}"))),
        false => Ok(value),
    }
}

/// Two keys that go together.
fn pair(
    first: &str,
    one: Option<PathBuf>,
    second: &str,
    other: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, CliError> {
    match (one, other) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        _ => Err(CliError::new(Code::ConfigInvalid, format!("`{first}` and `{second}` go together"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_log_is_bounded() {
        let most = || LogSection {
            interval: Span(MAX_INTERVAL),
            queue: MAX_QUEUE,
            witness_timeout: Span(MAX_WITNESS_WITHIN),
            ..LogSection::default()
        };
        assert!(log(&most()).is_ok());
        let more = |span: Duration| Span(span + Duration::from_millis(1));
        for section in [
            LogSection { interval: more(MAX_INTERVAL), ..most() },
            LogSection { queue: MAX_QUEUE + 1, ..most() },
            LogSection { witness_timeout: more(MAX_WITNESS_WITHIN), ..most() },
        ] {
            assert_eq!(log(&section).err().map(|error| error.code), Some(Code::ConfigInvalid));
        }
    }
}
