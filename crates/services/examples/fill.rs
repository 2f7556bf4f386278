//! `fill DIR ENTRIES`: fills a log, and says how fast it was, how long proofs and a restart take, and how large it got.
//! For development; run it with `--release`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers")]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use signet_services::log::{AddError, Config, HomeOptions, Log};
use signet_store::fs::Disk;

const ADDERS: u64 = 2048;
const REPORT_EVERY: u64 = 500_000;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (data, entries): (std::path::PathBuf, u64) =
        (args.next().unwrap().into(), args.next().unwrap().parse().unwrap());
    let open = || Log::open_home(Disk::default(), Config::new(data.clone()), HomeOptions::default());
    let mut log = open().await.unwrap();
    let mut size = log.head().checkpoint.size;
    while size < entries {
        let began = Instant::now();
        let end = (size + REPORT_EVERY).min(entries);
        add(&log, size, end).await;
        let rate = (end - size) as f64 / began.elapsed().as_secs_f64();
        size = end;
        println!("{size} entries, {rate:.0}/s, {}, {:.1} us a proof", resident(), proofs(&log, size));
    }
    log.close().await;
    drop(log);
    let began = Instant::now();
    log = open().await.unwrap();
    println!("restart of {} entries: {:?}, {}", log.head().checkpoint.size, began.elapsed(), resident());
    log.close().await;
}

async fn add(log: &Log, first: u64, end: u64) {
    let next = Arc::new(std::sync::atomic::AtomicU64::new(first));
    let adders: Vec<_> = (0..ADDERS)
        .map(|_| {
            let (log, next) = (log.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= end {
                        break;
                    }
                    let entry = Bytes::from(format!("entry {number:090}"));
                    while let Err(AddError::Busy) = log.add(entry.clone()).await {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for adder in adders {
        adder.await.unwrap();
    }
}

/// Microseconds for a proof, on the average of entries from all over the log.
fn proofs(log: &Log, size: u64) -> f64 {
    let (began, count) = (Instant::now(), 1000);
    for proof in 0..count {
        log.inclusion_proof(proof * 7_919_777 % size, size).unwrap();
    }
    began.elapsed().as_secs_f64() * 1e6 / count as f64
}

/// The memory of this process.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
    format!("{} resident, {} at most", line("VmRSS:"), line("VmHWM:"))
}
