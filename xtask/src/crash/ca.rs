//! The certificate authority and its log, which goes on in other shards meanwhile: whatever ends them, every certificate that
//! somebody was given is recorded and in the shard that promised it, and no serial number is given twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_formats::static_ct::{SignedEntry, tile_leaves};
use signet_formats::tlog::{EntryBundle, TILE_WIDTH};
use signet_formats::x509::Certificate;
use signet_keys::{Payload, PrivateKey};
use signet_services::ca::{Ca, Config, Proof, Rate};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::{CertificateLog, CertificateLogs, fsck_issuers};
use signet_services::oidc::{Fetch, FetchError, Issuer, Issuers, KeySet, KeySource, Provider, Verifier};
use signet_services::{journal, key_files, log};
use signet_store::fs::Disk;

use super::play::{Killer, Role, aborts, tell, whole};

/// The hidden task.
pub(super) const COMMAND: &str = "play-ca";

/// Kills the authority so often; what was seen.
pub(super) async fn kills(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    let (data, mut told) = (dir.path().join("data"), Told::default());
    let mut killer = Killer::new(COMMAND, seed, LONGEST_LIFE_MICROS);
    for life in 0..kills {
        let why = |why| format!("kill {life}: {why}");
        told.hear(&killer.life(&data, life).await.map_err(why)?).map_err(why)?;
        is_sound(&data).map_err(why)?;
    }
    told.check(&data).await?;
    Ok(format!("{kills} kills: {} certificates as they must be", told.0.len()))
}

/// The process aborts at each step on the disk, and starts again on what is left.
pub(super) async fn steps(dir: &Path) -> Result<String, String> {
    let aborts = aborts(dir, COMMAND, async |data, lines| {
        let mut told = Told::default();
        told.hear(&lines)?;
        told.hear(&whole(COMMAND, data, 1)?)?;
        is_sound(data)?;
        told.check(data).await
    });
    Ok(format!("every step: {} aborts", aborts.await?))
}

/// The authority and its clients, in the process that is killed.
pub(super) async fn play(args: &[&str]) -> Result<(), String> {
    let role = Role::parse(args)?;
    let issuer = TokenIssuer::new()?;
    let (ca, log) = open(&role.disk, role.data, &issuer).await?;
    let (each, clients) = if role.ends { (1, 1) } else { (u64::MAX, CLIENTS) };
    let issuer = Arc::new(issuer);
    if role.ends {
        issue(&ca, &issuer, "first@example.com").await;
        log.rotate(None).await.map_err(|error| error.to_string())?;
    } else {
        tokio::spawn(rotate(Arc::clone(&log)));
    }
    let clients = (0..clients).map(|client| {
        let (ca, issuer) = (ca.clone(), Arc::clone(&issuer));
        tokio::spawn(async move {
            for number in 0..each {
                if !issue(&ca, &issuer, &format!("{client}.{number}@example.com")).await {
                    return;
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.map_err(|error| error.to_string())?;
    }
    log.close().await;
    Ok(())
}

/// Asks for a certificate and tells of it; whether there is one.
async fn issue(ca: &Ca, issuer: &TokenIssuer, email: &str) -> bool {
    let Ok((token, proof)) = issuer.request(email) else { return false };
    let Ok(chain) = ca.issue(&token, &proof).await else { return false };
    chain.first().into_iter().for_each(|own| tell(&given(own)));
    true
}

/// Lets the log go on in another shard again and again, but not for ever: each start opens all of them.
pub(super) async fn rotate(log: Arc<CertificateLogs>) {
    while log.all().len() < MAX_SHARDS && log.rotate(None).await.is_ok() {}
}

/// The line that says that somebody was given a certificate.
pub(super) fn given(certificate: &Certificate) -> String {
    base64::encode(certificate.der())
}

/// The certificates that were given, by their serial numbers.
#[derive(Default)]
pub(super) struct Told(BTreeMap<Vec<u8>, Certificate>);

impl Told {
    fn hear(&mut self, lines: &[String]) -> Result<(), String> {
        lines.iter().try_for_each(|line| self.hear_one(line))
    }

    pub(super) fn hear_one(&mut self, line: &str) -> Result<(), String> {
        let der = base64::decode(line).map_err(|error| error.to_string())?;
        let certificate = Certificate::from_der(&der).map_err(|error| error.to_string())?;
        match self.0.insert(certificate.serial().to_vec(), certificate) {
            None => Ok(()),
            Some(twice) => Err(format!("serial {:?} was given twice", twice.serial())),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    async fn check(&self, data: &Path) -> Result<(), String> {
        let log = open_log(&Disk::default(), data).await?;
        let checked = self.check_in(&data.join("ca"), &log);
        log.close().await;
        checked
    }

    /// All of them are recorded and in the shard that promised them.
    pub(super) fn check_in(&self, ca: &Path, log: &CertificateLogs) -> Result<(), String> {
        let recorded = recorded(ca)?;
        let logged = log.all().iter().map(logged).collect::<Result<BTreeMap<_, _>, _>>()?;
        let is_logged = |certificate: &Certificate| {
            let promises = certificate.scts().unwrap_or_default();
            let shard = promises.first().and_then(|promise| logged.get(promise.log_id().as_slice()));
            shard.is_some_and(|shard| shard.contains(&certificate.precert_tbs()))
        };
        for certificate in self.0.values() {
            if !recorded.contains(&certificate.fingerprint().to_string()) {
                return Err(format!("the certificate {} is not recorded", certificate.fingerprint()));
            }
            if !is_logged(certificate) {
                return Err(format!("the certificate {} is not in the log", certificate.fingerprint()));
            }
        }
        Ok(())
    }
}

/// The certificates that are recorded.
fn recorded(ca: &Path) -> Result<BTreeSet<String>, String> {
    let text = fs::read_to_string(ca.join("audit.jsonl")).map_err(|error| error.to_string())?;
    let mut recorded = BTreeSet::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        recorded.extend(record.get("certificate").and_then(Value::as_str).map(str::to_owned));
    }
    Ok(recorded)
}

/// What a shard has, without the poison and promises, by the id of its key.
fn logged(log: &CertificateLog) -> Result<(Vec<u8>, BTreeSet<Vec<u8>>), String> {
    let (size, mut logged) = (log.log().head().checkpoint.size, BTreeSet::new());
    for index in 0..size.div_ceil(TILE_WIDTH) {
        let bundle = EntryBundle::of_log(index, size).ok_or("no bundle")?;
        let tile =
            log.log().entries(bundle).map_err(|error| error.to_string())?.ok_or("an unpublished bundle")?;
        for leaf in tile_leaves(&tile) {
            if let SignedEntry::Precertificate { tbs, .. } = leaf.map_err(|error| error.to_string())?.entry {
                logged.insert(tbs);
            }
        }
    }
    Ok((log.public_key().id().as_bytes().to_vec(), logged))
}

fn is_sound(data: &Path) -> Result<(), String> {
    let (ca, ct) = (data.join("ca"), data.join("ct"));
    let mut findings = [key_files::fsck(&ca), journal::fsck(&ca.join("audit.jsonl"))].concat();
    // A log that was not begun yet has nothing to check.
    if ct.join("log.json").is_file() {
        let failed = |error| format!("fsck: {error}");
        let shards = log::places_of(&ct).map_err(failed)?;
        let reports = log::fsck_shards(&shards).map_err(failed)?;
        findings.extend(reports.into_iter().flat_map(|report| report.findings));
        findings.extend(shards.iter().flat_map(|shard| fsck_issuers(&shard.data)));
    }
    match findings.as_slice() {
        [] => Ok(()),
        findings => Err(format!("fsck: {}", findings.join("; "))),
    }
}

async fn open(disk: &Disk, data: &Path, issuer: &TokenIssuer) -> Result<(Ca, Arc<CertificateLogs>), String> {
    let failed = |error: &dyn std::fmt::Display| format!("it does not start: {error}");
    let log = open_log(disk, data).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let verifier = issuer.verifier(Arc::clone(&clock)).map_err(|error| failed(&error))?;
    let mut config = Config::new(verifier, Arc::clone(&log) as _, clock);
    // There is to be no end to them.
    config.per_issuer = Rate { count: u32::MAX, ..config.per_issuer };
    let ca = Ca::open_on(disk.clone(), &data.join("ca"), config).await.map_err(|error| failed(&error))?;
    Ok((ca, log))
}

async fn open_log(disk: &Disk, data: &Path) -> Result<Arc<CertificateLogs>, String> {
    let clock = Arc::new(SystemClock::start());
    let log = CertificateLogs::open_home_on(disk.clone(), &data.join("ct"), "ct.example", clock).await;
    log.map(Arc::new).map_err(|error| format!("the log does not start: {error}"))
}

/// An issuer of identity tokens whose keys are known without asking.
struct TokenIssuer {
    key: PrivateKey,
}

impl TokenIssuer {
    fn new() -> Result<Self, String> {
        Ok(Self { key: generate(KeyAlgorithm::Ed25519)? })
    }

    fn verifier(&self, clock: Arc<dyn Clock>) -> Result<Verifier, String> {
        let mut issuers = Issuers::default();
        let issuer = Issuer {
            url: ISSUER.to_owned(),
            is_matched: false,
            client_id: "sigstore".to_owned(),
            provider: Provider::Email { unverified: false },
            issuer_claim: None,
            challenge_claim: "email".into(),
            allowed: None,
            allowed_repositories: None,
            tls_authorities: None,
        };
        issuers.add(issuer).map_err(|error| error.to_string())?;
        let keys = HashMap::from([(ISSUER.to_owned(), KeySet::of(KEY_ID, self.key.public_key().clone()))]);
        Ok(Verifier::new(issuers, KeySource::with_own(Arc::new(Nobody), keys), clock))
    }

    /// A token for this address, and proof that its bearer holds a key.
    fn request(&self, email: &str) -> Result<(String, Proof), String> {
        let now = SystemClock::start().seconds();
        let claims = json!({
            "iss": ISSUER, "aud": "sigstore", "sub": email, "email": email, "email_verified": true,
            "iat": now, "exp": now + 300,
        });
        let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
        let input = signing_input(JwtAlgorithm::EdDsa, KEY_ID, &claims);
        let signed = self.key.sign(Scheme::Ed25519, Payload::Message(input.as_bytes()));
        let token = format!("{input}.{}", base64::encode_url(signed.map_err(|error| error.to_string())?));
        let key = generate(KeyAlgorithm::EcdsaP256)?;
        let signature = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(email.as_bytes()));
        let signature = signature.map_err(|error| error.to_string())?;
        Ok((token, Proof::Signature { key: key.public_key().clone(), signature }))
    }
}

fn generate(algorithm: KeyAlgorithm) -> Result<PrivateKey, String> {
    PrivateKey::generate(algorithm).map_err(|error| error.to_string())
}

/// Nothing has to be fetched.
struct Nobody;

#[async_trait]
impl Fetch for Nobody {
    async fn get(&self, url: &str, _: Option<&str>, _: usize) -> Result<Vec<u8>, FetchError> {
        Err(FetchError(format!("nobody is at {url}")))
    }
}

const ISSUER: &str = "https://issuer.example";
const KEY_ID: &str = "1";
const CLIENTS: u32 = 8;
const MAX_SHARDS: usize = 8;
const LONGEST_LIFE_MICROS: u64 = 200_000;
