//! Telling that a service serves, being told to stop, and stopping on our own.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use signet_testkit::{Sandbox, Service, request};

use crate::{distribution, run, service, signet, with_keys};

#[test]
fn ctrl_c_ends_a_client_with_status_130_and_without_words() {
    let sandbox = with_keys();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let image = format!("{}/app:1", listener.local_addr().expect("bound"));
    let client = spawn(&sandbox, &["verify", "--key", "my.pub", &image]);
    ends_by_ctrl_c(client, &listener);
}

/// It was heard and forgotten: the command went on without newer trust.
#[test]
fn ctrl_c_ends_the_waiting_for_newer_trust() {
    let sandbox = with_keys();
    distribution::person(&sandbox, "1");
    let service = distribution::published(&sandbox, distribution::TRUSTED_ROOT);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);
    drop(service);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("bound");
    sandbox.write(
        ".local/share/signet/trust/source.json",
        format!(r#"{{"url": "http://{address}/tuf", "updated": 0}}"#),
    );
    let signer = ["--certificate-identity", "me", "--certificate-oidc-issuer", "https://issuer.example"];
    let client = spawn(&sandbox, &[&["verify", "127.0.0.1:1/app"], &signer[..]].concat());
    ends_by_ctrl_c(client, &listener);
}

/// Whoever asks and is not answered waits.
fn ends_by_ctrl_c(mut client: Child, listener: &TcpListener) {
    let (mut stream, _) = listener.accept().expect("the client connects");
    stream.read_exact(&mut [0]).expect("the client asks");
    kill("-INT", &client);
    assert_eq!(said(&mut client), ("".to_owned(), "".to_owned()));
    assert_eq!(client.wait().expect("it ends").code(), Some(130));
}

/// A cancelled job and a closed terminal left all that had been fetched beside the target.
#[test]
fn a_client_that_is_told_to_end_or_loses_its_terminal_leaves_nothing_behind() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        if is_ignored(signal) {
            continue;
        }
        let sandbox = Sandbox::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let image = format!("{}/app:1", listener.local_addr().expect("bound"));
        std::fs::create_dir(sandbox.path("out")).expect("a directory");
        let mut client = spawn(&sandbox, &["copy", &image, "oci-archive:out/app.tar:1"]);
        let (mut stream, _) = listener.accept().expect("the client connects");
        stream.read_exact(&mut [0]).expect("the client asks");
        let left = || std::fs::read_dir(sandbox.path("out")).expect("it is there").count();
        assert!(left() > 0, "it writes there");
        kill(signal, &client);
        assert_eq!(said(&mut client), ("".to_owned(), "".to_owned()));
        assert_eq!((client.wait().expect("it ends").code(), left()), (Some(status), 0), "{signal}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_runs_under_nohup_outlives_its_terminal() {
    let sandbox = with_keys();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let image = format!("{}/app:1", listener.local_addr().expect("bound"));
    let mut command = sandbox.command("sh");
    command.args(["-c", r#"trap '' HUP; exec "$0" "$@""#]).arg(signet());
    let mut client = command.args(["verify", "--key", "my.pub", &image]).spawn().expect("sh runs");
    let (mut stream, _) = listener.accept().expect("the client connects");
    stream.read_exact(&mut [0]).expect("the client asks");
    kill("-HUP", &client);
    kill("-TERM", &client);
    assert_eq!(client.wait().expect("it ends").code(), Some(143));
}

/// A file of 8 GiB takes a while to hash; nobody has to wait for its end.
#[test]
fn ctrl_c_ends_hashing_at_once() {
    if is_ignored("-INT") {
        return;
    }
    let sandbox = with_keys();
    assert!(sandbox.command("mkfifo").arg("endless").status().expect("mkfifo runs").success());
    let mut client = spawn(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "b.json", "endless"]);
    // Opening a pipe for writing waits for its reader.
    let writer = OpenOptions::new().write(true).open(sandbox.path("endless")).expect("the client reads");
    kill("-INT", &client);
    assert_eq!(client.wait().expect("it ends").signal(), Some(2));
    drop(writer);
    assert!(!sandbox.path("b.json").exists());
}

/// A layout that lists much was read to its end before anybody heard of Ctrl-C.
#[test]
fn ctrl_c_ends_the_reading_of_a_layout() {
    let sandbox = with_keys();
    std::fs::create_dir(sandbox.path("layout")).expect("a directory");
    sandbox.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert!(sandbox.command("mkfifo").arg("layout/index.json").status().expect("mkfifo runs").success());
    let mut client = spawn(&sandbox, &["verify", "--key", "my.pub", "oci:layout:1"]);
    let writer = OpenOptions::new().write(true).open(sandbox.path("layout/index.json"));
    let writer = writer.expect("the client reads");
    kill("-INT", &client);
    assert_eq!(client.wait().expect("it ends").code(), Some(130));
    drop(writer);
}

#[test]
fn a_service_that_is_told_to_stop_ends_well() {
    for signal in ["-INT", "-TERM"] {
        let sandbox = Sandbox::new();
        let mut service = service::registry(&sandbox, "data");
        let (repository, address) = (service.repository("app"), service.address().to_owned());
        repository.push_image("1", "content");
        kill(signal, service.process());
        assert_eq!(service.process().wait().expect("it ends").code(), Some(0), "{signal}");
        assert!(request(&address, "GET", "/v2/", &[], &[]).is_err(), "it listens no more");
        run(&sandbox, &["fsck", "--data", "data"]).exits(0);
    }
}

/// One who sends nothing more was waited for, whatever else the operator pressed.
#[test]
fn a_service_that_is_told_to_stop_again_does_not_wait_for_those_it_answers() {
    let sandbox = Sandbox::new();
    let mut service = service::registry(&sandbox, "data");
    let mut client = TcpStream::connect(service.address()).expect("it listens");
    let digest = format!("sha256:{}", "0".repeat(64));
    write!(
        client,
        "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"
    )
    .expect("it is sent");
    // Answered is who came after, so that the first is being answered.
    service.repository("app").push_image("1", "content");
    let ended = loop {
        kill("-INT", service.process());
        std::thread::sleep(Duration::from_millis(100));
        if let Some(ended) = service.process().try_wait().expect("it can be asked") {
            break ended;
        }
    };
    assert_eq!(ended.code(), Some(130));
    run(&sandbox, &["fsck", "--data", "data"]).exits(0);
}

/// As systemd does it: `systemctl start` waits, and fails if the service does.
#[test]
fn whoever_waits_for_a_service_is_told_when_it_answers() {
    for command in [&["up"][..], &["serve", "log"], &["serve", "registry"], &["serve", "witness"]] {
        let sandbox = Sandbox::new();
        let manager = UnixDatagram::bind(sandbox.path("manager")).expect("a socket");
        manager.set_read_timeout(Some(Duration::from_secs(60))).expect("it can end");
        let signet = signet().display().to_string();
        let args = [&["NOTIFY_SOCKET=manager", &signet], command, &["--data", "data"]].concat();
        let service = Service::start(Path::new("env"), &sandbox, &args);
        let mut told = [0; 64];
        let length = manager.recv(&mut told).expect("it is told");
        assert_eq!(told.get(..length), Some(&b"READY=1"[..]), "{command:?}");
        assert!(request(service.address(), "GET", "/", &[], &[]).is_ok(), "{command:?}");
    }
}

/// From the moment that it says it is ready.
#[test]
fn a_stack_that_is_told_to_stop_at_once_ends_well() {
    for signal in ["-INT", "-TERM"] {
        let sandbox = Sandbox::new();
        let mut service = service::up(&sandbox, &["--dev"]);
        kill(signal, service.process());
        assert_eq!(service.process().wait().expect("it ends").code(), Some(0), "{signal}");
        run(&sandbox, &["fsck", "--data", "up"]).exits(0);
    }
}

#[test]
fn a_demonstration_that_is_kept_runs_until_it_is_told_to_stop() {
    let sandbox = Sandbox::new();
    let mut demo = spawn(&sandbox, &["demo", "--keep"]);
    let mut lines =
        BufReader::new(demo.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let first = lines.next().expect("it says where it is");
    lines.find(|line| line.contains("left running")).expect("it says that it is kept");
    let address = first.split(' ').find(|word| word.starts_with("127.0.0.1:")).expect("an address");
    assert_eq!(request(address, "GET", "/v2/", &[], &[]).expect("it answers").status, 200);
    kill("-INT", &demo);
    assert_eq!(demo.wait().expect("it ends").code(), Some(0));
    let directory = first.split('`').nth(1).expect("a directory");
    assert!(sandbox.path(directory).join("demo.key").exists(), "{directory} is left to the user");
}

#[test]
fn a_defect_has_its_code_and_status_4() {
    let sandbox = Sandbox::new();
    let broken = |args: &[&str]| {
        let output =
            sandbox.command(signet()).env("SIGNET_PANIC", "1").args(args).output().expect("signet runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, out, err) = broken(&["explain"]);
    assert_eq!((status, out.as_str()), (Some(4), ""));
    assert!(err.starts_with("error[SGN-9001]: ") && err.contains("hint: "), "{err}");
    let (status, out, _) = broken(&["explain", "--output", "json"]);
    let document: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!((status, document["error"]["code"].as_str()), (Some(4), Some("SGN-9001")));
}

fn spawn(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command(signet());
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("signet runs")
}

fn kill(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn said(child: &mut Child) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    (out, err)
}

/// Whether the tests were started with the signal ignored, as by `nohup` and by `&` in a script: then what they start
/// ignores it, too.
#[expect(clippy::print_stderr, reason = "the one line that tells a skip from a pass")]
fn is_ignored(signal: &str) -> bool {
    let bit = match signal {
        "-HUP" => 1,
        "-INT" => 1 << 1,
        _ => 0,
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    if ignored & bit != 0 {
        eprintln!("skipped: needs SIG{} not to be ignored", signal.trim_start_matches('-'));
    }
    ignored & bit != 0
}
