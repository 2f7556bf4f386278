//! `signet serve registry --require-signed` as crane and skopeo meet it.

use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox, peers};

use crate::keys::{MAIN, private, public};
use crate::signet;

/// `ci:correct horse` and `alice:battery staple`, as `htpasswd -B` hashes them.
const USERS: &str = "\
ci:$2b$05$hWTLxSy.tcT2Yh77PGzEteSV9GFJIqkSpGbnsP5abPJmhT4H.nEO2
alice:$2b$05$7q4VlzA7t4bheeXPDcNthe6KGjM.yN.uZ2t2dwdrIasVbk8By76N.
";
const ACCESS: &str = r#"{"rules": [
  {"users": ["ci"], "repositories": ["team"], "rights": ["pull", "push"]},
  {"users": ["alice"], "repositories": ["team"], "rights": ["pull"]}
]}"#;
/// What every client shows of the refusal.
const REFUSED: &str = "the policy does not permit this pull";

#[test]
fn crane_and_skopeo_pull_what_is_signed_and_nothing_else() {
    let Some([crane, skopeo]) = peers(["crane", "skopeo"]) else { return };
    let sandbox = Sandbox::new();
    let server = gated(&sandbox);
    let image = server.repository("team/app").tagged("1");
    let open = RegistryServer::signet(signet());
    open.repository("app").push_index("1", "content");
    let unsigned = open.repository("app").tagged("1");
    sandbox.log_in(server.address(), "ci", "correct horse");
    // The pusher uses the field's own client, too.
    crane_copies(&sandbox, &crane, &unsigned, &image).succeeds();
    sandbox.log_in(server.address(), "alice", "battery staple");
    crane_pulls(&sandbox, &crane, &image).refuses_saying(&[REFUSED]);
    skopeo_pulls(&sandbox, &skopeo, &image).refuses_saying(&[REFUSED]);
    crane_copies(&sandbox, &crane, &unsigned, &image).refuses_saying(&["DENIED"]);
    sandbox.log_in(server.address(), "ci", "correct horse");
    sandbox.run(signet(), &["sign", "--key", &private(MAIN), &image]).succeeds();
    sandbox.log_in(server.address(), "alice", "battery staple");
    crane_pulls(&sandbox, &crane, &image).succeeds();
    skopeo_pulls(&sandbox, &skopeo, &image).succeeds();
    sandbox.run(signet(), &["verify", "--key", &public(MAIN), &image]).succeeds();
}

/// A registry that serves Alice only what [`MAIN`] signed.
fn gated(sandbox: &Sandbox) -> RegistryServer {
    let id = sandbox.run(signet(), &["keys", "inspect", "--output", "json", &public(MAIN)]).succeeds();
    let id: serde_json::Value = serde_json::from_str(&id.stdout).expect("one document");
    let id = id.pointer("/id").and_then(serde_json::Value::as_str).expect("a public key has an id");
    let policy = format!(
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: release\nspec:\n  principals:\n    \
         me:\n      key: {id}\n  rules:\n    - name: signed\n      principals: [me]\n"
    );
    let path = |name: &str, content: &str| sandbox.write(name, content).display().to_string();
    let (users, access, policy) = (path("users", USERS), path("access", ACCESS), path("policy", &policy));
    let options =
        ["--htpasswd", &users, "--access", &access, "--require-signed", &policy, "--key", &public(MAIN)];
    RegistryServer::signet_with(signet(), &options)
}

fn crane_copies(sandbox: &Sandbox, crane: &Peer, from: &str, to: &str) -> Outcome {
    sandbox.run(crane, &["copy", from, to])
}

fn crane_pulls(sandbox: &Sandbox, crane: &Peer, image: &str) -> Outcome {
    sandbox.run(crane, &["pull", "--format", "oci", image, "pulled-by-crane"])
}

fn skopeo_pulls(sandbox: &Sandbox, skopeo: &Peer, image: &str) -> Outcome {
    let from = format!("docker://{image}");
    let command = ["--insecure-policy", "copy", "--all", "--src-tls-verify=false"];
    let login = ["--src-creds", "alice:battery staple"];
    sandbox.run(skopeo, &[&command[..], &login, &[&from, "oci:pulled-by-skopeo:1"]].concat())
}
