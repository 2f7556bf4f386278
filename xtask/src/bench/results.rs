//! What was measured on this machine today, as files.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::machine::{Machine, seconds_since_1970};
use super::row::Row;
use super::table;

/// `benches/results/DATE-MACHINE.json`: each row stands alone, so one that is measured again replaces
/// what it was.
pub(super) struct Results {
    file: PathBuf,
    document: Document,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
}

impl Results {
    /// Today's, with what is there already if the machine is the same.
    pub(super) fn open() -> Result<Self, String> {
        let machine = Machine::this();
        let date = today();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../benches/results");
        let file = folder.join(format!("{date}-{}.json", machine.slug()));
        let earlier: Option<Document> = match fs::read(&file) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()))?)
            }
            Err(_) => None,
        };
        let rows = earlier.filter(|earlier| earlier.machine == machine).map(|earlier| earlier.rows);
        Ok(Self { file, document: Document { date, machine, rows: rows.unwrap_or_default() } })
    }

    pub(super) fn put(&mut self, row: Row) {
        let rows = &mut self.document.rows;
        match rows.iter_mut().find(|known| known.name == row.name) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
    }

    /// The raw runs as JSON, and the table that is made of them beside it.
    pub(super) fn save(&self) -> Result<(), String> {
        let json = serde_json::to_string_pretty(&self.document).map_err(|error| error.to_string())?;
        let write = |file: PathBuf, text: String| {
            fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
        };
        write(self.file.clone(), json + "\n")?;
        write(self.file.with_extension("md"), table::markdown(&self.document))
    }
}

fn today() -> String {
    let seconds = i64::try_from(seconds_since_1970()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH).date().to_string()
}
