//! Every client of Sigstore at one stack of Signet's: each verifies what each has signed, and refuses it tampered with.

use std::fs;

use serde_json::Value;
use signet_testkit::{Outcome, Peer, peers};

use crate::keyless::{EMAIL, Setting, tampered};
use crate::signet;

#[test]
fn every_client_verifies_what_every_other_signed_and_nothing_tampered() {
    let Some([cosign, python, go, node]) =
        peers(["cosign", "sigstore-python", "sigstore-go-verification", "node-peer"])
    else {
        return;
    };
    let clients = Clients { setting: Setting::new(), cosign, python, go, node };
    clients.prepare();
    for signer in ["signet", "cosign", "python", "js"] {
        let bundle = format!("{signer}.json");
        clients.sign(signer, &bundle).succeeds();
        let bad = tampered(&clients.setting.sandbox, &bundle);
        for verifier in ["signet", "cosign", "python", "go", "js"] {
            let says = |file: &str, bundle: &str| clients.verify(verifier, file, bundle).code == Some(0);
            assert!(says("file", &bundle), "{verifier} refuses what {signer} signed");
            assert!(!says("changed", &bundle), "{verifier} accepts another file than {signer} signed");
            for bad in &bad {
                assert!(!says("file", bad), "{verifier} accepts {bad} of {signer}");
            }
        }
    }
}

struct Clients {
    setting: Setting,
    cosign: Peer,
    python: Peer,
    go: Peer,
    node: Peer,
}

impl Clients {
    fn prepare(&self) {
        let read = |path: &str| -> Value {
            serde_json::from_slice(&fs::read(path).expect("it was written")).expect("it is JSON")
        };
        let (stack, sandbox) = (&self.setting.stack, &self.setting.sandbox);
        // sigstore-python takes both files in one.
        let trust = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": read(stack.trusted_root()),
            "signingConfig": read(stack.signing_config()),
        });
        sandbox.write("trust.json", trust.to_string());
        sandbox.write("changed", "changed");
        sandbox.write("sigstore.js", include_str!("sigstore.js"));
    }

    fn sign(&self, signer: &str, bundle: &str) -> Outcome {
        let setting = &self.setting;
        let sign = ["sign-blob", "--identity-token", "token", "-y", "--bundle", bundle];
        let like_cosign = |program| setting.run(program, &[&sign, &setting.services(), &["file"]]);
        match signer {
            "cosign" => like_cosign(self.cosign.as_ref()),
            "python" => {
                let token = String::from_utf8(setting.sandbox.read("token")).expect("a token is text");
                let sign =
                    ["--trust-config", "trust.json", "sign", "--identity-token", &token, "--bundle", bundle];
                setting.run(self.python.as_ref(), &[&sign, &["file"]])
            }
            "js" => {
                let config = setting.stack.signing_config();
                setting.run(self.node.as_ref(), &[&["sigstore.js", "sign", config, "token", "file", bundle]])
            }
            _ => like_cosign(signet()),
        }
    }

    fn verify(&self, verifier: &str, file: &str, bundle: &str) -> Outcome {
        let setting = &self.setting;
        let (root, issuer) = (setting.stack.trusted_root(), setting.stack.issuer("email"));
        let like_cosign =
            |program| setting.verify(program, "verify-blob", EMAIL, &["--bundle", bundle, file]);
        match verifier {
            "cosign" => like_cosign(self.cosign.as_ref()),
            "python" => {
                let by =
                    ["--trust-config", "trust.json", "verify", "identity", "--offline", "--bundle", bundle];
                let who = ["--cert-identity", EMAIL, "--cert-oidc-issuer", &issuer];
                setting.run(self.python.as_ref(), &[&by, &who, &[file]])
            }
            "go" => {
                let by = ["-trustedrootJSONpath", root, "-artifact", file];
                let who = ["-expectedSAN", EMAIL, "-expectedIssuer", &issuer, bundle];
                setting.run(self.go.as_ref(), &[&by, &who])
            }
            "js" => setting
                .run(self.node.as_ref(), &[&["sigstore.js", "verify", root, EMAIL, &issuer, file, bundle]]),
            _ => like_cosign(signet()),
        }
    }
}
