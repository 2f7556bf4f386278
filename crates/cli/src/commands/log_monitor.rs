//! `signet log monitor`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_formats::note::VerifierKey;
use signet_keys::read_public;
use signet_server::monitor::{HttpLogs, log_url, webhook_url};
use signet_services::clock::SystemClock;
use signet_services::monitor::{
    Finding, FollowedLog, LogReader, Monitor, MonitorConfig, Source, Watch, WatchText, What,
};
use signet_store::OpenError;
use signet_verify::{Code, Matcher, Pattern};

use super::log_search;
use super::witnesses::read_policy;
use crate::args::{LogMonitorArgs, duration};
use crate::document::{LogFinding, LogFindingKind, LogMonitorDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::files;
use crate::plain::Plain;

/// Looks at the logs, once or until it is stopped.
pub(crate) async fn run(args: &LogMonitorArgs, face: Face) -> Answer {
    let config = config(args)?;
    let webhook = args.webhook.as_ref().or(config.webhook.as_ref()).map(|url| webhook_url(url)).transpose();
    let webhook = webhook.map_err(|why| CliError::new(Code::ConfigInvalid, format!("the webhook {why}")))?;
    let client = HttpLogs::default();
    let monitor = open(args, &config, &client)?;
    let mut watching = Watching { monitor, client, webhook, unshown: Vec::new(), once: args.once, face };
    let mut status = Status::Yes;
    loop {
        // What it found is told; how it ends, when it is stopped, says nothing.
        status = worse(status, watching.round(&args.state).await?);
        if watching.monitor.is_behind() {
            continue;
        }
        if args.once {
            return Ok(status);
        }
        tokio::time::sleep(args.interval).await;
    }
}

/// What was found counts more than what could not be read.
fn worse(one: Status, other: Status) -> Status {
    match (one, other) {
        (Status::Yes, other) => other,
        (one, Status::Yes) => one,
        (Status::No, _) | (_, Status::No) => Status::No,
        (one, _) => one,
    }
}

struct Watching {
    monitor: Monitor,
    client: HttpLogs,
    webhook: Option<String>,
    /// What was not printed yet.
    unshown: Vec<LogFinding>,
    once: bool,
    face: Face,
}

impl Watching {
    async fn round(&mut self, state: &Path) -> Answer {
        let unwritable = |error: std::io::Error| CliError::unwritable(state, &error);
        let found = self.monitor.round().await.map_err(unwritable)?;
        let findings: Vec<LogFinding> = found.iter().map(finding).collect();
        let dropped = self.webhook.as_ref().map_or(0, |_| self.monitor.put_in_line(&found));
        self.unshown.extend(findings);
        // A single look is one document, however many rounds it takes.
        let is_over = !(self.once && self.monitor.is_behind());
        if is_over && (self.once || !self.unshown.is_empty()) {
            let document = LogMonitorDocument { findings: std::mem::take(&mut self.unshown) };
            self.face.result(&document, text)?;
        }
        let told = self.tell().await;
        if let Err(why) = &told {
            self.face.note(&format!("the webhook was not told: {why}"))?;
        }
        if dropped > 0 {
            self.face
                .note(&format!("too much waits for the webhook: {dropped} findings will not be told"))?;
        }
        // What nobody was told is found again after a restart, and the heartbeat stops.
        if told.is_ok() {
            self.monitor.keep(!found.iter().any(|finding| finding.what.is_alarm())).map_err(unwritable)?;
        }
        let is_no = |finding: &Finding| finding.what.is_fork() || !finding.what.is_alarm();
        Ok(match (found.iter().any(is_no), found.is_empty() && told.is_ok()) {
            (true, _) => Status::No,
            (false, true) => Status::Yes,
            (false, false) => Status::Undecided,
        })
    }

    async fn tell(&mut self) -> Result<(), String> {
        let Some(webhook) = &self.webhook else { return Ok(()) };
        while let Some(first) = self.monitor.first_in_line() {
            self.client.post(webhook, &finding(first)).await?;
            self.monitor.told_first();
        }
        Ok(())
    }
}

fn open(args: &LogMonitorArgs, config: &MonitorConfig, client: &HttpLogs) -> Result<Monitor, CliError> {
    let sources = config.logs.iter().map(source).collect::<Result<_, _>>()?;
    let watches: Vec<Watch> = config.watches()?;
    let reader: Arc<dyn LogReader> = Arc::new(client.clone());
    let clock = Arc::new(SystemClock::start());
    let heartbeat = args.heartbeat.clone().or(config.heartbeat.as_ref().map(PathBuf::from));
    let monitor = Monitor::open(args.state.clone(), sources, watches, &reader, clock, !args.from_start);
    let monitor = monitor.map_err(|error| match error {
        OpenError::Io { path, error } => CliError::unreadable(&path, error),
        error => error.into(),
    })?;
    let unwritable = |error| CliError::unwritable(heartbeat.as_deref().unwrap_or(&args.state), &error);
    monitor.with_heartbeat(heartbeat.clone()).map_err(unwritable)
}

/// The file, and what the options add.
fn config(args: &LogMonitorArgs) -> Result<MonitorConfig, CliError> {
    let mut config = match &args.config {
        Some(path) => {
            let yaml = files::read(path, MAX_CONFIG)?;
            let yaml = std::str::from_utf8(&yaml).map_err(|error| CliError::unreadable(path, error))?;
            let read = MonitorConfig::from_yaml(yaml);
            read.map_err(|error| CliError::new(Code::ConfigInvalid, about(path, error)))?
        }
        None => MonitorConfig::default(),
    };
    if let Some((url, key)) = args.url.as_ref().zip(args.key.as_ref()) {
        let witness_policy = args.witness_policy.as_ref().map(|path| path.display().to_string());
        let (url, key, max_age) = (url.clone(), key.clone(), args.max_age.clone());
        config.logs.push(FollowedLog { url, key, origin: None, witness_policy, max_age, opaque: false });
    }
    let identities = args.identity.iter().map(|exact| (exact, Matcher::Exact(exact.clone())));
    let pattern = |pattern: &String| Matcher::Pattern(Pattern { pattern: pattern.clone() });
    let patterns = args.identity_regexp.iter().map(|text| (text, pattern(text)));
    for (name, identity) in identities.chain(patterns) {
        config.watch.push(WatchText { identity: Some(identity), ..WatchText::named(name) });
    }
    for digest in &args.digest {
        let name = digest.to_string();
        config.watch.push(WatchText { digest: Some(*digest), ..WatchText::named(&name) });
    }
    for signer in &args.signer {
        config.watch.push(WatchText { key: Some(log_search::key(signer)?), ..WatchText::named(signer) });
    }
    match config.logs.is_empty() {
        true => Err(CliError::new(Code::ConfigInvalid, "there is no log to follow")),
        false => Ok(config),
    }
}

fn source(log: &FollowedLog) -> Result<Source, CliError> {
    let url =
        log_url(&log.url).map_err(|why| CliError::new(Code::ConfigInvalid, format!("the log {why}")))?;
    let key = key(log)?;
    let witnesses = log.witness_policy.as_ref().map(|path| read_policy(Path::new(path))).transpose()?;
    let origin = log.origin.clone().unwrap_or_else(|| key.name().to_owned());
    let (max_age, is_opaque) = (max_age(log)?, log.opaque);
    Ok(Source { url, origin, key, max_age, witnesses, is_opaque })
}

/// Only witnesses say when they saw a checkpoint.
fn max_age(log: &FollowedLog) -> Result<Option<Duration>, CliError> {
    let wrong = |why: &dyn std::fmt::Display| {
        CliError::new(Code::ConfigInvalid, format!("log `{}`: `max_age`: {why}", log.url))
    };
    let Some(text) = &log.max_age else { return Ok(None) };
    let age = duration(text).map_err(|error| wrong(&error))?;
    match log.witness_policy {
        Some(_) => Ok(Some(age)),
        None => Err(wrong(&"there is no witness policy whose cosignatures would say it")),
    }
}

/// As the log publishes it, or in a file; then its name is the host of the URL unless the file says otherwise.
fn key(log: &FollowedLog) -> Result<VerifierKey, CliError> {
    let wrong = |error: &dyn std::fmt::Display| {
        CliError::new(Code::KeyUnusable, format!("log `{}`: {error}", log.url))
            .hint("give `NAME+HASH+KEY` as the log publishes it, or a PEM file")
    };
    let file = Path::new(&log.key);
    if !file.is_file() {
        return log.key.parse().map_err(|error| wrong(&error));
    }
    let host = log.url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
    let name = log.origin.as_deref().or(host).unwrap_or_default();
    VerifierKey::log(name, read_public(file)?).map_err(|error| wrong(&error))
}

fn finding(finding: &Finding) -> LogFinding {
    let told = |kind, message: String| LogFinding {
        log: finding.origin.clone(),
        kind,
        message,
        watch: None,
        index: None,
        evidence: None,
    };
    match &finding.what {
        What::Entry { watch, index, facts } => {
            let by =
                facts.identities.iter().cloned().chain(facts.keys.iter().map(ToString::to_string)).next();
            let message = format!("entry {index} is one of `{watch}`, by {}", by.unwrap_or_default());
            LogFinding {
                watch: Some(watch.clone()),
                index: Some(*index),
                ..told(LogFindingKind::Entry, message)
            }
        }
        What::Fork { evidence, why } => {
            let evidence = evidence.display().to_string();
            let message = format!("{why}; both are in `{evidence}`");
            LogFinding { evidence: Some(evidence), ..told(LogFindingKind::Fork, message) }
        }
        What::Stale { size, known } => {
            told(LogFindingKind::Stale, format!("it shows {size} entries, and has shown {known}"))
        }
        What::Unproven { size, known, kept } => {
            let message = format!(
                "it shows {size} entries, and has shown {known}; whether they are of one history is not proven yet: its checkpoint is in `{}`",
                kept.display()
            );
            told(LogFindingKind::Unproven, message)
        }
        What::Unread { first, count } => {
            let message = format!("{count} entries from {first} on say something that could not be read");
            LogFinding { index: Some(*first), ..told(LogFindingKind::Unread, message) }
        }
        What::Old { size } => {
            let message = format!("no quorum of its witnesses has cosigned its {size} entries lately");
            told(LogFindingKind::Old, message)
        }
        What::Unreadable(why) => told(LogFindingKind::Unreadable, why.clone()),
        What::Dropped { count } => {
            let message = format!("{count} findings could not be told for too long, and were dropped");
            told(LogFindingKind::Dropped, message)
        }
        _ => told(LogFindingKind::Unreadable, "something that this command does not know".to_owned()),
    }
}

fn text(document: &LogMonitorDocument) -> String {
    let line = |finding: &LogFinding| format!("`{}`: {}\n", finding.log, Plain(&finding.message));
    document.findings.iter().map(line).collect()
}

const MAX_CONFIG: usize = 1024 * 1024;
