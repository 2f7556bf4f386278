//! `signet serve tsa`, `signet serve ca` and `signet dev-token` as processes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use signet_crypto::Digest;
use signet_formats::jwt::Jwt;
use signet_formats::timestamp::{TimestampRequest, TimestampToken};
use signet_testkit::{LogServer, Sandbox, request};

use crate::certificates::issue;
use crate::service;
use crate::{run, signet};

/// A token's number, if the service still answers.
fn stamp(address: &str) -> Option<Vec<u8>> {
    let imprint = Digest::sha256(b"signature");
    let query = TimestampRequest { imprint, policy: None, nonce: None, with_certificates: false }.to_der();
    let headers = [("content-type", "application/timestamp-query")];
    let answer = request(address, "POST", "/api/v1/timestamp", &headers, &query).ok()?;
    Some(TimestampToken::from_response(&answer.body).ok()?.info().serial.clone())
}

#[test]
fn killed_under_load_again_and_again_no_serial_number_comes_twice() {
    let sandbox = Sandbox::new();
    let seen = Mutex::new(BTreeSet::new());
    for _ in 0..5 {
        let mut service = service::serve(&sandbox, &["tsa", "--data", "tsa", "--dev"]);
        let address = service.address().to_owned();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(serial) = stamp(&address) {
                        assert!(seen.lock().unwrap().insert(serial.clone()), "{serial:02x?} twice");
                    }
                });
            }
            let before = seen.lock().unwrap().len();
            while seen.lock().unwrap().len() < before + 20 {
                thread::yield_now();
            }
            service.process().kill().expect("the process can be killed");
            service.process().wait().expect("and is gone");
        });
    }
    assert!(seen.lock().unwrap().len() >= 100);
}

#[test]
fn killed_under_load_again_and_again_every_certificate_is_recorded_and_logged() {
    let sandbox = Sandbox::new();
    let seen = Mutex::new(BTreeSet::new());
    for _ in 0..4 {
        let mut service = service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
        let address = service.address().to_owned();
        thread::scope(|scope| {
            for email in ["a@b.c", "d@e.f", "g@h.i", "j@k.l"] {
                let minted = run(&sandbox, &["dev-token", "--data", "ca", "--email", email]).exits(0);
                let (address, seen) = (&address, &seen);
                scope.spawn(move || {
                    while let Some(chain) = issue(address, minted.stdout.trim(), email) {
                        seen.lock().unwrap().insert(chain[0].fingerprint().to_string());
                    }
                });
            }
            let before = seen.lock().unwrap().len();
            while seen.lock().unwrap().len() < before + 20 {
                thread::yield_now();
            }
            service.process().kill().expect("the process can be killed");
            service.process().wait().expect("and is gone");
        });
    }
    // A last start cuts away what was never acknowledged.
    drop(service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]));
    let lines = |file: &str| -> Vec<serde_json::Value> {
        let text = String::from_utf8(sandbox.read(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let audit = lines("ca/audit.jsonl");
    let recorded: BTreeSet<String> =
        audit.iter().filter_map(|record| record.get("certificate")?.as_str().map(str::to_owned)).collect();
    assert!(seen.lock().unwrap().is_subset(&recorded));
    let fsck = run(&sandbox, &["log", "fsck", "--data", "ca/ct", "--output", "json"]).exits(0);
    let fsck: serde_json::Value = serde_json::from_str(&fsck.stdout).unwrap();
    let logged = fsck.pointer("/size").and_then(serde_json::Value::as_u64).unwrap();
    assert!(logged >= recorded.len() as u64, "what is issued was logged first");
}

#[test]
fn development_services_are_on_loopback_only() {
    let sandbox = Sandbox::new();
    for (kind, dev) in [("tsa", &["--dev"][..]), ("ca", &["--dev"]), ("oidc-dev", &[])] {
        let open = ["--listen", "0.0.0.0:0"];
        // Its metrics tell who works on what.
        let told = ["--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
        for place in [&open[..], &told] {
            let refused = run(&sandbox, &[&["serve", kind, "--data", "data"], place, dev].concat()).exits(2);
            assert!(refused.says("SGN-4005"), "{refused}");
            assert!(refused.says("development settings are for this machine only"), "{refused}");
        }
    }
    assert!(!sandbox.path("data").exists());
    run(&sandbox, &["serve", "ca", "--data", "data"]).exits(2);
}

#[test]
fn tokens_go_to_an_authority_beyond_loopback_in_secret_only() {
    let sandbox = Sandbox::new();
    sandbox.write("issuers.yaml", ISSUERS);
    let ca = ["serve", "ca", "--data", "ca", "--issuers", "issuers.yaml", "--listen", "0.0.0.0:0"];
    for proxy in [&[][..], &["--public-url", "http://ca.example"]] {
        let refused = run(&sandbox, &[&ca[..], proxy].concat()).exits(2);
        assert!(refused.says("SGN-4005") && refused.says("identity tokens would be readable"), "{refused}");
        assert!(refused.says("`--tls-cert`") && refused.says("`--public-url`"), "{refused}");
    }
    assert!(!sandbox.path("ca").exists());
    let own = ["ca", "--data", "ca", "--issuers", "issuers.yaml", "--public-url", "https://ca.example/"];
    let behind = service::serve(&sandbox, &own);
    assert_eq!(behind.said("url"), "https://ca.example");
}

/// A key that strangers trust would certify whatever `signet dev-token` is told, and stamp by a clock that nobody asked.
#[test]
fn given_keys_are_refused_in_development_by_every_command_and_needed_ever_after() {
    let sandbox = Sandbox::new();
    sandbox.write("issuers.yaml", ISSUERS);
    let issuers = ["--issuers", "issuers.yaml"];
    drop(service::serve(&sandbox, &[&["ca", "--data", "own-ca"], &issuers[..]].concat()));
    drop(service::serve(&sandbox, &["tsa", "--data", "own-tsa"]));
    let ca = ["--key", "own-ca/intermediate-0.key", "--certificate-chain", "own-ca/intermediate-0.pem"];
    let tsa = ["--key", "own-tsa/tsa.key", "--certificate-chain", "own-tsa/tsa.pem"];
    let stack = |section: &str, key: &str| {
        format!(
            "apiVersion: signet.dev/v1alpha1\nkind: Stack\n{section}:\n  key: {key}.key\n  certificateChain: {key}.pem\n"
        )
    };
    sandbox.write("ca.yaml", stack("ca", "own-ca/intermediate-0"));
    sandbox.write("tsa.yaml", stack("tsa", "own-tsa/tsa"));
    for command in [
        [&["serve", "ca", "--data", "new", "--dev"], &ca[..]].concat(),
        [&["serve", "tsa", "--data", "new", "--dev"], &tsa[..]].concat(),
        vec!["up", "--data", "new", "--dev", "--config", "ca.yaml"],
        vec!["up", "--data", "new", "--dev", "--config", "tsa.yaml"],
    ] {
        let refused = run(&sandbox, &[&command[..], &["--listen", "127.0.0.1:0"]].concat()).exits(2);
        assert!(refused.says("SGN-4008") && refused.says("leave `--dev` out"), "{refused}");
        assert!(!sandbox.path("new").exists(), "nothing is made: {command:?}");
    }
    for (kind, given, more) in [("ca", ca, &issuers[..]), ("tsa", tsa, &[])] {
        let own = [&[kind, "--data", kind], more].concat();
        drop(service::serve(&sandbox, &[&own[..], &given[..]].concat()));
        let forgotten = [&["serve"], &own[..], &["--listen", "127.0.0.1:0"]].concat();
        let refused = run(&sandbox, &forgotten).exits(2);
        assert!(refused.says("SGN-3010") && refused.says("hint: give `--key`"), "{refused}");
        let refused = run(&sandbox, &[&forgotten[..], &["--dev"]].concat()).exits(2);
        assert!(refused.says("SGN-3010"), "{refused}");
        let made = std::fs::read_dir(sandbox.path(kind)).unwrap().map(|entry| entry.unwrap().path());
        let keys: Vec<_> = made.filter(|path| path.extension().is_some_and(|end| end == "key")).collect();
        assert_eq!(keys, Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn operators_of_each_service_ask_at_an_address_of_its_own() {
    let sandbox = Sandbox::new();
    let get = |address: &str, path: &str| {
        let answer = request(address, "GET", path, &[], &[]).unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    for (kind, args, sample) in [
        ("tsa", &["--dev"][..], "signet_tsa_tokens_total 0\n"),
        ("ca", &["--dev"], "signet_ca_certificates_total 0\n"),
        ("log", &[], "signet_log_added_total{log="),
        ("oidc-dev", &[], "signet_ready{"),
        ("registry", &[], "signet_ready{"),
    ] {
        let own = ["--data", kind, "--admin", "127.0.0.1:0", "--log-format", "json"];
        let service = service::serve(&sandbox, &[&[kind], &own[..], args].concat());
        let admin = service.said("admin");
        assert_eq!(get(admin, "/ready"), (200, format!("{{\"{kind}\":true}}")));
        let (_, metrics) = get(admin, "/metrics");
        let ready = format!("signet_ready{{service=\"{kind}\"}} 1\n");
        assert!(metrics.contains(&ready) && metrics.contains(sample), "{metrics}");
        assert_eq!(get(service.address(), "/metrics").0, 404, "clients are not told");
    }
}

/// A start that fails is no first start: nothing is made that a later one, perhaps with other options, would find.
#[test]
fn a_taken_port_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (kind, args) in [
        ("log", &[][..]),
        ("witness", &[]),
        ("registry", &[]),
        ("trust", &[]),
        ("tsa", &["--dev"]),
        ("ca", &["--dev"]),
        ("oidc-dev", &[]),
    ] {
        for (listen, admin) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", address.as_str())] {
            let own = ["serve", kind, "--data", "data", "--listen", listen, "--admin", admin];
            let refused = run(&sandbox, &[&own[..], args].concat());
            assert!(refused.says("SGN-4007") && refused.says(&address), "{kind}: {refused}");
            assert!(!sandbox.path("data").exists(), "{kind}");
        }
    }
}

/// Nobody else would learn of it: a service that is alone has nobody to tell but its log.
#[test]
fn a_service_says_on_standard_error_what_goes_wrong() {
    let sandbox = Sandbox::new();
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    log.add("one");
    let key = log.key().to_owned();
    drop(log);
    let witness = service::serve(&sandbox, &["witness", "--data", "witness", "--log", &key]);
    let printed: serde_json::Value = serde_json::from_str(witness.printed()).unwrap();
    let cosigns = printed["keys"][0].as_str().unwrap();
    sandbox.write("policy", format!("witness w {cosigns} http://{}\nquorum w\n", witness.address()));
    drop(witness);
    let args =
        ["serve", "log", "--data", "log", "--opaque", "--witness-policy", "policy", "--log-format", "json"];
    let said = std::fs::File::create(sandbox.path("said")).unwrap();
    let mut log = sandbox.command(signet());
    let mut log = log.args(args).args(["--listen", "127.0.0.1:0"]).stderr(said).spawn().unwrap();
    let line = loop {
        let said = String::from_utf8(sandbox.read("said")).unwrap();
        // A last line without its end is still being written.
        let mut lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        if let Some(line) = lines.find(|line| line.contains("nothing new is signed yet")) {
            break line.to_owned();
        }
        assert_eq!(log.try_wait().unwrap(), None, "it runs");
        thread::sleep(std::time::Duration::from_millis(20));
    };
    log.kill().unwrap();
    log.wait().unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "in the form asked for: {line}");
}

#[test]
fn time_servers_that_could_never_agree_are_refused() {
    let sandbox = Sandbox::new();
    let refused = |args: &[&str]| {
        run(&sandbox, &[&["serve", "tsa", "--data", "tsa", "--listen", "127.0.0.1:0"], args].concat())
            .exits(2)
    };
    let few = refused(&["--ntp", "a", "--ntp", "b"]);
    assert!(few.says("2 time servers cannot outvote one that is wrong") && few.says("--ntp-agree"), "{few}");
    let twice = refused(&["--ntp", "a", "--ntp", "b", "--ntp", "a:123"]);
    assert!(twice.says("the time server `a:123` is named twice"), "{twice}");
    for accuracy in ["0", "99999999999"] {
        assert!(refused(&["--accuracy-ms", accuracy]).says("cannot state an accuracy"), "{accuracy}");
    }
}

#[test]
fn a_development_issuer_by_itself_serves_an_authority_elsewhere() {
    let sandbox = Sandbox::new();
    let issuer = service::serve(&sandbox, &["oidc-dev", "--data", "oidc"]);
    let url = format!("http://{}/email", issuer.address());
    let issuers =
        format!("oidc-issuers:\n  {url}:\n    issuer-url: {url}\n    client-id: sigstore\n    type: email\n");
    sandbox.write("issuers.yaml", issuers);
    let authority = service::serve(&sandbox, &["ca", "--data", "ca", "--issuers", "issuers.yaml"]);
    let token = run(&sandbox, &["dev-token", "--data", "oidc", "--email", "a@example.com"]).exits(0);
    assert!(issue(authority.address(), token.stdout.trim(), "a@example.com").is_some());
}

#[test]
fn a_lost_certificate_or_log_stops_an_authority_and_its_key_is_kept() {
    let sandbox = Sandbox::new();
    for (kind, lost) in [("tsa", "tsa.pem"), ("ca", "root.pem"), ("ca", "ct")] {
        drop(service::serve(&sandbox, &[kind, "--data", kind, "--dev"]));
        let root = sandbox.read(&format!("{kind}/root.key"));
        let (place, aside) = (sandbox.path(&format!("{kind}/{lost}")), sandbox.path("aside"));
        std::fs::rename(&place, &aside).unwrap();
        let refused = run(&sandbox, &["serve", kind, "--data", kind, "--dev", "--listen", "127.0.0.1:0"]);
        assert!(refused.says("SGN-4004") && refused.says(lost) && refused.says("restore it"), "{refused}");
        assert_eq!(sandbox.read(&format!("{kind}/root.key")), root);
        assert!(!place.exists());
        std::fs::rename(&aside, &place).unwrap();
        drop(service::serve(&sandbox, &[kind, "--data", kind, "--dev"]));
    }
}

/// The key is elsewhere: the numbers are all that the directory has.
#[test]
fn lost_numbers_stop_an_authority_also_with_a_key_from_elsewhere() {
    let sandbox = Sandbox::new();
    drop(service::serve(&sandbox, &["tsa", "--data", "own"]));
    let given = ["--data", "tsa", "--key", "own/tsa.key", "--certificate-chain", "own/tsa.pem"];
    drop(service::serve(&sandbox, &[&["tsa"], &given[..]].concat()));
    std::fs::remove_file(sandbox.path("tsa/serials.json")).unwrap();
    let again = [&["serve", "tsa", "--listen", "127.0.0.1:0"], &given[..]].concat();
    let refused = run(&sandbox, &again).exits(1);
    assert!(refused.says("SGN-4004") && refused.says("hint: restore the file from a backup"), "{refused}");
}

const ISSUERS: &str = "oidc-issuers:\n  https://login.example:\n    client-id: sigstore\n    type: email\n";

#[test]
fn tokens_are_minted_in_every_shape_for_the_issuer_that_runs() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["dev-token", "--data", "ca", "--email", "a@b.c"]).refuses_saying(&["--dev"]);
    let service = service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
    let cases: [(&[&str], &str, &str); 4] = [
        (&["--email", "a@b.c"], "email", "a@b.c"),
        (&["--github", "o/r", "--workflow", "w.yml"], "github", "repo:o/r:ref:refs/heads/main"),
        (&["--gitlab", "g/p", "--ref", "refs/tags/v1"], "gitlab", "project_path:g/p:ref_type:tag:ref:v1"),
        (&["--kubernetes", "ns/sa"], "kubernetes", "system:serviceaccount:ns:sa"),
    ];
    for (bearer, kind, subject) in cases {
        let minted = run(&sandbox, &[&["dev-token", "--data", "ca"], bearer].concat()).exits(0);
        let token = Jwt::parse(minted.stdout.trim()).unwrap();
        assert_eq!(token.claims().text("sub"), Some(subject));
        let issuer = format!("http://{}/oidc-dev/{kind}", service.address());
        assert_eq!(token.claims().text("iss"), Some(issuer.as_str()));
    }
    run(&sandbox, &["dev-token", "--data", "ca"]).exits(2);
    run(&sandbox, &["dev-token", "--data", "ca", "--email", "a", "--gitlab", "b"]).exits(2);
    run(&sandbox, &["dev-token", "--data", "ca", "--kubernetes", "ns"]).exits(2);
    let branch = run(&sandbox, &["dev-token", "--data", "ca", "--gitlab", "g/p", "--ref", "main"]).exits(2);
    assert!(branch.says("`main` is not a full reference, `refs/heads/main`"), "{branch}");
}

/// Another authority, or fulcio, has its certificates promised there.
#[test]
fn an_authority_says_where_its_log_of_certificates_is() {
    let sandbox = Sandbox::new();
    let service = service::serve(&sandbox, &["ca", "--data", "ca", "--dev"]);
    let said: serde_json::Value = serde_json::from_str(service.printed()).unwrap();
    let log = |field: &str| said.pointer(&format!("/certificateLog/{field}")).unwrap().as_str().unwrap();
    let path = log("url").strip_prefix(service.said("url")).unwrap();
    let roots = request(service.address(), "GET", &format!("{path}/ct/v1/get-roots"), &[], &[]).unwrap();
    assert_eq!(roots.status, 200);
    let own = run(&sandbox, &["keys", "export-public", "--key", "ca/ct/keys/p256.key"]).exits(0).stdout;
    assert_eq!(log("key"), own);
}

/// clap does not ask for what an option belongs to where something that is given excludes it.
#[test]
fn an_option_that_means_nothing_beside_another_is_refused_and_not_passed_over() {
    let sandbox = Sandbox::new();
    for (command, odd, meaning) in [
        ("dev-token --data d --email a@b.c", "--ref", "refs/tags/v1"),
        ("dev-token --data d --email a@b.c", "--workflow", "w.yml"),
        ("dev-token --data d --kubernetes ns/sa", "--ref", "refs/tags/v1"),
        ("dev-token --data d --kubernetes ns/sa", "--workflow", "w.yml"),
        ("dev-token --data d --gitlab g/p", "--workflow", "w.yml"),
        ("serve tsa --data d --dev", "--ntp-agree", "2"),
        ("serve ca --data d --dev", "--tls-key", "key.pem"),
        ("serve ca --data d --dev --ct-root root.pem", "--ct-log-key", "log.pub"),
        ("log fsck --data d", "--key", "log+1+AAAA"),
    ] {
        let args: Vec<&str> = command.split(' ').chain([odd, meaning]).collect();
        let refused = run(&sandbox, &args).exits(2);
        assert!(refused.says(odd) && refused.says("cannot be used with"), "{refused}");
    }
}
