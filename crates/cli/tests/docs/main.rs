//! Every command in the README and under `docs/` runs, in the order of its page, in one bash with the
//! real binary. How a page says so:
//!
//! - ```` ```sh ```` runs; its commands must succeed. After `sh` may stand `exits=N` (it must end with that
//!   status), `needs=A,B` (programs without which it is skipped), `background` (one command that keeps
//!   running: a server) and `elsewhere` (another machine or the internet: shown, never run).
//! - ```` ```console ```` after it is what it printed: its lines must stand in the output in this order,
//!   `…` standing for any text.
//! - `<!-- sh … -->` runs too and is not shown: what the page takes for granted.
//! - `localhost:5000` to `:5009` and `:7446` become free ports; lines that begin with `cargo ` must be known and are not run.
//!
//! Each page starts in an empty directory with two images of two platforms, `app.tar` and `other.tar`.

mod image;
mod page;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use page::Page;

#[test]
fn every_command_in_the_docs_does_what_its_page_says() {
    let pages: Vec<Page> = files().iter().map(|file| read(file)).collect();
    assert!(pages.iter().any(|page| page.name == "README.md"), "the README has commands");
    let failures: Vec<String> = pages.iter().filter_map(|page| session::run(page).err()).collect();
    assert!(failures.is_empty(), "{} of {} pages:\n{}", failures.len(), pages.len(), failures.join("\n"));
}

/// README and everything under `docs/`.
fn files() -> Vec<PathBuf> {
    let root = root();
    let mut files = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> Page {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let name = file.strip_prefix(root()).expect("a page is in the checkout").display().to_string();
    Page::parse(&name, &text).unwrap_or_else(|e| panic!("{e}"))
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the crate is in the checkout")
}
