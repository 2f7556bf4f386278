//! One bash for each page.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use signet_testkit::{Outcome, Sandbox, peers};

use crate::image;
use crate::page::{Block, Kind, Page};

/// Runs a page from its top; the error is the story of the block that did not do what the page says.
pub(crate) fn run(page: &Page) -> Result<(), String> {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", image::archive("app"));
    sandbox.write("other.tar", image::archive("other"));
    let ports = Ports::free();
    let script = script(page, &ports)?;
    sandbox.write(".docs/script", ports.localize(&script));
    let outcome = bash(&sandbox);
    let report = Report { page, sandbox: &sandbox, ports: &ports };
    report.outcome(&outcome)?;
    report.outputs()
}

fn bash(sandbox: &Sandbox) -> Outcome {
    let binary = Path::new(env!("CARGO_BIN_EXE_signet")).parent().expect("the binary is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("PATH={}:{path}", binary.display());
    sandbox.run("env", &[&path, "bash", ".docs/script"])
}

/// The page as a bash script: each block's output goes to `.docs/NUMBER`, its number before it to `.docs/at`.
fn script(page: &Page, ports: &Ports) -> Result<String, String> {
    let mut script = String::from(PRELUDE);
    for (number, block) in page.blocks.iter().enumerate() {
        let text = without_cargo(page, block)?;
        let output = format!(".docs/{number}");
        match &block.kind {
            Kind::Output => continue,
            Kind::Run { needs, .. } | Kind::Background { needs }
                if needs.iter().any(|name| peers([name]).is_none()) =>
            {
                continue;
            }
            Kind::Run { exits: 0, .. } => {
                _ = write!(script, "at {number}\n{{\n{text}}} >\"$home/{output}\" 2>&1\n");
            }
            Kind::Run { exits, .. } => {
                _ = write!(
                    script,
                    "at {number}\nset +e\n(\nset -e\n{text}) >\"$home/{output}\" 2>&1\nends {exits} $?\nset -e\n"
                );
            }
            Kind::Background { .. } => {
                let used = ports.used_in(&text).map(|port| port.to_string()).collect::<Vec<_>>().join(" ");
                _ = write!(
                    script,
                    "at {number}\nexec_in_background() {{ exec {text}}}\nexec_in_background >\"$home/{output}\" 2>&1 &\n\
                     serves $! {used}\n"
                );
            }
        }
    }
    Ok(script)
}

fn without_cargo(page: &Page, block: &Block) -> Result<String, String> {
    let mut text = String::new();
    for line in block.text.lines() {
        let shown = line.split(" #").next().unwrap_or_default().trim_end();
        let cargo = line.starts_with("cargo ");
        if cargo && !CARGO_LINES.contains(&shown) {
            return Err(format!(
                "{}:{}: `{shown}` is not among the known cargo lines",
                page.name, block.line
            ));
        }
        text.push_str(if cargo { ":" } else { line });
        text.push('\n');
    }
    Ok(text)
}

/// The ports that pages name, and the free ones that stand for them here.
struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Finds as many as a page may name, below those that the system gives to outgoing connections. Pages
    /// of other tests and processes get others.
    fn free() -> Self {
        static PAGES: AtomicU16 = AtomicU16::new(0);
        let process = u16::try_from(std::process::id() % 20).unwrap_or_default();
        let first = 15_000 + process * 800 + PAGES.fetch_add(1, Ordering::Relaxed) % 40 * 20;
        let free = (first..first + 20).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        Self((5000..5010).chain([7446]).zip(free).collect())
    }

    fn localize(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (shown, here)| {
            text.replace(&format!(":{shown}"), &format!(":{here}"))
        })
    }

    fn as_shown(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (shown, here)| {
            text.replace(&format!(":{here}"), &format!(":{shown}"))
        })
    }

    fn used_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = u16> + 'a {
        self.0.iter().filter(move |(shown, _)| text.contains(&format!(":{shown}"))).map(|(_, here)| *here)
    }
}

/// What became of a page.
struct Report<'a> {
    page: &'a Page,
    sandbox: &'a Sandbox,
    ports: &'a Ports,
}

impl Report<'_> {
    /// Whether bash came to the end.
    fn outcome(&self, outcome: &Outcome) -> Result<(), String> {
        if outcome.code == Some(0) {
            return Ok(());
        }
        let number = self.output("at").trim().parse::<usize>().unwrap_or_default();
        let Some(block) = self.page.blocks.get(number) else {
            return Err(format!("{}: {outcome}", self.page.name));
        };
        let status = outcome.code;
        Err(self.story(
            block,
            &format!("ended with {status:?} {}", outcome.stdout),
            &self.output(&number.to_string()),
        ))
    }

    /// Whether every shown output is what was printed.
    fn outputs(&self) -> Result<(), String> {
        let mut printed = None;
        for (number, block) in self.page.blocks.iter().enumerate() {
            if block.kind != Kind::Output {
                let ran = self.sandbox.path(&format!(".docs/{number}")).is_file();
                printed = ran.then(|| self.output(&number.to_string()));
                continue;
            }
            let Some(printed) = &printed else { continue };
            if let Some(line) = missing(&block.text, printed) {
                return Err(self.story(block, &format!("this line was not printed: {line}"), printed));
            }
        }
        Ok(())
    }

    fn story(&self, block: &Block, why: &str, output: &str) -> String {
        format!("{}:{}: {why}\n{}--- output\n{output}", self.page.name, block.line, block.text)
    }

    fn output(&self, name: &str) -> String {
        let path = self.sandbox.path(&format!(".docs/{name}"));
        let bytes = fs::read(path).unwrap_or_default();
        self.ports.as_shown(&String::from_utf8_lossy(&bytes))
    }
}

/// The first shown line that does not stand in the output after those before it.
fn missing<'a>(shown: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    shown
        .lines()
        .filter(|line| !line.trim().is_empty())
        .find(|line| !printed.any(|real| fits(line.trim(), real.trim())))
}

/// Whether a printed line is the shown one, in which `…` stands for any text.
fn fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

/// The `cargo` lines that pages may show. They are run by CI or by whoever reads this.
const CARGO_LINES: [&str; 3] = [
    "cargo run --release -- demo",
    "cargo test --workspace --locked",
    "cargo install --locked --path crates/cli",
];

/// `stop_services` is for hidden blocks, where the page tells its reader to stop a server.
const PRELUDE: &str = r#"set -euo pipefail
home=$PWD
services=()
at() { echo "$1" >"$home/.docs/at"; }
ends() { [ "$2" -eq "$1" ] || { echo "expected exit status $1, got $2"; exit 97; }; }
stop_services() {
  for service in "${services[@]}"; do kill "$service" && wait "$service" || true; done
  services=()
}
trap stop_services EXIT
serves() {
  services+=("$1")
  for port in "${@:2}"; do
    for _ in {1..400}; do
      (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
      kill -0 "$1" || { echo "the server ended"; exit 98; }
      sleep 0.05
    done
    echo "nothing answers on port $port"
    exit 99
  done
}
"#;

#[test]
fn a_block_that_fails_fails_its_page() {
    let failing = [
        ("```sh\ntrue\n```\n\n```sh\necho before\nfalse\n```\n", "p.md:6: ended with Some(1)"),
        ("```sh exits=1\ntrue\n```\n", "expected exit status 1, got 0"),
        ("```sh exits=1\nexit 3\n```\n", "expected exit status 1, got 3"),
        ("```sh\nfalse | true\n```\n", "p.md:2: ended with Some(1)"),
        ("```sh\necho one\n```\n```console\ntwo\n```\n", "this line was not printed: two"),
        ("```sh background\nfalse localhost:5000\n```\n", "the server ended"),
        ("```sh\ncargo publish\n```\n", "not among the known cargo lines"),
    ];
    for (text, why) in failing {
        let page = Page::parse("p.md", text).expect("the page is sound");
        let story = run(&page).expect_err(text);
        assert!(story.contains(why), "{story}");
    }
}

#[test]
fn a_page_that_holds_passes() {
    let text = "```sh\nname=a1b2; cd /\n```\n```sh exits=3\necho \"$name at localhost:5000 is here\"; exit 3\n```\n\
                ```console\na…2 at localhost:5000 is …\n```\n```sh\ncargo test --workspace --locked  # all\n```\n";
    let page = Page::parse("p.md", text).expect("the page is sound");
    assert_eq!(run(&page), Ok(()));
}

#[test]
fn an_ellipsis_stands_for_any_text_and_nothing_else_does() {
    assert!(fits("a…c", "abc") && fits("…", "") && fits("a…b…c", "a1b2c") && fits("abc", "abc"));
    assert!(!fits("a…c", "abd") && !fits("ab", "abc") && !fits("abc", "ab") && !fits("a…b…c", "abd"));
}
