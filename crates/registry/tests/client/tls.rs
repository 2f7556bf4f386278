//! HTTPS: whom we believe, what we show, and which registries are asked over it.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use signet_formats::oci::Reference;
use signet_registry::{Client, Error, Options, TlsOptions};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::child;
use crate::double::{Double, Reply, manifest};

/// A certificate authority, with its certificate in a file.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    directory: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate, directory }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A server that proves this name; it demands a certificate of `clients`, if there is one.
    pub(crate) fn server(&self, name: &str, clients: Option<&Authority>) -> ServerConfig {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }

    /// The files of a client's certificate and key.
    fn identity(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue("a client");
        let files = ["client.pem", "client.key"].map(|name| self.directory.path().join(name));
        std::fs::write(&files[0], certificate.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        let [certificate, key] = files;
        (certificate, key)
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

async fn server(config: ServerConfig) -> Double {
    Double::start_tls(config, |_| Reply::new(200, manifest())).await
}

fn client(server: &Double, authorities: &[&Authority], identity: Option<(PathBuf, PathBuf)>) -> Client {
    let authorities = authorities.iter().map(|authority| authority.file()).collect();
    Client::new(Options {
        https: [server.repository().registry].into(),
        tls: TlsOptions { authorities, identity },
        ..Options::default()
    })
}

async fn ask(client: &Client, server: &Double) -> Result<(), Error> {
    client.resolve(&server.reference()).await.map(|_| ())
}

#[tokio::test]
async fn an_authority_that_was_named_is_believed_and_no_other() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let server = server(known.server("127.0.0.1", None)).await;
    assert_eq!(ask(&client(&server, &[&known, &unknown], None), &server).await, Ok(()));
    let outcome = ask(&client(&server, &[&unknown], None), &server).await;
    assert!(matches!(&outcome, Err(Error::Tls { host, .. }) if *host == server.host), "{outcome:?}");
    assert_eq!((server.seen().len(), server.connections()), (1, 2), "distrust is not tried again");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let authority = Authority::new();
    let server = server(authority.server("registry.example", None)).await;
    let outcome = ask(&client(&server, &[&authority], None), &server).await;
    assert!(matches!(outcome, Err(Error::Tls { .. })), "{outcome:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_demanded() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = server(authority.server("127.0.0.1", Some(&clients))).await;
    let shown = client(&server, &[&authority], Some(clients.identity()));
    assert_eq!(ask(&shown, &server).await, Ok(()));
    for identity in [None, Some(authority.identity())] {
        let outcome = ask(&client(&server, &[&authority], identity), &server).await;
        assert!(matches!(outcome, Err(Error::Tls { .. })), "{outcome:?}");
    }
    assert_eq!(server.seen().len(), 1);
}

/// It had gone to whatever was asked over HTTPS.
#[tokio::test]
async fn a_client_certificate_is_shown_to_the_registry_and_not_where_it_leads() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let demanding = || authority.server("127.0.0.1", Some(&clients));
    let elsewhere = server(demanding()).await;
    let stored = format!("https://{}/stored", elsewhere.host);
    let realm = format!("Bearer realm=\"https://{}/token\",service=\"s\"", elsewhere.host);
    let registry = Double::start_tls(demanding(), move |request| match request.target.ends_with("/v1") {
        true => Reply::new(307, "").with("Location", &stored),
        false => Reply::new(401, "").with("WWW-Authenticate", &realm),
    })
    .await;
    let client = client(&registry, &[&authority], Some(clients.identity()));
    let image = |tag: &str| format!("{}/app:{tag}", registry.host).parse::<Reference>().unwrap();
    for (asked, tag) in [(1, "v1"), (2, "v2")] {
        let outcome = client.resolve(&image(tag)).await;
        assert!(matches!(&outcome, Err(Error::Tls { host, .. }) if *host == elsewhere.host), "{outcome:?}");
        assert_eq!((registry.seen().len(), elsewhere.seen().len()), (asked, 0), "{tag}");
    }
}

#[tokio::test]
async fn https_on_this_machine_is_for_the_registry_that_asks_for_it() {
    let authority = Authority::new();
    let secure = server(authority.server("127.0.0.1", None)).await;
    let plain = Double::start(|_| Reply::new(200, manifest())).await;
    let client = client(&secure, &[&authority], None);
    assert_eq!(ask(&client, &secure).await, Ok(()));
    assert_eq!(ask(&client, &plain).await, Ok(()));
}

#[tokio::test]
async fn a_registry_on_this_machine_that_speaks_tls_is_told_so() {
    let secure = server(Authority::new().server("127.0.0.1", None)).await;
    let outcome = ask(&Client::new(Options::default()), &secure).await;
    let told = matches!(&outcome, Err(Error::Tls { reason, .. }) if reason.contains("plain HTTP"));
    assert!(told, "{outcome:?}");
}

#[tokio::test]
async fn https_does_not_fall_back_to_plain_http() {
    // As servers do that are spoken to in TLS and know none.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place: Reference = format!("{}/app:v1", listener.local_addr().unwrap()).parse().unwrap();
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let https = [place.repository.registry.clone()].into();
    let client = Client::new(Options { https, ..Options::default() });
    let outcome = client.resolve(&place).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::PlainHttpRefused { .. })), "{outcome:?}");
    assert_eq!(heard.await.unwrap()[0], 0x16, "a handshake, and no request");
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_told() {
    let authority = Authority::new();
    let server = server(authority.server("127.0.0.1", None)).await;
    let key = authority.identity().1;
    let tls = TlsOptions { authorities: vec![key], identity: None };
    let options = Options { https: [server.repository().registry].into(), tls, ..Options::default() };
    let outcome = ask(&Client::new(options), &server).await;
    assert!(matches!(outcome, Err(Error::Configuration { .. })), "{outcome:?}");
}

#[tokio::test]
async fn the_systems_authorities_are_those_of_ssl_cert_file() {
    const NAME: &str = "tls::the_systems_authorities_are_those_of_ssl_cert_file";
    if let Some(place) = child::argument() {
        let registry = place.parse::<Reference>().unwrap().repository.registry;
        let client = Client::new(Options { https: [registry].into(), ..Options::default() });
        let outcome = client.resolve(&place.parse().unwrap()).await;
        return child::tell(&format!("{:?}", outcome.map(|found| found.etag)));
    }
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(authority.server("127.0.0.1", None)).await;
    let told = async |file: PathBuf| {
        child::run(NAME, &server.reference().to_string(), &[("SSL_CERT_FILE", file.to_str().unwrap())]).await
    };
    assert_eq!(told(authority.file()).await, "Ok(None)");
    let outcome = told(other.file()).await;
    assert!(outcome.starts_with("Err(Tls"), "{outcome}");
    let outcome = told(other.file().with_file_name("absent.pem")).await;
    assert!(outcome.starts_with("Err(Configuration"), "{outcome}");
}
