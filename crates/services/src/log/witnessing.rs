//! Cosignatures for what the log publishes: it asks the witnesses of a policy, and publishes nothing without their quorum.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle::Hash;
use signet_formats::note::{Note, NoteSignature};
use signet_formats::tlog::{AddCheckpoint, MAX_WITNESS_SKEW, WitnessPolicy};
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::ahead::Ahead;
use super::newest::Unsure;
use crate::clock::{Clock, SystemClock};

/// How witnesses are reached.
#[async_trait]
pub trait WitnessClient: Send + Sync {
    /// Posts a request to `<url>/add-checkpoint`. An error, in words, if there is no answer.
    async fn add_checkpoint(&self, url: &str, request: String) -> Result<WitnessAnswer, String>;

    /// The newest checkpoint of a log that the witness shows at `<url>/witness/<SHA-256 of the origin>/checkpoint`; `None` if it
    /// shows none. An error, in words, if there is no answer.
    async fn newest(&self, url: &str, origin: &str) -> Result<Option<String>, String>;
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// Status 200: signature lines.
    Cosigned(String),
    /// Status 409: the size that it cosigned last.
    Conflict(u64),
    /// Any other, in words.
    Refused(String),
}

/// The witnesses of a log, and what its checkpoints need of them.
pub struct Witnesses {
    policy: WitnessPolicy,
    client: Arc<dyn WitnessClient>,
    /// How long a witness may take.
    within: Duration,
    clock: Arc<dyn Clock>,
    targets: Vec<Arc<Target>>,
}

impl Witnesses {
    /// The witnesses of this policy that have a URL; each may take so long.
    pub fn new(policy: WitnessPolicy, client: Arc<dyn WitnessClient>, within: Duration) -> Self {
        // One witness may have several keys; it is asked once.
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, witness) in policy.witnesses().iter().enumerate() {
            if let Some(url) = &witness.url {
                places.entry(url.trim_end_matches('/')).or_default().push(place);
            }
        }
        let targets = places.into_iter().map(|(url, places)| Arc::new(Target::new(url, places))).collect();
        Self { policy, client, within, clock: Arc::new(SystemClock::start()), targets }
    }

    /// Compares their clocks with this one instead of the system's.
    #[must_use]
    pub fn by_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same witnesses for another log.
    #[must_use]
    pub fn again(&self) -> Self {
        let same = Self::new(self.policy.clone(), Arc::clone(&self.client), self.within);
        same.by_clock(Arc::clone(&self.clock))
    }

    /// How each of them is doing.
    pub fn status(&self) -> Vec<WitnessStatus> {
        self.targets.iter().map(|target| target.status()).collect()
    }

    /// The policy.
    pub fn policy(&self) -> &WitnessPolicy {
        &self.policy
    }

    /// The checkpoint with the cosignatures that came in time; an error, in words, if they are no quorum. Whoever has seen
    /// something else is in [`Witnesses::take_ahead`] then, or later.
    pub(super) async fn cosign(
        self: &Arc<Self>,
        signed: &SignedCheckpoint,
        prove: Arc<dyn Prove>,
    ) -> Result<Note, String> {
        let (sender, answers) = mpsc::unbounded_channel();
        // Ends with this: whoever is still asked about an earlier checkpoint is not waited for by one after the other.
        let mut waiting = JoinSet::new();
        for target in &self.targets {
            let asking = self.asking(target, signed, Arc::clone(&prove));
            waiting.spawn(asking.in_turn(sender.clone()));
        }
        drop(sender);
        let lines = self.gather(answers).await;
        if !self.policy.is_met(|place| lines.contains_key(&place)) {
            return Err(self.missing(&lines));
        }
        let mut note = signed.note().clone();
        let pushed = lines.into_values().try_for_each(|line| note.push(line));
        pushed.map(|()| note).map_err(|error| error.to_string())
    }

    /// What comes in time: until there is a quorum, and then of those who answer at once.
    async fn gather(&self, mut answers: UnboundedReceiver<Lines>) -> BTreeMap<usize, NoteSignature> {
        let mut lines = BTreeMap::new();
        // Those who are asked at once have said by then that they were not answered.
        let mut until = Instant::now() + self.within + GRACE;
        loop {
            if self.policy.is_met(|place| lines.contains_key(&place)) {
                until = until.min(Instant::now() + GRACE);
            }
            match timeout_at(until, answers.recv()).await {
                Ok(Some(more)) => lines.extend(more),
                Ok(None) | Err(_) => return lines,
            }
        }
    }

    /// Asks each of them whether it has seen nothing newer than this: the checkpoint with what it signed now.
    pub(super) async fn reaffirm(
        self: &Arc<Self>,
        signed: &SignedCheckpoint,
    ) -> Vec<(String, Result<SignedCheckpoint, Unsure>)> {
        let mut answers = Vec::new();
        for target in &self.targets {
            let asking = self.asking(target, signed, Arc::new(Nothing));
            answers.push((target.url(), asking.in_time(asking.reaffirmed()).await));
        }
        answers
    }

    pub(super) fn asking(
        self: &Arc<Self>,
        target: &Arc<Target>,
        signed: &SignedCheckpoint,
        prove: Arc<dyn Prove>,
    ) -> Asking {
        let (witnesses, target) = (Arc::clone(self), Arc::clone(target));
        Asking { witnesses, target, signed: signed.clone(), prove }
    }

    pub(super) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    pub(super) fn client(&self) -> &dyn WitnessClient {
        self.client.as_ref()
    }

    pub(super) fn within(&self) -> Duration {
        self.within
    }

    /// By how many seconds a time is so far ahead that a cosignature of then does not count.
    fn ahead(&self, time: u64) -> Option<u64> {
        let now = u64::try_from(self.clock.seconds()).unwrap_or_default();
        time.checked_sub(now).filter(|ahead| *ahead > MAX_WITNESS_SKEW)
    }

    /// What those have seen who did not cosign because they have seen something else; each is told of once.
    pub(super) fn take_ahead(&self) -> Vec<Ahead> {
        let taken = |target: &Arc<Target>| target.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.targets.iter().filter_map(taken).collect()
    }

    /// Why there is no quorum.
    fn missing(&self, lines: &BTreeMap<usize, NoteSignature>) -> String {
        let statuses = self.targets.iter().map(|target| target.status());
        let why: Vec<String> =
            statuses.filter_map(|status| Some(format!("`{}`: {}", status.url, status.last_error?))).collect();
        let count = lines.len();
        format!("{count} cosignatures are not the quorum of the witness policy ({})", why.join("; "))
    }
}

/// How a witness is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Where it is.
    pub url: String,
    /// The size of the newest checkpoint that it cosigned, as far as is known.
    pub size: u64,
    /// How often it has cosigned.
    pub cosigned: u64,
    /// How often it has not.
    pub failed: u64,
    /// Why it did not cosign the last one, if it did not.
    pub last_error: Option<String>,
}

/// Makes consistency proofs of the log.
pub(super) trait Prove: Send + Sync {
    /// From a size to another; may read the disk.
    fn prove(&self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, String>;
}

/// From a size to the same one there is nothing to prove.
pub(super) struct Nothing;

impl Prove for Nothing {
    fn prove(&self, _: u64, _: u64) -> Result<Vec<Hash>, String> {
        Ok(Vec::new())
    }
}

/// A witness: one URL.
pub(super) struct Target {
    /// The places of its keys in the policy.
    pub(super) places: Vec<usize>,
    /// The size that it cosigned last. Held while it is asked: it is asked one thing at a time.
    known: Arc<tokio::sync::Mutex<u64>>,
    /// What it has seen instead of what it was asked to cosign, until somebody has heard it.
    ahead: Mutex<Option<Ahead>>,
    status: Mutex<WitnessStatus>,
}

impl Target {
    fn new(url: &str, places: Vec<usize>) -> Self {
        let status = WitnessStatus { url: url.to_owned(), size: 0, cosigned: 0, failed: 0, last_error: None };
        let (known, ahead) = Default::default();
        Self { places, known, ahead, status: Mutex::new(status) }
    }

    pub(super) fn url(&self) -> String {
        self.status().url
    }

    fn status(&self) -> WitnessStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: &Result<u64, String>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(size) => {
                status.size = *size;
                status.cosigned += 1;
                status.last_error = None;
            }
            Err(why) => {
                tracing::warn!(witness = status.url, why, "no cosignature");
                status.failed += 1;
                status.last_error = Some(why.clone());
            }
        }
    }
}

/// Good lines, by the places of their keys.
type Lines = Vec<(usize, NoteSignature)>;

/// One witness being asked about one checkpoint.
pub(super) struct Asking {
    pub(super) witnesses: Arc<Witnesses>,
    pub(super) target: Arc<Target>,
    pub(super) signed: SignedCheckpoint,
    prove: Arc<dyn Prove>,
}

impl Asking {
    /// Asks it as soon as it is asked nothing else, and then to the end: what it knows is learnt also if the others suffice.
    async fn in_turn(self, answers: UnboundedSender<Lines>) {
        let known = Arc::clone(&self.target.known).lock_owned().await;
        tokio::spawn(async move { drop(answers.send(self.run(known).await)) });
    }

    /// Its good lines; none if it did not cosign in time.
    async fn run(self, mut known: OwnedMutexGuard<u64>) -> Lines {
        let answer = self.in_time(self.ask(&mut known)).await;
        self.target.note(&answer.as_ref().map(|_| self.size()).map_err(ToString::to_string));
        if let Err(unsure) = &answer
            && let Some(seen) = self.seen_instead(unsure).await
        {
            *self.target.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        answer.unwrap_or_default()
    }

    /// What comes of asking it, in the time that it has.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, Unsure>>,
    ) -> Result<T, Unsure> {
        let within = self.witnesses.within;
        let late = || Err(Unsure::Silent(format!("no answer within {} ms", within.as_millis())));
        timeout(within, answer).await.unwrap_or_else(|_| late())
    }

    async fn ask(&self, known: &mut u64) -> Result<Lines, Unsure> {
        let mut again = true;
        loop {
            match self.send(*known).await.map_err(Unsure::Silent)? {
                WitnessAnswer::Cosigned(lines) => {
                    *known = self.size();
                    return self.good_lines(&lines).map_err(Unsure::Silent);
                }
                WitnessAnswer::Conflict(published) if published > self.size() => {
                    *known = published;
                    return Err(Unsure::Newer { published });
                }
                WitnessAnswer::Conflict(size) if again => (*known, again) = (size, false),
                WitnessAnswer::Conflict(_) => {
                    return Err(Unsure::Refused("it changes its mind about what it has seen".to_owned()));
                }
                WitnessAnswer::Refused(why) => return Err(Unsure::Refused(why)),
            }
        }
    }

    /// Asks for a cosignature from what it is to have seen to the same. It is not led there from less: a witness that
    /// has seen nothing would cosign anything.
    pub(super) async fn reaffirmed(&self) -> Result<SignedCheckpoint, Unsure> {
        match self.send(self.size()).await.map_err(Unsure::Silent)? {
            WitnessAnswer::Cosigned(lines) => {
                let lines = self.good_lines(&lines).map_err(Unsure::Silent)?;
                self.with(lines.into_iter().map(|(_, line)| line))
                    .ok_or_else(|| Unsure::Silent("its answer is no checkpoint".to_owned()))
            }
            WitnessAnswer::Conflict(published) if published > self.size() => Err(Unsure::Newer { published }),
            WitnessAnswer::Conflict(size) => Err(Unsure::Older { size }),
            WitnessAnswer::Refused(why) => Err(Unsure::Refused(why)),
        }
    }

    async fn send(&self, old_size: u64) -> Result<WitnessAnswer, String> {
        // Of a witness that knows more than this checkpoint nothing is asked but how much it knows.
        let old_size = old_size.min(self.size());
        let (prove, new_size) = (Arc::clone(&self.prove), self.size());
        let proof = tokio::task::spawn_blocking(move || prove.prove(old_size, new_size)).await;
        let proof = proof.map_err(|error| error.to_string())??;
        let request = AddCheckpoint { old_size, proof, checkpoint: self.signed.clone() };
        let url = self.target.url();
        self.witnesses.client.add_checkpoint(&url, request.to_string()).await
    }

    /// The lines that are cosignatures by the witness's keys; those of unknown keys are skipped.
    fn good_lines(&self, lines: &str) -> Result<Lines, String> {
        let lines: Vec<NoteSignature> = lines.lines().filter_map(|line| line.parse().ok()).collect();
        let mut good = Vec::new();
        let mut missing = "its answer has no cosignature by a key of the policy".to_owned();
        for place in &self.target.places {
            let Some((line, time)) = self.good_line(*place, &lines) else { continue };
            match self.witnesses.ahead(time) {
                Some(seconds) => missing = format!("its clock is {seconds} s ahead of this one"),
                None => good.push((*place, line)),
            }
        }
        if good.is_empty() { Err(missing) } else { Ok(good) }
    }

    /// The line that is a cosignature by this key of the policy, and of when.
    fn good_line(&self, place: usize, lines: &[NoteSignature]) -> Option<(NoteSignature, u64)> {
        let key = &self.witnesses.policy.witnesses().get(place)?.key;
        let line = lines.iter().find(|line| line.name() == key.name() && line.key_id() == key.id())?;
        let time = cosignature::verify(&self.with([line.clone()])?, key).ok()?.timestamp;
        (time > 0).then(|| (line.clone(), time))
    }

    /// The checkpoint with these lines only.
    fn with(&self, lines: impl IntoIterator<Item = NoteSignature>) -> Option<SignedCheckpoint> {
        let mut note = Note::new(self.signed.note().text()).ok()?;
        lines.into_iter().try_for_each(|line| note.push(line)).ok()?;
        SignedCheckpoint::parse(note.to_string().as_bytes()).ok()
    }

    fn size(&self) -> u64 {
        self.signed.checkpoint().size
    }
}

/// The longest that witnesses may be given: whoever adds an entry waits for them.
pub const MAX_WITNESS_WITHIN: Duration = Duration::from_secs(10);
/// How long those are waited for that are not needed for the quorum.
pub(super) const GRACE: Duration = Duration::from_millis(50);
