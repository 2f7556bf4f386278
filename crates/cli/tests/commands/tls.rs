//! Every service that is told a certificate speaks TLS, and nothing else.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use signet_clients::{Limits, TlsOptions, Web, file};
use signet_testkit::{Sandbox, request};

use crate::{distribution, service};

#[test]
fn every_service_speaks_tls_with_the_certificate_that_it_is_given() {
    let sandbox = Sandbox::new();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    sandbox.write("tls.crt", cert.pem());
    sandbox.write("tls.key", signing_key.serialize_pem());
    let tls = ["--tls-cert", "tls.crt", "--tls-key", "tls.key"];
    distribution::person(&sandbox, "1");
    drop(distribution::published(&sandbox, distribution::TRUSTED_ROOT));
    sandbox.write("issuers.yaml", "oidc-issuers: {'https://a.example': {client-id: sigstore, type: email}}");
    let services: [(&[&str], &str); 6] = [
        (&["registry", "--data", "registry"], "/v2/"),
        (&["log", "--data", "log"], "/healthz"),
        (&["tsa", "--data", "tsa", "--dev"], "/healthz"),
        (&["ca", "--data", "ca", "--issuers", "issuers.yaml"], "/healthz"),
        (&["trust", "--data", "repo"], "/healthz"),
        (&["witness", "--data", "witness"], "/healthz"),
    ];
    for (args, path) in services {
        let served = service::serve(&sandbox, &[args, &tls].concat());
        assert!(served.said("url").starts_with("https://"), "{args:?}: {}", served.printed());
        let url = format!("{}{path}", served.said("url"));
        assert!(fetched(&sandbox, Some("tls.crt"), &url).is_ok(), "{args:?}");
        assert!(fetched(&sandbox, None, &url).is_err(), "{args:?}: an authority that nobody trusts");
        let plain = request(served.address(), "GET", path, &[], b"");
        assert!(plain.is_err() || plain.is_ok_and(|answer| answer.status == 400), "{args:?}: plain HTTP");
    }
}

fn fetched(sandbox: &Sandbox, authority: Option<&str>, url: &str) -> Result<(), String> {
    let authorities = authority.map(|name| sandbox.path(name)).into_iter().collect();
    let web =
        Web::new(TlsOptions { authorities, identity: None }, Limits { attempts: 1, ..Limits::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(file::get(&web, url, 1024)).map_err(|error| error.to_string())?;
    answer.map(|_| ()).ok_or_else(|| "it is not there".to_owned())
}
