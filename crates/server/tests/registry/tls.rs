use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use signet_server::host::HostError;
use signet_server::registry::{BuildError, Config, TlsFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::Registry;

#[tokio::test]
async fn https_is_served_and_nothing_but_https() {
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let registry = Registry::start_with(|config, dir| {
        let files = TlsFiles { certificates: dir.join("cert.pem"), key: dir.join("key.pem") };
        std::fs::write(&files.certificates, identity.cert.pem()).unwrap();
        std::fs::write(&files.key, identity.signing_key.serialize_pem()).unwrap();
        config.tls = Some(files);
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    let stream = TcpStream::connect(registry.address).await.unwrap();
    let mut stream = client.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A server that closes without `close_notify` is an error here.
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    assert!(registry.client.get(&registry.url).send().await.is_err(), "plain HTTP is not answered");
}

#[tokio::test]
async fn a_key_that_is_not_the_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificates: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.certificates, one.cert.pem()).unwrap();
    std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
    let mut config = Config::new(dir.path().join("data"), ([127, 0, 0, 1], 0).into());
    config.tls = Some(files);
    assert!(matches!(config.build().await, Err(BuildError::Host(HostError::Tls(_)))));
}
