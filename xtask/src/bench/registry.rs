//! The registry that Signet serves beside Debian's docker-registry.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use signet_testkit::{OCI_MANIFEST, Peer, RegistryServer, Repository, Sandbox, peers, request};

use super::floor;
use super::measure::{Contestant, Sample, Series, alternate, process};
use super::row::{Reach, Row};
use super::served::Served;
use super::stage;

/// Manifest requests a second.
pub(super) fn get(runs: usize) -> Vec<Row> {
    let Some([docker, wrk]) = peers(["docker-registry", "wrk"]) else { return Vec::new() };
    let [ours, theirs] = servers(&docker);
    let [ours_url, theirs_url] = [&ours, &theirs].map(|server| manifest_url(&server.repository("bench")));
    let [our_process, their_process] = [&ours, &theirs].map(|server| Served::new(server.id()));
    let load = |url: &str| requests_a_second(&wrk, url);
    let series = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| our_process.during(|| load(&ours_url))),
            Contestant::new("docker-registry", |_| their_process.during(|| load(&theirs_url))),
        ],
    );
    let canned = format!("http://{}/", floor::canned(&[b' '; 400]));
    let row = Row::new("registry-get", "GET of a manifest by tag, 16 connections", "requests/s", series);
    let (p99, peak) = (row.signet().more("p99_ms"), peak(&row));
    let row = row
        .floor("the same load on threads that answer each read with the same bytes", load(&canned).value)
        .ratio("docker-registry", Reach::AtLeast(10.0))
        .reach("p99 ms", p99, Reach::AtMost(2.0))
        .reach("peak MiB", peak, Reach::AtMost(64.0));
    vec![row]
}

fn requests_a_second(wrk: &Peer, url: &str) -> Sample {
    let accept = format!("Accept: {OCI_MANIFEST}");
    let output = Command::new(wrk.as_ref())
        .args(["--threads", "1", "--connections", "16", "--duration", "5s", "--latency", "-H", &accept, url])
        .output()
        .expect("wrk can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("Non-2xx"), "{said}");
    let word_after = |name: &str| {
        let mut words = said.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).unwrap_or_else(|| panic!("wrk does not say {name}:\n{said}")).to_owned()
    };
    let rate = word_after("Requests/sec:").parse().expect("a rate is a number");
    Sample::of(rate).with("p99_ms", in_milliseconds(&word_after("99%")))
}

/// A time as wrk writes it, such as `1.23ms`.
fn in_milliseconds(text: &str) -> f64 {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let mut found = units.iter().filter_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = found.next().unwrap_or_else(|| panic!("{text} is no time"));
    number.parse::<f64>().unwrap_or_else(|_| panic!("{text} is no time")) * factor
}

fn manifest_url(repository: &Repository) -> String {
    repository.push_image("latest", "content");
    let tagged = repository.tagged("latest");
    let (place, tag) = tagged.rsplit_once(':').expect("a tagged name has a tag");
    let (address, name) = place.split_once('/').expect("a name has a registry");
    format!("http://{address}/v2/{name}/manifests/{tag}")
}

/// One blob of 1 GiB in one PUT, then read back.
pub(super) fn transfer(runs: usize) -> Vec<Row> {
    let Some([docker, curl]) = peers(["docker-registry", "curl"]) else { return Vec::new() };
    let [ours, theirs] = servers(&docker);
    let [our_process, their_process] = [&ours, &theirs].map(|server| Served::new(server.id()));
    let sandbox = Sandbox::new();
    let curl = Curl { program: curl, sandbox: &sandbox };
    let blob = Blob::new(&sandbox);
    let pushed = alternate(
        runs,
        vec![
            Contestant::new("Signet", |run| {
                let digest = blob.number(run);
                our_process.during(|| curl.push(ours.address(), &digest))
            }),
            Contestant::new("docker-registry", |run| {
                let digest = blob.number(run);
                their_process.during(|| curl.push(theirs.address(), &digest))
            }),
            Contestant::program("dd, fdatasync", |run| {
                blob.number(run);
                dd(&sandbox)
            }),
        ],
    );
    let digest = blob.number(runs);
    let pulled = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| our_process.during(|| curl.pull(ours.address(), &digest))),
            Contestant::new("docker-registry", |_| {
                their_process.during(|| curl.pull(theirs.address(), &digest))
            }),
        ],
    );
    vec![push_row(pushed), pull_row(pulled)]
}

/// Half of docker-registry's time, or the disk's own with a little on top, whichever is larger.
fn push_row(series: Vec<Series>) -> Row {
    let row = Row::new("registry-push", "POST and PUT of a blob of 1 GiB, by curl", "ms", series);
    let (disk, peak) = (row.of("dd, fdatasync").value(), peak(&row));
    let most = (row.of("docker-registry").value() * 0.5).max(disk * 1.15);
    let took = row.signet().value();
    row.floor("dd of the same bytes with fdatasync", disk)
        .reach("ms, within the larger of 0.5 × docker-registry and 1.15 × dd", took, Reach::AtMost(most))
        .reach("peak MiB", peak, Reach::AtMost(64.0))
}

fn pull_row(series: Vec<Series>) -> Row {
    let row = Row::new("registry-pull", "GET of a blob of 1 GiB, by curl", "ms", series);
    let peak = peak(&row);
    row.ratio("docker-registry", Reach::AtMost(1.0)).reach("peak MiB", peak, Reach::AtMost(64.0))
}

fn peak(row: &Row) -> f64 {
    row.signet().peak_mib().unwrap_or(f64::NAN)
}

fn servers(docker: &Peer) -> [RegistryServer; 2] {
    [RegistryServer::signet(&stage::signet()), RegistryServer::docker(docker)]
}

/// A file of 1 GiB that is another one in each run, so that no registry has it already.
struct Blob<'a>(&'a Sandbox);

impl<'a> Blob<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let mut random = File::open("/dev/urandom").expect("there is randomness").take(1 << 30);
        let mut file = File::create(sandbox.path(BLOB)).expect("the sandbox can be written");
        std::io::copy(&mut random, &mut file).expect("the sandbox can be written");
        Self(sandbox)
    }

    /// Makes it that of one run; its digest.
    ///
    /// A copy is made and removed first, so that everybody writes into memory that was in use just before. What
    /// the host of a virtual machine must find first costs the system several times as much to write into.
    fn number(&self, run: usize) -> Digest {
        let path = self.0.path(BLOB);
        let copy = self.0.path(COPY);
        fs::copy(&path, &copy).and_then(|_| fs::remove_file(&copy)).expect("the sandbox can be written");
        let mut file = File::options().read(true).write(true).open(path).expect("the blob is there");
        file.write_all(&run.to_be_bytes()).expect("the blob can be written");
        file.seek(SeekFrom::Start(0)).expect("the blob is a file");
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = file.read(&mut buffer) {
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        hasher.finish()
    }
}

fn dd(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command(Path::new("dd"));
    command.args([&format!("if={BLOB}"), &format!("of={COPY}"), "bs=1M", "conv=fdatasync", "status=none"]);
    command
}

/// A client that neither registry was made with.
struct Curl<'a> {
    program: Peer,
    sandbox: &'a Sandbox,
}

impl Curl<'_> {
    fn push(&self, address: &str, digest: &Digest) -> Sample {
        let started =
            request(address, "POST", "/v2/bench/blobs/uploads/", &[], &[]).expect("the registry answers");
        let location = started.header("location").expect("an upload has a location");
        let path = location.strip_prefix(&format!("http://{address}")).unwrap_or(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("http://{address}{path}{separator}digest={digest}");
        let headers = ["-H", "Content-Type: application/octet-stream", "-H", "Expect:"];
        self.run(&[&headers[..], &["--upload-file", BLOB, &url]].concat())
    }

    fn pull(&self, address: &str, digest: &Digest) -> Sample {
        self.run(&[&format!("http://{address}/v2/bench/blobs/{digest}")])
    }

    /// The time of the client is the value; its CPU time and memory are not the server's.
    fn run(&self, args: &[&str]) -> Sample {
        let mut command = self.sandbox.command(&self.program);
        command.args(["--silent", "--show-error", "--fail", "--output", "/dev/null"]).args(args);
        Sample::of(process(command).value)
    }
}

const BLOB: &str = "blob";
const COPY: &str = "copy";
