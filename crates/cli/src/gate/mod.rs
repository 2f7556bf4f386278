//! The policy that a registry asks before it serves a pull. It wires the store to [`signet_verify::decide`].

mod stored;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use signet_crypto::Digest;
use signet_formats::oci::Registry;
use signet_registry::{Error, ManifestName};
use signet_server::registry::{Principal, PullGate, Refusal};
use signet_server::turns::Turns;
use signet_store::RepositoryName;
use signet_store::registry::FsRegistry;
use signet_verify::{Code, Outcome, RepositoryRule, Verdict};
use tokio::time::sleep;
use tracing::{error, info};

use crate::error::{CliError, registry_code};
use crate::gather::{Place, Source};
use crate::trust::{Anchors, Trust};
use crate::{clock, decision, key_file};
use stored::{Attached, Repository};

/// Permits what the policy allows, decided by what is attached at each pull.
///
/// A decision is the same as long as image and evidence are, both of which are named by digests, so that
/// listing what is attached is all that most pulls cost. It is made again after [`REUSED_FOR`], because the
/// time of a decision is an input too, and because what could not be read may be there by then.
pub(crate) struct Gate {
    demand: Demand,
    current: RwLock<Arc<Decider>>,
    /// By what name clients know the registry.
    host: Option<String>,
    store: OnceLock<FsRegistry>,
    /// Bounds the work that pulls of many images at once can cause: pulls of one repository wait for one another.
    turns: Turns<RepositoryName>,
}

/// Where the policy is written, and whom it may trust.
pub(crate) struct Demand {
    /// The file of the policy.
    pub(crate) policy: PathBuf,
    /// Keys of principals that it names by their ids.
    pub(crate) keys: Vec<PathBuf>,
    /// The file of the Sigstore trust root; without one, what is pinned on this machine.
    pub(crate) trusted_root: Option<PathBuf>,
    /// The witnesses, as `--witness` takes them.
    pub(crate) witnesses: Vec<String>,
}

impl Demand {
    fn read(&self) -> Result<Trust, CliError> {
        let trusted_root = self.trusted_root.as_deref();
        let anchors = Anchors { trusted_root, witnesses: &self.witnesses, refresh: None };
        // A gate reads them again while it serves: no program is to hold it up.
        Trust::of_policy(&self.policy, &self.keys, key_file::public, &anchors)
    }
}

/// What is decided by, and what was.
struct Decider {
    trust: Trust,
    decided: Mutex<Decided>,
}

/// Recent decisions by what they were made of.
type Decided = HashMap<Digest, (i64, Result<(), Code>)>;

impl Gate {
    /// A gate that decides by what is demanded, for a registry that clients reach at `url`.
    ///
    /// A policy that compares repository names is refused where nobody says what the name is: the check
    /// would be left out.
    pub(crate) fn new(demand: Demand, url: Option<&str>) -> Result<Self, CliError> {
        let host = url.map(host_of).transpose()?;
        let trust = with_names(demand.read()?, host.is_some())?;
        let current = RwLock::new(Arc::new(Decider::new(trust)));
        let turns = Turns::new(DECISIONS_AT_ONCE, DECISIONS_OF_ONE_REPOSITORY);
        Ok(Self { demand, current, host, store: OnceLock::new(), turns })
    }

    /// Names the store that is guarded. Before that nothing is permitted.
    pub(crate) fn guard(&self, store: FsRegistry) {
        // A second store would be a second registry, which has a gate of its own.
        let _ = self.store.set(store);
    }

    /// Takes over what changes in the policy and in whom it trusts; it never ends. What cannot be used changes nothing.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut told = None;
        loop {
            sleep(LOOK_EVERY).await;
            let gate = Arc::clone(&self);
            let Ok(looked) = tokio::task::spawn_blocking(move || gate.look()).await else { continue };
            match looked {
                Ok(true) => info!("the policy for pulls and whom it trusts were read again"),
                Ok(false) => {}
                Err(error) => {
                    let unusable = format!("{}: {}", error.code.title(), error.detail);
                    if told.as_ref() != Some(&unusable) {
                        error!(
                            error = unusable,
                            "the policy or whom it trusts is unusable: those read before stay"
                        );
                    }
                    told = Some(unusable);
                    continue;
                }
            }
            told = None;
        }
    }

    /// Reads policy and trust again; whether they are others.
    fn look(&self) -> Result<bool, CliError> {
        let trust = with_names(self.demand.read()?, self.host.is_some())?;
        if self.current().trust == trust {
            return Ok(false);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Decider::new(trust));
        Ok(true)
    }

    fn current(&self) -> Arc<Decider> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn decide(&self, repository: &RepositoryName, manifest: &Digest) -> Result<(), Code> {
        let store = self.store.get().ok_or(Code::ServiceFailed)?;
        let attached = Repository { store: store.clone(), name: repository.clone() };
        let attached = Attached::list(attached, manifest).await;
        let attached = attached.map_err(|error| registry_code(&error))?;
        let (inputs, decider) = (attached.inputs(manifest), self.current());
        if let Some(decision) = decider.known(&inputs) {
            return decision;
        }
        let _turn = self.turns.take(&attached.repository.name).await;
        // Whoever asked for the same had the turn before, as one repository's come one by one.
        if let Some(decision) = decider.known(&inputs) {
            return decision;
        }
        let at = clock::now();
        let name = self.host.as_ref().map(|host| format!("{host}/{repository}"));
        let verdict = decider.verdict(&attached, manifest, name.as_deref(), at).await;
        let decision = match verdict.map_err(|error| registry_code(&error)) {
            Ok(verdict) if verdict.outcome == Outcome::Allow => Ok(()),
            Ok(verdict) => Err(verdict.code.unwrap_or(Code::Internal)),
            Err(unread) => Err(unread),
        };
        decider.remember(inputs, at, decision);
        decision
    }
}

/// The trust, if its policy compares no names that nobody knows.
fn with_names(trust: Trust, are_known: bool) -> Result<Trust, CliError> {
    if are_known || trust.policy.spec.repository == RepositoryRule::Note {
        return Ok(trust);
    }
    let detail = "the policy compares repository names (`spec.repository`), and this registry's is not known";
    Err(CliError::new(Code::UsageInvalid, detail)
        .hint("say where clients reach it: `--public-url https://HOST[:PORT]`"))
}

impl Decider {
    fn new(trust: Trust) -> Self {
        Self { trust, decided: Mutex::default() }
    }

    async fn verdict(
        &self,
        attached: &Attached,
        manifest: &Digest,
        name: Option<&str>,
        at: i64,
    ) -> Result<Verdict, Error> {
        let image = attached.manifest(&ManifestName::Digest(*manifest)).await?;
        Ok(decision::about_image(attached, &image, name, &self.trust, &Place::ALL, at).await)
    }

    fn known(&self, inputs: &Digest) -> Option<Result<(), Code>> {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, decision) = decided.get(inputs)?;
        (*at..at.saturating_add(REUSED_FOR)).contains(&clock::now()).then_some(*decision)
    }

    fn remember(&self, inputs: Digest, at: i64, decision: Result<(), Code>) {
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if decided.len() >= MAX_DECIDED {
            decided.retain(|_, (since, _)| (*since..since.saturating_add(REUSED_FOR)).contains(&at));
        }
        if decided.len() < MAX_DECIDED {
            decided.insert(inputs, (at, decision));
        }
    }
}

#[async_trait]
impl PullGate for Gate {
    async fn permit(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
        _principal: &Principal,
    ) -> Result<(), Refusal> {
        let Err(reason) = self.decide(repository, manifest).await else { return Ok(()) };
        let code = Code::PullDenied;
        Err(Refusal {
            code: code.to_string(),
            message: format!("{}: {} ({reason})", code.title(), reason.title()),
            hint: reason.hint().to_owned(),
        })
    }
}

/// The host and port of a URL, as image names spell them.
fn host_of(url: &str) -> Result<String, CliError> {
    let host = url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
    let is_host = |host: &&str| Registry::new(host).is_ok_and(|registry| registry.as_str() == *host);
    let malformed = || {
        CliError::new(Code::UsageInvalid, format!("`{url}` is no URL of a registry"))
            .hint("write it as `https://HOST[:PORT]`")
    };
    host.filter(is_host).map(str::to_owned).ok_or_else(malformed)
}

/// Seconds for which a decision about the same digests is not made again.
const REUSED_FOR: i64 = 10;
/// Decisions that are remembered.
const MAX_DECIDED: usize = 4_096;
/// Decisions that are made side by side, and those about images of one repository.
const DECISIONS_AT_ONCE: usize = 2;
const DECISIONS_OF_ONE_REPOSITORY: usize = 1;
/// How often policy and trust are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use bytes::Bytes;
    use signet_formats::oci::{Descriptor, Manifest, media_type};
    use signet_store::registry::{Expect, Limits, ManifestPush, RegistryStore};
    use tempfile::TempDir;

    use super::*;

    const KEY: &str = "\
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmTC5NrxYEu5LTAZ20SQSkPvTwksB
        eMqX5Zz9HLSVbJ7Va5ZQCBEYQk6I7cyGC/MmJUbmoZq8A68fDqqAAofb0A==
        -----END PUBLIC KEY-----";

    /// A gate before an empty registry.
    struct Setting {
        dir: TempDir,
        store: FsRegistry,
        gate: Gate,
    }

    impl Setting {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = FsRegistry::open(&dir.path().join("data"), Limits::default()).unwrap();
            write_policy(dir.path(), "first");
            let (policy, keys, witnesses) = (dir.path().join("policy"), Vec::new(), Vec::new());
            let gate = Gate::new(Demand { policy, keys, trusted_root: None, witnesses }, None).unwrap();
            gate.guard(store.clone());
            Self { dir, store, gate }
        }

        async fn push(
            &self,
            repository: &RepositoryName,
            layer: &str,
            subject: Option<&Descriptor>,
        ) -> Descriptor {
            let of = |media_type, content: &[u8]| Descriptor::of(media_type, content);
            for blob in [b"{}", layer.as_bytes()] {
                let bytes = Bytes::copy_from_slice(blob);
                self.store.put_blob(repository, &Digest::sha256(blob), bytes).await.unwrap();
            }
            let manifest = Manifest {
                schema_version: 2,
                media_type: None,
                artifact_type: None,
                config: Some(of(media_type::OCI_CONFIG, b"{}")),
                layers: Some(vec![of(media_type::SIGSTORE_BUNDLE, layer.as_bytes())]),
                manifests: None,
                subject: subject.cloned(),
                annotations: Default::default(),
            };
            let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap());
            let descriptor = of(media_type::OCI_MANIFEST, &bytes);
            let (digest, media_type) = (descriptor.digest, descriptor.media_type.clone());
            let push = ManifestPush { bytes, digest, media_type, tags: Vec::new(), expect: Expect::Anything };
            self.store.put_manifest(repository, push).await.unwrap();
            descriptor
        }
    }

    fn write_policy(dir: &Path, name: &str) {
        let key = KEY.replace("        ", "").replace('\n', "\n        ");
        let policy = format!(
            "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: {name}\nspec:\n  principals:\n    me:\n      \
             key: |\n        {key}\n  rules:\n    - name: signed\n      principals: [me]\n"
        );
        fs::write(dir.join("policy"), policy).unwrap();
    }

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    fn remembered(gate: &Gate) -> Vec<Result<(), Code>> {
        let decider = gate.current();
        let decided = decider.decided.lock().unwrap();
        decided.values().map(|(_, decision)| *decision).collect()
    }

    /// A signature whose layer was deleted had been looked for again at each pull, which stopped all others.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_decided_is_not_looked_for_again_at_once() {
        let (setting, app) = (Setting::new(), name("team/app"));
        let image = setting.push(&app, "layer", None).await;
        setting.push(&app, "gone", Some(&image)).await;
        assert!(setting.store.delete_blob(&app, &Digest::sha256(b"gone")).await.unwrap());
        let decision = setting.gate.decide(&app, &image.digest).await;
        assert_eq!(decision, Err(Code::EvidenceUnread));
        assert_eq!(remembered(&setting.gate), [decision]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn pulls_of_one_repository_wait_for_one_another_and_not_for_those_of_another() {
        let (setting, busy, other) = (Setting::new(), name("busy"), name("other"));
        let image = setting.push(&busy, "layer", None).await;
        setting.push(&other, "layer", None).await;
        let deciding = setting.gate.turns.take(&busy).await;
        let waits = setting.gate.decide(&busy, &image.digest);
        let mut waits = std::pin::pin!(waits);
        let decided = tokio::select! {
            biased;
            decision = &mut waits => panic!("{decision:?} beside another of its repository"),
            decision = setting.gate.decide(&other, &image.digest) => decision,
        };
        assert_eq!(decided, Err(Code::Unsigned));
        drop(deciding);
        assert_eq!(waits.await, decided);
    }

    /// Who was no longer to be trusted had been, until the registry was started again.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_changed_policy_is_taken_over_with_nothing_decided_and_an_unusable_one_is_not() {
        let (setting, app) = (Setting::new(), name("team/app"));
        let image = setting.push(&app, "layer", None).await;
        setting.gate.decide(&app, &image.digest).await.unwrap_err();
        assert!(!setting.gate.look().unwrap() && remembered(&setting.gate).len() == 1);
        fs::write(setting.dir.path().join("policy"), "nonsense").unwrap();
        assert!(setting.gate.look().is_err() && remembered(&setting.gate).len() == 1);
        write_policy(setting.dir.path(), "second");
        assert!(setting.gate.look().unwrap() && remembered(&setting.gate).is_empty());
        assert_eq!(setting.gate.current().trust.policy.metadata.name, "second");
    }
}
