//! What a person at a terminal sees and is asked. Python's `pty` is the terminal.

use signet_testkit::{OCI_MANIFEST, Outcome, PASSWORD, Peer, RegistryServer, Sandbox, peers};

use crate::{service, signet, with_keys};

/// Runs the command after the answers on a terminal of its own; each answer is typed when the terminal asks
/// for something with a colon and a space. Ends as the command does.
const TERMINAL: &str = r#"
import os, pty, sys, termios, time
cut = sys.argv.index("--")
answers, command = sys.argv[1:cut], sys.argv[cut + 1:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
seen = asked = b""
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    seen += chunk
    asked += chunk
    if answers and asked.endswith(b": "):
        # The prompt is printed first; whoever types before the echo is off sees it.
        for _ in range(60000):
            if not termios.tcgetattr(terminal)[3] & termios.ECHO:
                break
            time.sleep(0.001)
        else:
            sys.exit("the echo stays on")
        answer = answers.pop(0)
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\n")
        asked = b""
sys.stdout.buffer.write(seen)
if not termios.tcgetattr(terminal)[3] & termios.ECHO:
    sys.stdout.write("the echo was left off")
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

struct Terminal {
    python: Peer,
    sandbox: Sandbox,
}

impl Terminal {
    fn new() -> Option<Self> {
        let [python] = peers(["python3"])?;
        Some(Self { python, sandbox: with_keys() })
    }

    /// Runs `signet`; no password is in the environment.
    fn run(&self, variables: &[(&str, &str)], answers: &[&str], args: &[&str]) -> Outcome {
        let mut words = vec!["-u", "COSIGN_PASSWORD", "-u", "SIGNET_PASSWORD", "-u", "NO_COLOR"];
        let variables: Vec<String> = [&[("TERM", "xterm")], variables]
            .concat()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.extend(variables.iter().map(String::as_str));
        let (python, signet) = (self.python.as_ref().display().to_string(), signet().display().to_string());
        words.extend([python.as_str(), "-c", TERMINAL]);
        words.extend(answers);
        words.extend(["--", signet.as_str()]);
        words.extend(args);
        self.sandbox.run("env", &words)
    }
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let Some(terminal) = Terminal::new() else { return };
    let generate = ["keys", "generate", "--out", "locked"];
    let made = terminal.run(&[], &[PASSWORD, PASSWORD], &generate).exits(0);
    assert!(made.says("new password of `locked.key`"), "{made}");
    assert!(made.says("the same again"), "{made}");
    assert!(!made.says(PASSWORD), "{made}");

    terminal.sandbox.write("file", "content");
    let sign = ["sign-blob", "--key", "locked.key", "--bundle", "b.json", "file"];
    let wrong = terminal.run(&[], &["not it"], &sign).exits(2);
    assert!(wrong.says("password of `locked.key`: ") && wrong.says("SGN-3"), "{wrong}");
    terminal.run(&[], &[PASSWORD], &sign).exits(0);
    let verify = ["verify-blob", "--key", "locked.pub", "--bundle", "b.json", "file"];
    terminal.run(&[], &[], &verify).exits(0);
}

/// Ctrl-C ended the process at the prompt and left the terminal without its echo.
#[test]
fn ctrl_c_at_a_prompt_leaves_the_terminal_as_it_was() {
    let Some(terminal) = Terminal::new() else { return };
    let generate = ["keys", "generate", "--out", "never"];
    for answers in [&["^C"][..], &[PASSWORD, "^C"]] {
        let ended = terminal.run(&[], answers, &generate).exits(130);
        assert!(!ended.says("the echo was left off") && !ended.says("error"), "{ended}");
    }
    assert!(!terminal.sandbox.path("never.key").exists());
    terminal.run(&[], &[PASSWORD, PASSWORD], &["keys", "generate", "--out", "locked"]).exits(0);
    terminal.sandbox.write("file", "content");
    let sign = ["sign-blob", "--key", "locked.key", "--bundle", "b.json", "file"];
    let ended = terminal.run(&[], &["^C"], &sign).exits(130);
    assert!(!ended.says("the echo was left off") && !ended.says("error"), "{ended}");
}

#[test]
fn two_passwords_that_differ_are_asked_for_again_and_then_refused() {
    let Some(terminal) = Terminal::new() else { return };
    let generate = ["keys", "generate", "--out", "locked"];
    terminal.run(&[], &["one", "other", "same", "same"], &generate).exits(0);
    let generate = ["keys", "generate", "--out", "never"];
    let refused = terminal.run(&[], &["1", "2", "3", "4", "5", "6"], &generate).exits(2);
    assert!(refused.says("never the same"), "{refused}");
    assert!(!terminal.sandbox.path("never.key").exists());
}

#[test]
fn a_backup_with_its_keys_is_not_written_to_a_terminal() {
    let Some(terminal) = Terminal::new() else { return };
    drop(service::up(&terminal.sandbox, &[]));
    let backup = ["backup", "--data", "up", "--out", "-"];
    let refused = terminal.run(&[], &[], &backup).exits(2);
    assert!(refused.says("SGN-3010") && refused.says("give `--out FILE`, or pipe it"), "{refused}");
    assert!(!refused.says("stack.json"), "{refused}");
}

#[test]
fn progress_is_shown_to_a_person_and_to_nobody_else() {
    let Some(terminal) = Terminal::new() else { return };
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    repository.push_index("1", "content");
    terminal.sandbox.write("file", vec![7; 4 << 20]);
    let image = repository.tagged("1");
    let long: [(&str, &[&str]); 3] = [
        ("copying", &["copy", &image, "oci:layout"]),
        ("signing", &["sign", "--key", "my.key", &image]),
        ("hashing", &["verify-blob", "--key", "my.pub", "--bundle", "b.json", "file"]),
    ];
    terminal
        .sandbox
        .run(signet(), &["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"])
        .succeeds();
    for (word, args) in long {
        let shown = terminal.run(&[], &[], args).exits(0);
        assert!(shown.says(&format!("{word} ")), "{shown}");
        for (variables, more) in
            [(vec![("CI", "true")], vec![]), (vec![], vec!["--quiet"]), (vec![], vec!["--output", "json"])]
        {
            let quiet = terminal.run(&variables, &[], &[args, &more].concat()).exits(0);
            assert!(!quiet.says(&format!("{word} ")), "{quiet}");
        }
        let piped = terminal.sandbox.run(signet(), args).exits(0);
        assert!(!piped.says(&format!("{word} ")), "{piped}");
    }
}

/// Colour is for terminals that want it.
#[test]
fn colour_is_for_terminals_only() {
    let Some(terminal) = Terminal::new() else { return };
    let refused = ["keys", "inspect", "absent"];
    assert!(terminal.run(&[], &[], &refused).exits(2).says("\u{1b}["));
    assert!(!terminal.run(&[("NO_COLOR", "1")], &[], &refused).exits(2).says("\u{1b}["));
    let piped = terminal.sandbox.command(signet()).env_remove("NO_COLOR").args(refused).output();
    assert!(!piped.expect("signet runs").stderr.contains(&0x1b));
}

/// What a stranger would write into a signature to be taken for us.
const FORGED: &str = "\u{1b}[2K\u{1b}[32mx\r\nallowed everything\u{202e}\u{9b}31m\u{2028}";

/// Whoever may push chooses what unverified signatures say, and people read it beside the verdict.
#[test]
fn what_strangers_write_begins_no_line_and_steers_no_terminal() {
    let Some(terminal) = Terminal::new() else { return };
    let server = RegistryServer::signet(signet());
    let repository = server.repository("app");
    let image = repository.push_image("1", "content");
    let payload = serde_json::json!({
        "critical": {
            "identity": { "docker-reference": FORGED },
            "image": { "docker-manifest-digest": image.to_string() },
            "type": "cosign container image signature",
        },
        "optional": { FORGED: FORGED },
    });
    let mut simple = repository
        .put_blob("application/vnd.dev.cosign.simplesigning.v1+json", payload.to_string().as_bytes());
    simple["annotations"] = serde_json::json!({ "dev.cosignproject.cosign/signature": "MEUCIQ==" });
    let envelope = serde_json::json!({
        "payloadType": FORGED, "payload": "e30=", "signatures": [{ "keyid": FORGED, "sig": "MEUCIQ==" }],
    });
    let attestation =
        repository.put_blob("application/vnd.dsse.envelope.v1+json", envelope.to_string().as_bytes());
    for (suffix, layer) in [("sig", simple), ("att", attestation)] {
        let config = repository.put_blob("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": FORGED, "config": config, "layers": [layer],
        });
        let tag = image.to_string().replace(':', "-") + "." + suffix;
        repository.put_manifest(&tag, OCI_MANIFEST, manifest.to_string().as_bytes());
    }
    let image = repository.tagged("1");
    for (code, args) in [
        (1, &["verify", "--key", "my.pub", &image][..]),
        (0, &["inspect", &image]),
        (0, &["inspect", "--key", "my.pub", &image]),
        (0, &["tree", &image]),
    ] {
        let piped = terminal.sandbox.run(signet(), args).exits(code);
        let shown = terminal.run(&[("NO_COLOR", "1")], &[], args).exits(code);
        for said in [&piped.stdout, &piped.stderr, &shown.stdout] {
            assert!(!said.lines().any(|line| line.starts_with("allowed")), "{args:?}: {said}");
            let steers = |c: char| (c.is_control() && !"\r\n".contains(c)) || "\u{202e}\u{2028}".contains(c);
            assert!(!said.contains(steers), "{args:?}: {said:?}");
            assert!(!said.replace("\r\n", "\n").contains('\r'), "{args:?}: {said:?}");
        }
    }
    let told = terminal.sandbox.run(signet(), &["verify", "--key", "my.pub", &image]).exits(1);
    assert!(told.says(r"\u{1b}[2K"), "what was found is shown, escaped: {told}");
}
