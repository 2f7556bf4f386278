//! `signet backup`, `signet restore` and `signet fsck` of a whole stack.

use std::fs;
use std::thread;

use serde_json::{Value, json};
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::trusted_root::TrustedRoot;
use signet_keys::{Payload, PrivateKey};
use signet_testkit::{Outcome, Sandbox, Service, request};

use crate::certificates::issue;
use crate::service;
use crate::{run, signet};

/// Signs something and logs it, as clients of Rekor v2 do; its index.
fn log(address: &str, message: &str) -> u64 {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
    let signature =
        key.sign(Scheme::EcdsaP256Sha256, Payload::Message(message.as_bytes())).expect("a signature");
    let body = json!({ "hashedRekordRequestV002": {
        "digest": base64::encode(Digest::sha256(message.as_bytes()).as_bytes()),
        "signature": {
            "content": base64::encode(signature),
            "verifier": {
                "publicKey": { "rawBytes": base64::encode(key.public_key().spki_der()) },
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }});
    let headers = [("content-type", "application/json")];
    let answer = request(address, "POST", "/api/v2/log/entries", &headers, body.to_string().as_bytes());
    let answer = answer.expect("the log answers");
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let entry: Value = serde_json::from_slice(&answer.body).expect("JSON");
    entry.get("logIndex").and_then(Value::as_str).and_then(|index| index.parse().ok()).expect("an index")
}

/// A certificate for somebody, so that the log of certificates has an entry too.
fn certify(sandbox: &Sandbox, address: &str) {
    let token = run(sandbox, &["dev-token", "--data", "up", "--email", "a@b.c"]).exits(0);
    issue(address, token.stdout.trim(), "a@b.c").expect("the authority answers");
}

fn checkpoint(address: &str, path: &str) -> String {
    let answer = request(address, "GET", path, &[], &[]).expect("the log answers");
    String::from_utf8(answer.body).expect("text")
}

fn said(outcome: &Outcome, field: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(&outcome.stdout).expect("one document");
    let list = document.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The logs that a restore froze, and why.
fn frozen(outcome: &Outcome) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&outcome.stdout).expect("one document");
    let text = |log: &Value, field: &str| log.get(field).and_then(Value::as_str).expect("text").to_owned();
    let list = document.get("doubts").and_then(Value::as_array).expect("a list");
    list.iter().map(|log| (text(log, "log"), text(log, "why"))).collect()
}

/// Has it stop as an operator does: everything that it has published is kept.
#[cfg(unix)]
pub(crate) fn stop(sandbox: &Sandbox, mut service: Service) {
    let id = service.process().id().to_string();
    assert!(sandbox.command("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    assert_eq!(service.process().wait().expect("it ends").code(), Some(0));
}

fn trusted(sandbox: &Sandbox) -> TrustedRoot {
    TrustedRoot::parse(&sandbox.read("up/client/trusted_root.json")).expect("a trusted root")
}

#[test]
fn a_backup_of_a_running_stack_is_sound_and_its_logs_are_not_gone_on_with() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    let image = service.repository("app").push_image("1", "content");
    certify(&sandbox, address);
    log(address, "before");
    thread::scope(|scope| {
        // Written to all the while.
        let writing =
            scope.spawn(|| (0..40).for_each(|number| assert!(log(address, &number.to_string()) > 1)));
        run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
        writing.join().expect("every entry was taken");
    });
    let old = trusted(&sandbox);
    let origins = |root: &TrustedRoot| root.tlogs.iter().map(|log| log.base_url.clone()).collect::<Vec<_>>();
    drop(service);
    fs::rename(sandbox.path("up"), sandbox.path("lost")).expect("the directory can be moved");

    let restored =
        run(&sandbox, &["restore", "--from", "backup.tar", "--data", "up", "--output", "json"]).exits(0);
    assert_eq!((frozen(&restored).len(), said(&restored, "resumed").len()), (2, 0), "{restored}");
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    assert!(service.repository("app").manifest(&image.to_string()).is_some());
    let new = trusted(&sandbox);
    assert_eq!(
        new.certificate_authorities.iter().map(|it| &it.chain).collect::<Vec<_>>(),
        old.certificate_authorities.iter().map(|it| &it.chain).collect::<Vec<_>>()
    );
    let (before, after) = (origins(&old), origins(&new));
    assert_eq!(
        (before.len(), after.len(), &after[..1]),
        (1, 2, &before[..]),
        "signatures of the old log stay good"
    );
    assert!(new.tlogs[0].validity.end.is_some() && new.tlogs[1].validity.end.is_none());
    assert_eq!((new.ctlogs.len(), &new.ctlogs[0].public_key), (2, &old.ctlogs[0].public_key));
    assert_eq!(log(address, "after"), 1, "in a log of its own, after its first entry");
    drop(service);
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
}

/// A log signs a head whenever it is asked: none says that no other followed.
#[test]
fn no_head_of_a_log_makes_it_go_on_and_a_newer_one_is_told() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    log(address, "one");
    certify(&sandbox, address);
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    let ct = trusted(&sandbox).ctlogs[0].base_url.replace("https://", "");
    sandbox.write("log.head", checkpoint(address, "/api/v2/checkpoint"));
    sandbox.write("ct.head", checkpoint(address, &format!("/ct/{ct}/checkpoint")));
    log(address, "two");
    sandbox.write("newer.head", checkpoint(address, "/api/v2/checkpoint"));
    drop(service);
    let restore = |to: &str, heads: &[&str]| {
        let heads: Vec<&str> = heads.iter().flat_map(|head| ["--head", head]).collect();
        let args = ["restore", "--from", "backup.tar", "--output", "json", "--data", to];
        let outcome = run(&sandbox, &[&args[..], &heads].concat()).exits(0);
        assert_eq!(said(&outcome, "resumed"), [""; 0]);
        frozen(&outcome).into_iter().map(|(_, why)| why).collect::<Vec<_>>()
    };
    let unknown = "nobody says that nothing newer was published";
    assert_eq!(restore("same", &["log.head", "ct.head"]), [unknown; 2]);
    let newer = "a checkpoint of 3 entries was published, and there are 2";
    assert_eq!(restore("both", &["log.head", "newer.head", "ct.head"]), [newer, unknown]);
}

#[cfg(unix)]
#[test]
fn a_stack_that_has_moved_goes_on_elsewhere_and_not_where_it_was() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    log(address, "one");
    sandbox.write("old.head", checkpoint(address, "/api/v2/checkpoint"));
    log(address, "two");
    let head = checkpoint(address, "/api/v2/checkpoint");
    let forked = head.replace("\n3\n", "\n4\n");
    sandbox.write("forged.head", forked);
    let moving = ["backup", "--data", "up", "--out", "moved.tar", "--move"];
    assert!(run(&sandbox, &moving).exits(3).says("SGN-4001"), "it is running");
    stop(&sandbox, service);
    run(&sandbox, &moving).exits(0);
    let again = run(&sandbox, &["up", "--data", "up", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(again.code == Some(3) && again.says("has moved"), "{again}");
    fs::rename(sandbox.path("up"), sandbox.path("left")).expect("the directory can be moved");
    let args = ["restore", "--from", "moved.tar", "--data", "up", "--output", "json"];
    let heads = ["--head", "old.head", "--head", "forged.head"];
    let restored = run(&sandbox, &[&args[..], &heads].concat()).exits(0);
    assert_eq!((frozen(&restored).len(), said(&restored, "resumed").len()), (0, 2), "{restored}");
    let service = service::up(&sandbox, &["--dev"]);
    assert_eq!(checkpoint(service.address(), "/api/v2/checkpoint"), head);
    assert_eq!(log(service.address(), "three"), 3, "where it ended");
    sandbox.write("newer.head", checkpoint(service.address(), "/api/v2/checkpoint"));
    let args = ["restore", "--from", "moved.tar", "--data", "twice", "--head", "newer.head"];
    let twice = run(&sandbox, &[&args[..], &["--output", "json"]].concat()).exits(0);
    assert!(frozen(&twice)[0].1.contains("a checkpoint of 4 entries was published"), "{twice}");
}

/// The witness lives on when the stack is lost.
#[test]
fn a_log_goes_on_if_its_witness_has_seen_nothing_newer() {
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    let origin = trusted(&sandbox).tlogs[0].base_url.replace("https://", "");
    let identity = sandbox.read(&format!("up/log/{origin}/log.json"));
    let identity: Value = serde_json::from_slice(&identity).expect("JSON");
    let key = identity["keys"][0].as_str().expect("a key");
    let witness = service::serve(&sandbox, &["witness", "--data", "witness", "--log", key]);
    let printed: Value = serde_json::from_str(witness.printed()).expect("one document");
    let cosigns = printed["keys"][0].as_str().expect("a key");
    sandbox.write("policy", format!("witness w {cosigns} http://{}\nquorum w\n", witness.address()));
    sandbox.write("up.yaml", "apiVersion: signet.dev/v1alpha1\nkind: Stack\nlog: {witnessPolicy: policy}\n");
    let service = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    log(service.address(), "one");
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    let restore = |to: &str, policy: &[&str]| {
        let args = ["restore", "--from", "backup.tar", "--output", "json", "--data", to];
        run(&sandbox, &[&args[..], policy].concat()).exits(0)
    };
    let given = ["--witness-policy", "policy"];
    let restored = restore("given", &given);
    assert_eq!(said(&restored, "resumed"), [origin.as_str()], "{restored}");
    assert_eq!(frozen(&restored).len(), 1, "nobody witnesses the log of certificates: {restored}");
    // The policy in the backup is not asked: another may have followed it.
    assert_eq!(frozen(&restore("kept", &[])).len(), 2);
    let size = log(service.address(), "two") + 1;
    let newer = format!("a checkpoint of {size} entries was published, and there are {}", size - 1);
    assert_eq!(frozen(&restore("newer", &given))[0].1, newer);
}

#[test]
fn nothing_is_overwritten_and_nothing_foreign_is_taken() {
    let sandbox = Sandbox::new();
    assert!(run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(2).says("stack.json"));
    drop(service::registry(&sandbox, "registry"));
    let other = run(&sandbox, &["backup", "--data", "registry", "--out", "backup.tar"]).exits(3);
    assert!(other.says("SGN-4003") && other.says("hint: name the directory that `signet up"), "{other}");
    drop(service::up(&sandbox, &["--dev"]));
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    assert!(run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(2).says("it exists"));
    let inside = run(&sandbox, &["backup", "--data", "up", "--out", "up/log/b.tar"]).exits(2);
    assert!(inside.says("is in the stack's own directory"), "{inside}");
    assert!(
        run(&sandbox, &["restore", "--from", "backup.tar", "--data", "up"]).exits(2).says("is not empty")
    );
    let mut evil = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    // `append_data` refuses such a path itself.
    let name = b"ca/../../evil";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(1);
    header.set_cksum();
    evil.append(&header, &b"x"[..]).expect("memory");
    sandbox.write("evil.tar", evil.into_inner().expect("memory"));
    let refused = run(&sandbox, &["restore", "--from", "evil.tar", "--data", "new"]);
    assert!(refused.says("does not belong there") && !sandbox.path("evil").exists(), "{refused}");
    assert!(
        !sandbox.path("new").exists() && !sandbox.path("new.restoring").exists(),
        "no key is left behind"
    );
    sandbox.write("short.tar", &sandbox.read("backup.tar")[..4096]);
    let refused = run(&sandbox, &["restore", "--from", "short.tar", "--data", "newer"]);
    assert!(refused.code != Some(0) && !sandbox.path("newer").exists(), "{refused}");
}

/// As shells complete names, as disks are mounted, as volumes are linked.
#[cfg(unix)]
#[test]
fn a_directory_that_is_empty_is_restored_into_however_it_is_named() {
    use std::os::unix::fs::MetadataExt;
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    fs::create_dir(sandbox.path("empty")).expect("a folder");
    fs::create_dir(sandbox.path("disk")).expect("a folder");
    std::os::unix::fs::symlink(sandbox.path("disk"), sandbox.path("link")).expect("a link");
    let number = |path: &str| fs::metadata(sandbox.path(path)).expect("it is there").ino();
    for (data, path) in [("./new/", "new"), ("./empty/", "empty"), ("link", "disk")] {
        let before = sandbox.path(path).exists().then(|| number(path));
        run(&sandbox, &["restore", "--from", "backup.tar", "--data", data]).exits(0);
        assert!(before.is_none_or(|before| before == number(path)), "{data}: a mount point stays one");
        assert!(!sandbox.path(path).join(".restoring").exists(), "{data}");
        run(&sandbox, &["fsck", "--data", data]).exits(0);
        drop(Service::start(signet(), &sandbox, &["up", "--dev", "--data", data]));
    }
}

/// A directory that was made, or was there, and nothing of what failed in it: there are private keys in every archive.
#[test]
fn an_archive_whose_end_is_missing_is_none_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    let whole = sandbox.read("backup.tar");
    let mut archive = tar::Archive::new(whole.as_slice());
    let entries = archive.entries().expect("an archive").map(|entry| entry.expect("an entry"));
    let begins: Vec<usize> =
        entries.map(|entry| usize::try_from(entry.raw_header_position()).expect("small")).collect();
    fs::create_dir(sandbox.path("empty")).expect("a folder");
    let refused = |bytes: &[u8], why: &str| {
        sandbox.write("cut.tar", bytes);
        for data in ["new", "empty"] {
            let outcome = run(&sandbox, &["restore", "--from", "cut.tar", "--data", data]).exits(2);
            assert!(outcome.says(why), "{why}: {outcome}");
        }
        assert!(!sandbox.path("new").exists(), "no key is left behind");
        assert_eq!(
            fs::read_dir(sandbox.path("empty")).expect("a folder").count(),
            0,
            "no key is left behind"
        );
    };
    // After the first of its files, before the last, and after it.
    for begin in [begins[2], begins[begins.len() - 2], begins[begins.len() - 1]] {
        refused(&whole[..begin], "its end is missing");
        let ended = [&whole[..begin], &[0; 1024]].concat();
        refused(&ended, "its end is missing: there is no `SHA256SUMS`");
    }
    let mut changed = whole.clone();
    changed[begins[1] + 512] ^= 1;
    refused(&changed, "its files are not those of its `SHA256SUMS`");
    run(&sandbox, &["restore", "--from", "backup.tar", "--data", "new"]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_backup_goes_through_a_pipe_and_its_keys_lie_nowhere_else() {
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    // A part of it on another disk.
    fs::rename(sandbox.path("up/registry"), sandbox.path("large")).expect("it can be moved");
    std::os::unix::fs::symlink(sandbox.path("large"), sandbox.path("up/registry")).expect("a link");
    let signet = signet().display();
    let pipe = format!("{signet} backup --data up --out - | {signet} restore --from - --data new");
    let piped = sandbox.command("sh").args(["-c", &pipe]).output().expect("a shell");
    let said = String::from_utf8_lossy(&piped.stderr).into_owned();
    assert!(piped.status.success() && said.contains("of `up` are on standard output"), "{said}");
    assert!(!sandbox.path("-").exists());
    run(&sandbox, &["fsck", "--data", "new"]).exits(0);
    assert!(sandbox.path("new/registry/signet.json").is_file());
    fs::rename(sandbox.path("large"), sandbox.path("gone")).expect("it can be moved");
    let refused = run(&sandbox, &["backup", "--data", "up", "--out", "half.tar"]);
    assert!(refused.says("SGN-4004") && !sandbox.path("half.tar").exists(), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_for_its_owner_only_and_so_are_the_keys_in_it() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    run(&sandbox, &["backup", "--data", "up", "--out", "backup.tar"]).exits(0);
    run(&sandbox, &["restore", "--from", "backup.tar", "--data", "new"]).exits(0);
    for (path, mode) in
        [("backup.tar", 0o600), ("new", 0o700), ("new/ca/root.key", 0o600), ("new/tsa/tsa.key", 0o600)]
            .into_iter()
            .chain(["new/ca", "new/tsa", "new/trust", "new/registry", "new/log"].map(|dir| (dir, 0o700)))
    {
        let found = fs::metadata(sandbox.path(path)).expect("it is there").permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

/// One flipped byte in each part is found.
#[cfg(unix)]
#[test]
fn damage_is_found_in_every_part_of_a_stack() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    service.repository("app").push_image("1", "content");
    certify(&sandbox, address);
    log(address, "one");
    let origin = service.said("logOrigin").to_owned();
    let ct = trusted(&sandbox).ctlogs[0].base_url.replace("https://", "");
    assert!(run(&sandbox, &["fsck", "--data", "up"]).exits(3).says("SGN-4001"), "it is running");
    // Stopped, not killed: a kept checkpoint tells damage at the very end from a write that was cut off.
    stop(&sandbox, service);
    let sound = run(&sandbox, &["fsck", "--data", "up"]).exits(0);
    assert!(
        sound.says(&format!("`{origin}` with 2 entries")) && sound.says(&format!("`{ct}` with 1 entries")),
        "{sound}"
    );
    let entries = |kind: &str, origin: &str| format!("up/{kind}/{origin}/entries/{:020}.2", 0);
    let issuers = fs::read_dir(sandbox.path(&format!("up/ct/{ct}/issuers"))).expect("a folder");
    let issuer = issuers.map(|entry| entry.expect("a file").file_name().into_string().expect("text")).next();
    let issuer = issuer.expect("the issuers are kept");
    for (file, part) in [
        (entries("log", &origin), "log/"),
        (entries("ct", &ct), "ct/"),
        (format!("up/ct/{ct}/issuers/{issuer}"), "the issuer"),
        ("up/ca/audit.jsonl".to_owned(), "ca/audit.jsonl: line 1"),
        ("up/ca/intermediate-0.pem".to_owned(), "ca: "),
        ("up/tsa/serials.json".to_owned(), "tsa: "),
        ("up/client/trusted_root.json".to_owned(), "client/trusted_root.json"),
    ] {
        let good = sandbox.read(&file);
        let mut bad = good.clone();
        // Past the header of a log's first batch.
        let at = bad.len() / 2;
        bad[at] ^= 0x80;
        sandbox.write(&file, &bad);
        let found = run(&sandbox, &["fsck", "--data", "up"]);
        assert!(found.code == Some(1) && found.says(part), "{file}: {found}");
        sandbox.write(&file, &good);
    }
    run(&sandbox, &["fsck", "--data", "up"]).exits(0);
}
