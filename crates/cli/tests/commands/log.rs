//! `signet serve log` and `signet log`: the real process, killed and started again.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use signet_crypto::Digest;
use signet_formats::base64;
use signet_keys::{PasswordSource, PrivateKey, read_private};
use signet_testkit::{LogServer, RekorV1Server, Sandbox, log_request, peers, request};

use crate::{backup, run, service, signet, with_keys};

#[test]
fn what_a_killed_log_acknowledged_is_there_after_the_next_start() {
    let sandbox = Sandbox::new();
    let mut acknowledged: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..5 {
        let served = LogServer::start(signet(), &sandbox, &["--opaque", "--origin", "log.example.org"]);
        for (entry, index) in &acknowledged {
            let again = served.add(entry);
            assert_eq!((again.status, &again.body), (200, index), "{entry}");
        }
        for number in 0..20 {
            let entry = format!("round {round}, entry {number}");
            let answer = served.add(&entry);
            assert_eq!(answer.status, 200);
            acknowledged.push((entry, answer.body));
        }
    }
    let data = sandbox.path("log").display().to_string();
    let checked = run(&sandbox, &["log", "fsck", "--data", &data]).exits(0);
    assert!(
        checked.stdout.starts_with("`log.example.org`: 100 entries sound, root sha256:"),
        "{}",
        checked.stdout
    );
}

#[test]
fn a_log_of_any_bytes_is_not_served_as_one_of_signatures() {
    let sandbox = Sandbox::new();
    drop(LogServer::start(signet(), &sandbox, &["--opaque"]));
    let data = sandbox.path("log").display().to_string();
    let args = ["serve", "log", "--data", &data, "--listen", "127.0.0.1:0"];
    let refused = run(&sandbox, &args).exits(3).stderr;
    let why = "the log takes any bytes, not `hashedrekord` entries";
    assert!(refused.contains(why) && refused.contains("hint: give `--opaque`"), "{refused}");
    let args = ["serve", "log", "--data", &data, "--opaque", "--listen", "0.0.0.0:0"];
    let open = run(&sandbox, &args).exits(2);
    assert!(open.says("SGN-4005") && open.says("0.0.0.0:0 is not on loopback"), "{open}");
    assert!(open.says("or leave `--opaque` out") && !open.says("--htpasswd"), "{open}");
}

#[test]
fn a_log_is_proven_exported_and_frozen() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("log").display().to_string();
    let served = LogServer::start(signet(), &sandbox, &["--opaque", "--ml-dsa"]);
    for entry in ["one", "two", "three"] {
        assert_eq!(served.add(entry).status, 200);
    }
    let freeze = || {
        let frozen = run(&sandbox, &["log", "freeze", "--data", &data]).exits(0);
        assert!(frozen.stdout.ends_with("is frozen at 3 entries\n"), "{}", frozen.stdout);
    };
    freeze();
    assert_eq!(served.add("four").status, 405, "it froze while it ran");
    drop(served);
    // A log that was killed has kept the checkpoint of its last second only; another start keeps the newest.
    freeze();
    let proof = run(&sandbox, &["log", "proof", "--data", &data, "--index", "2"]).exits(0).stdout;
    assert!(
        proof.starts_with("c2sp.org/tlog-proof@v1\nindex 2\n") && proof.contains(".signet.internal\n3\n"),
        "{proof}"
    );
    let out = sandbox.path("static").display().to_string();
    let export = || run(&sandbox, &["log", "export", "--data", &data, "--out", &out]);
    export().exits(0);
    sandbox.write("static/checkpoint", "of another log");
    assert!(export().exits(3).says("is not of this log"));
    assert_eq!(sandbox.read("static/tile/entries/000.p/3"), b"\x00\x03one\x00\x03two\x00\x05three");
    let served = LogServer::start(signet(), &sandbox, &["--opaque"]);
    assert_eq!(served.add("four").status, 405);
}

#[test]
fn a_running_log_goes_on_in_a_new_shard() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("log").display().to_string();
    let log = LogServer::start(signet(), &sandbox, &["--opaque", "--origin", "log.example.org/1"]);
    assert_eq!(log.add("one").body, b"0");
    let rotate = |name: &str| run(&sandbox, &["log", "rotate", "--data", &data, "--origin", name]);
    assert!(rotate("log.example.org/1").exits(3).says("a shard has this name already"));
    assert!(rotate("log.example.org 2").exits(2).says("has a space"));
    let rotated = rotate("log.example.org/2").exits(0).stdout;
    assert!(
        rotated.contains("goes on in the shard `log.example.org/2`\nkey log.example.org/2+"),
        "{rotated}"
    );
    assert_eq!(log.add("two").body, b"0");
    let get = |path: &str| request(log.address(), "GET", path, &[], b"").unwrap();
    assert!(get("/checkpoint").body.starts_with(b"log.example.org/2\n1\n"));
    assert!(get("/shard/log.example.org%2F1/checkpoint").body.starts_with(b"log.example.org/1\n1\n"));
    assert_eq!(get("/shard/log.example.org%2F1/tile/entries/000.p/1").body, b"\x00\x03one");
    assert_eq!(get("/shard/log.example.org%2F3/checkpoint").status, 404);
    drop(log);
    let log_of = |what: &str, more: &[&str]| run(&sandbox, &[&["log", what, "--data", &data], more].concat());
    let sound = log_of("fsck", &[]).exits(0).stdout;
    assert!(
        sound.contains("`log.example.org/1`: 1 ") && sound.contains("`log.example.org/2`: 1 "),
        "{sound}"
    );
    let rotated = rotate("log.example.org/3").exits(0).stdout;
    assert!(rotated.contains("`log.example.org/3`"), "{rotated}");
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    assert_eq!(log.add("three").body, b"0");
    assert!(
        request(log.address(), "GET", "/checkpoint", &[], b"")
            .unwrap()
            .body
            .starts_with(b"log.example.org/3\n")
    );
    assert!(log_of("proof", &["--index", "0"]).exits(2).says("the log has 3 shards"));
    let proof = |shard: &str| log_of("proof", &["--index", "0", "--shard", shard]);
    assert!(proof("log.example.org/2").exits(0).stdout.contains("\nlog.example.org/2\n1\n"));
    assert!(proof("log.example.org/4").exits(2).says("there is no shard `log.example.org/4`"));
    // It keeps its checkpoint at most a second later.
    while sandbox.read("log/shards/0002/checkpoint").starts_with(b"log.example.org/3\n0\n") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let out = sandbox.path("static").display().to_string();
    log_of("export", &["--out", &out]).exits(0);
    assert_eq!(sandbox.read("static/shard/log%2Eexample%2Eorg%2F2/tile/entries/000.p/1"), b"\x00\x03two");
    log_of("export", &["--out", &out, "--shard", "log.example.org/1"]).exits(0);
    assert_eq!(sandbox.read("static/tile/entries/000.p/1"), b"\x00\x03one");
    sandbox.write("log/shards/0001/log.json", "{}");
    let damaged = log_of("fsck", &[]).exits(1).stdout;
    assert!(
        damaged.starts_with("`log.example.org/1`: 1 entries sound, ") && damaged.contains("log.json"),
        "{damaged}"
    );
}

#[test]
fn entries_are_found_in_the_directory_and_over_http() {
    let sandbox = with_keys();
    let log = LogServer::start(signet(), &sandbox, &["--search", "public"]);
    for file in ["one", "two"] {
        let logged = log_request(&my_key(&sandbox), file.as_bytes());
        let answer = request(log.address(), "POST", "/api/v2/log/entries", &[], logged.as_bytes()).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }
    let url = format!("http://{}", log.address());
    let digest = Digest::sha256(b"two").to_string();
    let find = |more: &[&str]| run(&sandbox, &[&["log", "search"], more].concat());
    let found = find(&["--url", &url, "--digest", &digest]).exits(0).stdout;
    let origin = log.key().split('+').next().unwrap().to_owned();
    let second = format!("entry 1 of `{origin}`\n  digest {digest}\n  key sha256:");
    assert!(found.starts_with(&second), "{found}");
    assert!(found.ends_with("1 found among 2 entries\n"), "{found}");
    let page = find(&["--url", &url, "--key", "my.pub", "--limit", "1"]).exits(0).stdout;
    let more = format!("more: `--shard {origin} --from 1`\n");
    assert!(page.starts_with("entry 0 of ") && page.contains(&more), "{page}");
    let rest = find(&["--url", &url, "--key", "my.pub", "--shard", &origin, "--from", "1"]).exits(0).stdout;
    assert!(rest.starts_with("entry 1 of ") && !rest.contains("more:"), "{rest}");
    find(&["--url", &url, "--key", "my.pub", "--shard", "other"]).exits(3);
    run(&sandbox, &["log", "rotate", "--data", "log", "--origin", "log.example.org/2"]).exits(0);
    let found = find(&["--url", &url, "--digest", &digest]).exits(0).stdout;
    assert!(found.starts_with(&second), "{found}");
    find(&["--url", &url, "--key", "other.pub"]).exits(1);
    find(&["--url", &url, "--identity", "who@example.org"]).exits(1);
    find(&["--url", "http://127.0.0.1:1", "--digest", &digest]).exits(3);
    find(&["--digest", &digest]).exits(2);
    find(&["--url", &url, "--since", "yesterday"]).exits(2);
    drop(log);
    let data = sandbox.path("log").display().to_string();
    // Killed at once, it has not kept its checkpoint: the next start does.
    run(&sandbox, &["log", "freeze", "--data", &data]).exits(0);
    let found = find(&["--data", &data, "--digest", &digest]).exits(0).stdout;
    assert!(found.starts_with(&second), "{found}");
    let log = LogServer::start(signet(), &sandbox, &["--search", "public"]);
    let url = format!("http://{}", log.address());
    let found = find(&["--url", &url, "--digest", &digest]).exits(0).stdout;
    assert!(found.starts_with(&second), "a frozen shard is searched after a start: {found}");
}

/// As on a read-only medium: what reads works, what would write says so, and leaves all as it was.
#[cfg(unix)]
#[test]
fn a_log_that_cannot_be_written_is_read_and_not_half_frozen() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Some([setpriv]) = peers(["setpriv"]) else { return };
    let sandbox = Sandbox::new();
    let log = service::serve(&sandbox, &["log", "--data", "log", "--opaque"]);
    let add = |entry: &str| request(log.address(), "POST", "/add", &[], entry.as_bytes()).unwrap();
    ["one", "two"].iter().for_each(|entry| assert_eq!(add(entry).status, 200));
    backup::stop(&sandbox, log);
    let file = |entry: std::fs::DirEntry| (entry.path(), std::fs::read(entry.path()).unwrap_or_default());
    let files = || -> BTreeMap<_, _> {
        std::fs::read_dir(sandbox.path("log")).unwrap().map(|entry| file(entry.unwrap())).collect()
    };
    let may_write = |mode| set_permissions(sandbox.path("log"), Permissions::from_mode(mode)).unwrap();
    set_permissions(sandbox.path("."), Permissions::from_mode(0o777)).unwrap();
    may_write(0o555);
    let before = files();
    // The superuser writes where nobody may.
    let other: &[&str] = match std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        true => &["--reuid", "65534", "--regid", "65534", "--clear-groups"],
        false => &[],
    };
    // Others may not be let to where it was built.
    let own = sandbox.path("signet");
    std::fs::hard_link(signet(), &own).or_else(|_| std::fs::copy(signet(), &own).map(drop)).unwrap();
    let own = own.display().to_string();
    let ask = |args: &[&str]| sandbox.run(setpriv.as_ref(), &[other, &[&own, "log"], args].concat());
    for args in [&["fsck"][..], &["proof", "--index", "1"], &["export", "--out", "exported"]] {
        ask(&[args, &["--data", "log"]].concat()).exits(0);
    }
    assert!(ask(&["search", "--data", "log"]).exits(1).stdout.contains("among 2 entries"));
    for args in [["freeze", "--data", "log"], ["rotate", "--data", "log"]] {
        let refused = ask(&args).exits(3);
        assert!(refused.says("SGN-4007") && refused.says("ermission denied"), "{refused}");
    }
    assert_eq!(files(), before);
    may_write(0o700);
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    assert_eq!(log.add("three").status, 200, "it is not frozen");
}

#[test]
fn a_monitor_tells_who_signs_and_keeps_a_fork() {
    let sandbox = with_keys();
    let serve = || LogServer::start(signet(), &sandbox, &[]);
    let add = |log: &LogServer, file: &str| {
        let logged = log_request(&my_key(&sandbox), file.as_bytes());
        let answer = request(log.address(), "POST", "/api/v2/log/entries", &[], logged.as_bytes()).unwrap();
        assert_eq!(answer.status, 201);
    };
    let monitor = |log: &LogServer, more: &[&str]| {
        let url = format!("http://{}/api/v2", log.address());
        let given = ["log", "monitor", "--once", "--state", "seen", "--url", &url, "--key", log.key()];
        run(&sandbox, &[&given[..], &["--heartbeat", "alive"], more].concat())
    };
    let log = serve();
    add(&log, "one");
    let first = monitor(&log, &["--from-start", "--signer", "my.pub"]).exits(1);
    assert!(first.stdout.contains("entry 0 is one of `my.pub`, by sha256:"), "{first}");
    assert_eq!(monitor(&log, &["--signer", "my.pub"]).exits(0).stdout, "", "it is told once");
    assert!(String::from_utf8(sandbox.read("alive")).unwrap().contains("\"size\": 1"));
    drop(log);
    copy(&sandbox.path("log"), &sandbox.path("yesterday"));
    let log = serve();
    add(&log, "two");
    monitor(&log, &["--signer", "other.pub"]).exits(0);
    // Nobody listens at the webhook: told again, and to nobody.
    let hook = ["--webhook", "http://127.0.0.1:1/", "--digest", &Digest::sha256(b"three").to_string()];
    add(&log, "three");
    for _ in 0..2 {
        let told = monitor(&log, &hook).exits(1);
        assert!(told.stderr.contains("the webhook was not told"), "{told}");
    }
    drop(log);
    std::fs::remove_dir_all(sandbox.path("log")).unwrap();
    std::fs::rename(sandbox.path("yesterday"), sandbox.path("log")).unwrap();
    let log = serve();
    ["other", "another", "more"].iter().for_each(|file| add(&log, file));
    let fork = monitor(&log, &[]).exits(1);
    assert!(fork.stdout.contains("are not of one history; both are in `seen/"), "{fork}");
    drop(log);
    monitor(&serve(), &[]).exits(1);
    let wrong = ["log", "monitor", "--once", "--state", "s", "--url", "http://127.0.0.1:1", "--key", "k"];
    run(&sandbox, &wrong).exits(2);
    let log = serve();
    // What would be needed first when there is something to tell.
    for wrong in [["--webhook", "alarm.example.org"], ["--webhook", "ftp://alarm.example.org"]] {
        assert!(monitor(&log, &wrong).exits(2).says("the webhook `"));
    }
    let given = ["log", "monitor", "--once", "--state", "s", "--key", log.key(), "--url"];
    let unwatched =
        run(&sandbox, &[&given[..], &["http://127.0.0.1:1", "--heartbeat", "share/alive"]].concat());
    assert!(unwatched.exits(2).says("the directory of the heartbeat") && !sandbox.path("share").exists());
    let wrong = [&given[..], &["log.example.org"]].concat();
    assert!(run(&sandbox, &wrong).exits(2).says("the log `log.example.org` is no URL"));
}

#[test]
fn a_monitor_follows_rekor_v1() {
    let (sandbox, server) = (with_keys(), RekorV1Server::start());
    let add = |key: &str| {
        let key = base64::encode(sandbox.read(key));
        let digest = json!({"algorithm": "sha256", "value": Digest::sha256(b"file").hex()});
        let signature = json!({"content": "c2ln", "publicKey": {"content": key}});
        let spec = json!({"data": {"hash": digest}, "signature": signature});
        let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec});
        server.log().push(body.to_string().as_bytes());
    };
    (0..3).for_each(|_| add("other.pub"));
    server.log().rotate();
    add("my.pub");
    let (url, key) = (format!("{}/api/v1", server.url()), server.log().verifier().to_string());
    let given = ["log", "monitor", "--once", "--state", "seen", "--url", &url, "--key", &key];
    let monitor = |more: &[&str]| run(&sandbox, &[&given[..], &["--signer", "my.pub"], more].concat());
    let first = monitor(&["--from-start"]).exits(1);
    assert!(first.stdout.starts_with("`rekor.example.com`: entry 3 is one of `my.pub`"), "{first}");
    monitor(&[]).exits(0);
    // The key as a file, whose name is not the host's.
    sandbox.write("log.pub", signet_formats::pem::encode("PUBLIC KEY", server.log().key().spki_der()));
    let host = server.log().host().to_owned();
    let config = |origin: &str| format!("logs:\n  - {{url: {url}, key: log.pub{origin}}}\n");
    let by_file = ["log", "monitor", "--once", "--state", "seen", "--config", "monitor.yaml"];
    sandbox.write("monitor.yaml", config(&format!(", origin: {host}")));
    add("my.pub");
    run(&sandbox, &by_file).exits(0);
    sandbox.write("monitor.yaml", config(""));
    let unnamed = run(&sandbox, &by_file).exits(3);
    assert!(unnamed.stdout.contains("no signature by this key"), "{unnamed}");
}

fn my_key(sandbox: &Sandbox) -> PrivateKey {
    read_private(&sandbox.path("my.key"), &PasswordSource::Environment).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[test]
fn a_log_with_less_than_somebody_saw_is_not_served() {
    let sandbox = Sandbox::new();
    let log = LogServer::start(signet(), &sandbox, &["--opaque"]);
    let kept = sandbox.read("log/checkpoint");
    for entry in ["one", "two"] {
        assert_eq!(log.add(entry).status, 200);
    }
    let head = request(log.address(), "GET", "/checkpoint", &[], b"").unwrap().body;
    sandbox.write("head", &head);
    drop(log);
    let segment = sandbox.path("log/entries/00000000000000000000.2");
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, bytes.get(..bytes.len() - 2).unwrap()).unwrap();
    // As if it had been killed at once.
    sandbox.write("log/checkpoint", &kept);
    let serve = ["serve", "log", "--data", "log", "--opaque", "--listen", "127.0.0.1:0", "--at-least"];
    let less = run(&sandbox, &[&serve[..], &["head"]].concat()).exits(1);
    assert!(less.says("the log has 1 entries, but a checkpoint of 2 was published"));
    assert!(less.says("hint: put back the newest copy"), "{less}");
    assert!(less.says("part of a write that was cut off"), "{less}");
    run(&sandbox, &[&serve[..], &["log/log.json"]].concat()).exits(2);
}

#[test]
fn damage_is_found_and_refused() {
    let sandbox = Sandbox::new();
    let served = LogServer::start(signet(), &sandbox, &["--opaque"]);
    for entry in ["one", "two"] {
        served.add(entry);
    }
    drop(served);
    let segment = sandbox.path("log/entries/00000000000000000000.2");
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the first batch of two: with the last one, it could as well be a write that was cut off.
    bytes[66] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let data = sandbox.path("log").display().to_string();
    let checked = run(&sandbox, &["log", "fsck", "--data", &data]).exits(1);
    assert!(checked.stdout.starts_with("entry 0 is damaged\n"), "{}", checked.stdout);
    let refused = run(&sandbox, &["serve", "log", "--data", &data, "--listen", "127.0.0.1:0"]);
    let refused = refused.exits(1);
    assert!(refused.says("SGN-4004") && refused.says("hint: `signet log fsck` finds the rest"), "{refused}");
}
