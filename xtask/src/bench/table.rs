//! Rows as people read them.

#![expect(clippy::print_stdout, reason = "a program for people")]

use super::measure::Series;
use super::results::Document;
use super::row::{Bound, Reach, Row};

/// One row, to the terminal, as soon as it is known.
pub(super) fn print(row: &Row) {
    println!("{}: {}, in {}", row.name, row.work, row.unit);
    for series in &row.series {
        println!("  {:<28} {}", series.name, cells(series).join("  "));
    }
    if let Some((what, value)) = &row.floor {
        println!("  {:<28} {}  {what}", "floor", number(*value));
    }
    for bound in &row.bounds {
        println!("  {}", told(bound));
    }
    for (what, value) in &row.figures {
        println!("  {what}: {}", number(*value));
    }
}

/// Everything, as a page.
pub(super) fn markdown(document: &Document) -> String {
    let machine = &document.machine;
    let mut page = format!(
        "# Bench of {}\n\n{}, {} cores, {} GiB, Linux {}; {}. Peers: {}.\n\n\
         Medians; CPU time and peak memory are those of the process, of a server's rows those of the server.\n\n\
         | row | who | unit | median | CPU ms | peak MiB | load |\n|---|---|---|---:|---:|---:|---:|\n",
        document.date,
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.compiler,
        machine.peers.join(", ")
    );
    for row in &document.rows {
        for series in &row.series {
            let cells = cells(series).join(" | ");
            page += &format!("| {} | {} | {} | {cells} | {} |\n", row.name, series.name, row.unit, row.load);
        }
        if let Some((what, value)) = &row.floor {
            page += &format!("| {} | floor: {what} | {} | {} | | | |\n", row.name, row.unit, number(*value));
        }
    }
    page += "\n| row | what is measured | bound | measured | reach | met |\n|---|---|---|---:|---:|---|\n";
    for row in &document.rows {
        for bound in &row.bounds {
            let met = if bound.is_met() { "yes" } else { "**no**" };
            let (measured, reach) = (number(bound.measured), reach(bound.reach));
            page +=
                &format!("| {} | {} | {} | {measured} | {reach} | {met} |\n", row.name, row.work, bound.what);
        }
        for (what, value) in &row.figures {
            page += &format!("| {} | {} | {what} | {} | | |\n", row.name, row.work, number(*value));
        }
    }
    page
}

/// Median, CPU time, peak.
fn cells(series: &Series) -> [String; 3] {
    let optional = |value: Option<f64>| value.map_or_else(String::new, number);
    [number(series.value()), optional(series.cpu_ms()), optional(series.peak_mib())]
}

fn told(bound: &Bound) -> String {
    let met = if bound.is_met() { "met" } else { "NOT MET" };
    format!("{}: {} ({}): {met}", bound.what, number(bound.measured), reach(bound.reach))
}

fn reach(reach: Reach) -> String {
    match reach {
        Reach::AtMost(most) => format!("≤ {}", number(most)),
        Reach::AtLeast(least) => format!("≥ {}", number(least)),
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middling if middling < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
