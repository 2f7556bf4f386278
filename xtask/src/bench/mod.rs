//! `cargo xtask bench`: Signet beside its peers in one run.

#![expect(clippy::print_stdout, reason = "a program for people")]

mod decide;
mod operations;

/// Runs the rows that are asked for and prints them.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let Some(corpus) = signet_testkit::vectors("sigstore") else { return Ok(()) };
    for cost in decide::costs(&corpus, args.first().and_then(|n| n.parse().ok()).unwrap_or(51)) {
        println!(
            "{} ops {:?} crypto {:.1} parse {:.1} prepared {:.1} ({:.2}) raw {:.1} ({:.2})",
            cost.vector,
            cost.operations,
            cost.cryptography,
            cost.parse,
            cost.prepared,
            cost.prepared / cost.cryptography,
            cost.raw,
            cost.raw / cost.cryptography
        );
    }
    Ok(())
}

/// The middle of the values.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
