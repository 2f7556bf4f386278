//! `signet up`: one process, one port, one directory.

use std::fs;
use std::path::Path;

use serde_json::Value;
use signet_formats::signing_config::SigningConfig;
use signet_formats::trusted_root::TrustedRoot;
use signet_testkit::{Sandbox, request};

use crate::run;
use crate::service;

fn get(address: &str, path: &str) -> (u16, String) {
    let answer = request(address, "GET", path, &[], &[]).expect("it answers");
    (answer.status, String::from_utf8(answer.body).expect("text"))
}

fn root(sandbox: &Sandbox) -> TrustedRoot {
    TrustedRoot::parse(&sandbox.read("up/client/trusted_root.json")).expect("a trusted root")
}

#[test]
fn every_service_answers_at_one_address_from_one_directory() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let address = service.address();
    for path in [
        "/v2/",
        "/api/v2/checkpoint",
        "/api/v1/timestamp/certchain",
        "/api/v2/trustBundle",
        "/ready",
        "/ping",
    ] {
        assert_eq!(get(address, path).0, 200, "{path}");
    }
    for (path, status) in [("/api/v2/log/entries", 501), ("/v2x", 404), ("/", 404), ("/metrics", 404)] {
        assert_eq!(get(address, path).0, status, "{path}");
    }
    let trusted = root(&sandbox);
    let ct = trusted.ctlogs.first().expect("a log of certificates").base_url.clone();
    let ct = ct.strip_prefix("https://").expect("https");
    let (_, checkpoint) = get(address, &format!("/ct/{ct}/checkpoint"));
    assert!(checkpoint.starts_with(&format!("{ct}\n0\n")), "{checkpoint}");
    let origin = service.said("logOrigin");
    assert_eq!(trusted.tlogs.first().expect("a log").base_url, format!("https://{origin}"));
    assert!(get(address, "/api/v2/checkpoint").1.starts_with(&format!("{origin}\n1\n")));
    for authority in trusted.certificate_authorities.iter().chain(&trusted.timestamp_authorities) {
        assert!(authority.common_name.starts_with("Signet development"), "{authority:?}");
    }
    let config =
        SigningConfig::parse(&sandbox.read("up/client/signing_config.json")).expect("a signing config");
    assert_eq!(config.logs.first().expect("a log").url, format!("http://{address}"));
    assert_eq!(
        config.timestamp_authorities.first().expect("one").url,
        format!("http://{address}/api/v1/timestamp")
    );
    assert!(config.identity_providers.is_empty(), "nobody can log in at a development issuer");
    let kinds = ["registry", "tsa", "ca", "log", "ct"].map(|dir| sandbox.path(&format!("up/{dir}")).is_dir());
    assert_eq!(kinds, [true; 5]);
}

/// What clients trust must not change because the stack was started again, on another port.
#[test]
fn after_a_restart_it_is_the_same_stack() {
    let sandbox = Sandbox::new();
    let keys = |root: TrustedRoot| {
        let chains: Vec<_> = root
            .certificate_authorities
            .iter()
            .chain(&root.timestamp_authorities)
            .map(|it| it.chain.clone())
            .collect();
        (root.tlogs, root.ctlogs, chains)
    };
    drop(service::up(&sandbox, &["--dev"]));
    let first = keys(root(&sandbox));
    drop(service::up(&sandbox, &["--dev"]));
    assert_eq!(keys(root(&sandbox)), first);
}

#[test]
fn a_token_for_the_stack_is_minted_from_its_directory() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let minted = run(&sandbox, &["dev-token", "--data", "up", "--email", "a@b.c"]).exits(0);
    let token = signet_formats::jwt::Jwt::parse(minted.stdout.trim()).expect("a token");
    let issuer = format!("http://{}/oidc-dev/email", service.address());
    assert_eq!(token.claims().text("iss"), Some(issuer.as_str()));
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    let mut secrets = 0;
    let mut folders = vec![sandbox.path("up")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "key") {
                let mode = fs::metadata(&path).expect("a file").permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", path.display());
                secrets += 1;
            }
        }
    }
    // Root and intermediate, root and leaf, log, log of certificates, development issuer, trust's root and online key.
    assert_eq!(secrets, 9);
    assert_eq!(fs::metadata(sandbox.path("up")).expect("a folder").permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_should_not_be_open_to_the_network_is_not() {
    let sandbox = Sandbox::new();
    let up = |args: &[&str]| run(&sandbox, &[&["up", "--data", "up"], args].concat()).exits(2);
    let dev = up(&["--dev", "--listen", "0.0.0.0:0"]);
    assert!(dev.says("SGN-4005") && dev.says("development settings are for this machine only"), "{dev}");
    let plain = up(&["--listen", "0.0.0.0:0"]);
    assert!(plain.says("SGN-4005") && plain.says("identity tokens would be readable"), "{plain}");
    let nameless = up(&["--listen", "0.0.0.0:0", "--public-url", "http://signet.example"]);
    assert!(nameless.says("SGN-4005"), "{nameless}");
    // Behind a proxy that speaks TLS the tokens are safe, but everyone could push.
    let open = up(&["--listen", "0.0.0.0:0", "--public-url", "https://signet.example"]);
    assert!(open.says("SGN-4005") && open.says("there are no users"), "{open}");
    assert!(open.says("`registry.htpasswd`"), "what to do is said in words of `up`: {open}");
    // A proxy that listens elsewhere opens it as well.
    let proxied = up(&["--dev", "--listen", "127.0.0.1:0", "--public-url", "https://signet.example"]);
    assert!(
        proxied.says("SGN-4005") && proxied.says("`https://signet.example` is not on loopback"),
        "{proxied}"
    );
    assert!(proxied.says("leave `--dev` out"), "{proxied}");
    // Its issuer would be at https, which tokens could take for another's.
    let secret = "{apiVersion: signet.dev/v1alpha1, kind: Stack, tls: {certificate: tls.pem, key: tls.key}}";
    sandbox.write("tls.yaml", secret);
    let tls = up(&["--dev", "--listen", "127.0.0.1:0", "--config", "tls.yaml"]);
    assert!(tls.says("SGN-4008") && tls.says("development settings and TLS do not go together"), "{tls}");
    assert!(tls.says("hint: leave `--dev` out, or the certificate"), "{tls}");
    assert!(!sandbox.path("up").exists(), "nothing is begun that would refuse the right command");
    let registry = up(&["--listen", "127.0.0.1:0", "--public-url", "https://signet.example"]);
    assert!(registry.says("SGN-4005") && registry.says("`registry.anonymous: true`"), "{registry}");
    for url in ["ftp://x", "https://", "https://x/path", "https://user@x"] {
        assert!(up(&["--public-url", url]).says("is no URL for clients"), "{url}");
    }
}

/// The keys that laptops trusted are not to become those of production, nor the other way round.
#[test]
fn a_stack_for_development_stays_one() {
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &["--dev"]));
    let refused = run(&sandbox, &["up", "--data", "up", "--listen", "127.0.0.1:0"]);
    assert!(refused.says("SGN-4003") && refused.says("was begun for development"), "{refused}");
    assert!(refused.says("hint: give `--dev`, or"), "{refused}");
    let sandbox = Sandbox::new();
    drop(service::up(&sandbox, &[]));
    let refused = run(&sandbox, &["up", "--data", "up", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(refused.says("was not begun for development"), "{refused}");
    assert!(refused.says("hint: leave `--dev` out, or"), "{refused}");
}

#[test]
fn without_issuers_it_starts_and_says_that_nobody_gets_a_certificate() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "up.yaml",
        "{apiVersion: signet.dev/v1alpha1, kind: Stack, data: up, registry: {enabled: false}}",
    );
    let service = service::up(&sandbox, &["--config", "up.yaml"]);
    assert_eq!(get(service.address(), "/v2/").0, 404, "the registry is switched off");
    let document: Value = serde_json::from_str(service.printed()).expect("one document");
    assert_eq!(document.get("issuers"), Some(&Value::Array(Vec::new())));
    assert_eq!(document.get("registry"), None);
    let checkpoint = get(service.address(), "/api/v2/checkpoint").1;
    let origin = checkpoint.lines().next().expect("its first line names the log");
    let key = document.pointer("/logKeys/0").and_then(Value::as_str).expect("a key");
    assert!(key.starts_with(&format!("{origin}+")), "{key}");
}

#[test]
fn a_configuration_that_is_not_understood_is_refused() {
    let sandbox = Sandbox::new();
    let head = "apiVersion: signet.dev/v1alpha1\nkind: Stack\n";
    let cases = [
        ("lisen: 127.0.0.1:0", "lisen"),
        ("tls: {certificate: x.pem}", "`tls.certificate` and `tls.key` go together"),
        ("registry: {access: x.json}", "`registry.access` needs `registry.htpasswd`"),
        ("limits: {idle: 3d}", "is no time"),
        ("ca: {issuers: nowhere.yaml}", "nowhere.yaml"),
        ("tsa: {ntp: [a, b], ntpAgree: 3}", "3 time servers cannot agree"),
        ("tsa: {ntpAgree: 5}", "5 time servers cannot agree, there are 0"),
        ("limits: {connections: 0}", "`limits.connections` is 0"),
        ("ca: {perIdentity: 0}", "`ca.perIdentity` is 0"),
        ("log: {witnessTimeout: 10001ms}", "`log.witnessTimeout` is 10001ms, and at most 10s"),
        ("kind: Other", "kind"),
    ];
    for (text, said) in cases {
        sandbox.write("up.yaml", format!("{head}{text}\n"));
        let refused = run(&sandbox, &["up", "--data", "up", "--config", "up.yaml"]).exits(2);
        assert!(refused.says(said), "{text}: {refused}");
    }
    assert!(run(&sandbox, &["up"]).exits(2).says("--data"));
    assert!(!sandbox.path("up").exists());
}

#[test]
fn what_is_printed_as_configuration_is_one() {
    let sandbox = Sandbox::new();
    let printed =
        run(&sandbox, &["up", "--print-config", "--listen", "127.0.0.1:0", "--data", "up"]).exits(0).stdout;
    assert!(
        printed.contains("# The data directory;") && printed.contains("\nlisten: 127.0.0.1:0\n"),
        "{printed}"
    );
    sandbox.write("up.yaml", &printed);
    let again = run(&sandbox, &["up", "--print-config", "--config", "up.yaml"]).exits(0).stdout;
    assert_eq!(again, printed);
    let schema: Value = serde_json::from_slice(&fs::read(schema_file()).expect("a file")).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    assert!(validator.is_valid(&serde_json::json!({"listen": "127.0.0.1:0", "log": {"interval": "1s"}})));
    assert!(!validator.is_valid(&serde_json::json!({"lisen": "127.0.0.1:0"})));
    assert!(!validator.is_valid(&serde_json::json!({"log": {"interval": "soon"}})));
}

#[test]
fn an_address_of_the_configuration_may_be_a_name() {
    let sandbox = Sandbox::new();
    let print = |listen: &str| {
        sandbox.write("up.yaml", format!("{{apiVersion: signet.dev/v1alpha1, kind: Stack, listen: '{listen}', admin: {{listen: 'localhost:2'}}}}"));
        run(&sandbox, &["up", "--print-config", "--config", "up.yaml"])
    };
    let effective = print("localhost:8080").exits(0).stdout;
    assert!(effective.contains("\nlisten: 127.0.0.1:8080\n"), "{effective}");
    assert!(effective.contains("\n  listen: 127.0.0.1:2\n"), "{effective}");
    let refused = print(":8080").exits(2);
    assert!(refused.says("SGN-4008") && refused.says("`:8080`: expected an address and a port"), "{refused}");
}

fn schema_file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas/stack.v1alpha1.json")
}

#[test]
fn operators_ask_at_an_address_of_their_own() {
    let sandbox = Sandbox::new();
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, admin: {listen: '127.0.0.1:0'}}";
    sandbox.write("up.yaml", config);
    let service = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    let admin = service.said("admin");
    assert_eq!(
        get(admin, "/ready"),
        (200, r#"{"ca":true,"ct":true,"log":true,"registry":true,"trust":true,"tsa":true}"#.to_owned())
    );
    assert_eq!(get(admin, "/healthz").0, 200);
    service.repository("app").push_image("1", "content");
    let (_, metrics) = get(admin, "/metrics");
    let origin = service.said("logOrigin");
    for sample in
        ["signet_ready{service=\"log\"} 1\n", &format!("signet_log_entries{{log=\"{origin}\"}} 1\n")]
    {
        assert!(metrics.contains(sample), "{sample}{metrics}");
    }
    let pushed = "signet_http_requests_total{service=\"registry\",status=\"2xx\"} ";
    let count = metrics.split_once(pushed).and_then(|(_, rest)| rest.lines().next()?.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count > 0), "{metrics}");
}

#[test]
fn the_reference_lists_every_metric_and_no_other() {
    let sandbox = Sandbox::new();
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, admin: {listen: '127.0.0.1:0'}, \
                  witness: {enabled: true}}";
    sandbox.write("up.yaml", config);
    // Not for development, so that the clock's metrics are there.
    let service = service::up(&sandbox, &["--config", "up.yaml"]);
    let (_, metrics) = get(service.said("admin"), "/metrics");
    let served = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut served: Vec<(String, String)> =
        served.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    // There only while the kernel knows it.
    let bound = ("signet_tsa_clock_bound_seconds".to_owned(), "gauge".to_owned());
    if !served.contains(&bound) {
        served.push(bound);
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/stack.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, table) = page.split_once("\n## Metrics\n").expect("the page lists them");
    let (table, _) = table.split_once("\n## ").expect("the page goes on");
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
    });
    let mut listed: Vec<_> = rows.collect();
    served.sort();
    listed.sort();
    assert_eq!(listed, served);
}

#[test]
fn a_request_keeps_its_id() {
    let sandbox = Sandbox::new();
    let service = service::up(&sandbox, &["--dev"]);
    let id = |path: &str, sent: &str| {
        let answer =
            request(service.address(), "GET", path, &[("x-request-id", sent)], &[]).expect("it answers");
        answer.header("x-request-id").expect("an id").to_owned()
    };
    for path in ["/ready", "/v2/"] {
        assert_eq!(id(path, "ticket-42"), "ticket-42");
        let long = "x".repeat(129);
        for bad in [long.as_str(), "a b", "\"", ""] {
            assert_eq!(id(path, bad).len(), 36, "{bad} is not taken over");
        }
    }
}

/// The configuration beside the unit of systemd is one that `signet up` understands.
#[test]
fn the_configuration_of_the_unit_is_understood() {
    let sandbox = Sandbox::new();
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let config = deployed.join("up.yaml").display().to_string();
    let effective = run(&sandbox, &["up", "--config", &config, "--print-config"]).exits(0).stdout;
    for kept in ["listen: 0.0.0.0:443\n", "publicUrl: https://signet.example\n", "gcInterval: 24h\n"] {
        assert!(effective.contains(kept), "{kept}{effective}");
    }
    let issuers = deployed.join("issuers.yaml");
    let text = std::fs::read_to_string(&issuers).expect("it is there");
    assert!(
        text.contains("    allowed-identities: ["),
        "a public issuer without it lets everybody in: {text}"
    );
    let issuers = issuers.display().to_string();
    sandbox.write(
        "up.yaml",
        format!("apiVersion: signet.dev/v1alpha1\nkind: Stack\nca: {{issuers: '{issuers}'}}\n"),
    );
    let service = service::up(&sandbox, &["--config", "up.yaml"]);
    assert!(
        service.printed().contains("https://token.actions.githubusercontent.com"),
        "{}",
        service.printed()
    );
}
