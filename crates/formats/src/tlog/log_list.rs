//! Lists of logs that witnesses take in (`logs/v0` of the witness network).

use std::fmt;

use crate::note::{KeyKind, VerifierKey};

/// A log of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLog {
    /// Its key.
    pub key: VerifierKey,
    /// Its origin; the name of its key unless the list says otherwise.
    pub origin: String,
    /// How many checkpoints a day it asks to be cosigned.
    pub per_day: Option<u64>,
}

/// Reads a list: `logs/v0`, then for each log a line `vkey`, and if wanted `origin`, `qpd` and `contact`. Empty lines and
/// those that begin with `#` are skipped.
pub fn parse_log_list(text: &str) -> Result<Vec<ListedLog>, LogListError> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut logs: Vec<ListedLog> = Vec::new();
    if lines.next().is_none_or(|(_, line)| line != "logs/v0") {
        return Err(LogListError { line: 1 });
    }
    for (number, line) in lines {
        let wrong = LogListError { line: number };
        let (word, value) = line.split_once(' ').ok_or(wrong)?;
        let value = value.trim_start();
        let room = logs.len() < MAX_LOGS;
        match (word, logs.last_mut()) {
            ("vkey", _) if room => logs.push(listed(value).ok_or(wrong)?),
            ("origin", Some(log)) => log.origin = value.to_owned(),
            ("qpd", Some(log)) => log.per_day = Some(value.parse().map_err(|_| wrong)?),
            ("contact", Some(_)) => {}
            _ => return Err(wrong),
        }
    }
    Ok(logs)
}

/// A line of a list is not of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogListError {
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for LogListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not of the form of a list of logs (`logs/v0`)", self.line)
    }
}

impl std::error::Error for LogListError {}

fn listed(vkey: &str) -> Option<ListedLog> {
    let key: VerifierKey =
        vkey.parse().ok().filter(|key: &VerifierKey| key.kind() != KeyKind::CosignatureV1)?;
    Some(ListedLog { origin: key.name().to_owned(), key, per_day: None })
}

/// The witness network's list of all logs is of 40,000.
const MAX_LOGS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

    #[test]
    fn a_list_is_read() {
        let text = format!(
            "# ours\n\nlogs/v0\n\nvkey {KEY}\norigin go.sum database tree\nqpd 86400\ncontact a b\nvkey {KEY}\n"
        );
        let logs = parse_log_list(&text).unwrap();
        let key: VerifierKey = KEY.parse().unwrap();
        let first =
            ListedLog { key: key.clone(), origin: "go.sum database tree".into(), per_day: Some(86_400) };
        let second = ListedLog { key, origin: "sum.golang.org".into(), per_day: None };
        assert_eq!(logs, [first, second]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, line) in [
            ("", 1),
            ("logs/v1\n", 1),
            ("logs/v0\norigin x\n", 2),
            ("logs/v0\nvkey nonsense\n", 2),
            (&format!("logs/v0\nvkey {KEY}\nqpd many\n"), 3),
            (&format!("logs/v0\nvkey {KEY}\nbastion x\n"), 3),
            (&format!("logs/v0\nvkey {KEY}\norigin\n"), 3),
        ] {
            assert_eq!(parse_log_list(text), Err(LogListError { line }), "{text}");
        }
    }
}
