//! A log that has grown: whether it is as fast, as small and as soon there again as one that has not.

use std::rc::Rc;
use std::time::{Duration, Instant};

use signet_formats::tlog::{EntryBundle, TILE_HEIGHT, TILE_WIDTH, Tile};
use signet_testkit::Sandbox;

use super::load::{Load, Pace, Requests, get, made, post};
use super::log::{key_of, serve_log};
use super::measure::{Sample, Series, milliseconds};
use super::row::{Reach, Row};
use super::served::Served;

/// Each run is a million entries of one log.
pub(super) fn rows(millions: usize) -> Vec<Row> {
    let entries = millions * 1_000_000;
    let sandbox = Sandbox::new();
    let log = serve_log(&sandbox, &["--opaque"]);
    let (server, key) = (Served::new(log.id()), key_of(&log));
    let write = |first: usize, count: usize| {
        let load = Load {
            address: log.address(),
            requests: entries_from(first, count),
            clients: 256,
            pace: Pace::Closed,
            most: LONGEST,
        };
        load.on(&server)
    };
    write(0, WINDOW);
    let young = write(WINDOW, WINDOW);
    write(2 * WINDOW, entries - 3 * WINDOW);
    let old = write(entries - WINDOW, WINDOW);
    let proofs = read_proofs(log.address(), &server, entries as u64);
    let peak = server.peak_mib();
    drop(log);
    let start = Instant::now();
    let again = serve_log(&sandbox, &["--opaque"]);
    let restart = milliseconds(start);
    assert_eq!(key_of(&again), key, "it is the same log");
    vec![row(entries, [young, old, proofs], peak, restart)]
}

fn row(entries: usize, [young, old, proofs]: [Sample; 3], peak: f64, restart: f64) -> Row {
    let work = format!("{entries} entries of {ENTRY_BYTES} bytes, 256 connections, in windows of {WINDOW}");
    let flat = old.value / young.value;
    let cpu = young.cpu_ms.zip(old.cpu_ms).map_or(f64::NAN, |(young, old)| young / old);
    let [p50, p99] = ["p50_ms", "p99_ms"].map(|seen| proofs.more.get(seen).copied().unwrap_or(f64::NAN));
    let alone = |name: &str, run: Sample| Series { name: name.to_owned(), runs: vec![run] };
    let series = vec![alone("Signet, at the end", old), alone("Signet, at 100 k", young)];
    Row::new("log-large", &work, "entries/s", series)
        .reach("entries/s at the end / at 100 k", flat, Reach::AtLeast(0.9))
        .reach("peak MiB", peak, Reach::AtMost(256.0))
        .reach("ms to start again after a kill", restart, Reach::AtMost(2_000.0))
        .figure("entries a CPU second at the end / at 100 k", cpu)
        .figure("what a proof is made of, p50 ms each", p50)
        .figure("what a proof is made of, p99 ms each", p99)
}

/// All different.
fn entries_from(first: usize, count: usize) -> Requests {
    Rc::new(move |number| {
        (number < count).then(|| {
            let mut entry = [b'.'; ENTRY_BYTES];
            entry
                .iter_mut()
                .zip((first + number).to_string().bytes())
                .for_each(|(slot, digit)| *slot = digit);
            Rc::from(post("/add", "application/octet-stream", &entry))
        })
    })
}

/// Reads what proves entries all over the log: their bundles, and the tiles above them.
fn read_proofs(address: &str, server: &Served, size: u64) -> Sample {
    let entries = (0..PROOFS).map(|number| number * (size / PROOFS));
    let paths = entries.flat_map(|entry| {
        let bundle = EntryBundle::of_log(entry / TILE_WIDTH, size).map(|bundle| bundle.to_string());
        let tiles = (0..3).map(move |level| {
            Tile::of_tree(level, entry >> (TILE_HEIGHT * (level + 1)), size).map(|tile| tile.to_string())
        });
        bundle.into_iter().chain(tiles.flatten())
    });
    let requests = made(paths.map(|path| get(&format!("/{path}"))));
    let load = Load { address, requests, clients: 1, pace: Pace::Closed, most: LONGEST };
    let sample = load.on(server);
    assert_eq!(sample.more.get("other answers"), Some(&0.0), "every tile is there");
    sample
}

const ENTRY_BYTES: usize = 256;
const WINDOW: usize = 100_000;
const PROOFS: u64 = 500;
const LONGEST: Duration = Duration::from_secs(3_600);
