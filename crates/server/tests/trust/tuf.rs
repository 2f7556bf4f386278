use std::sync::Arc;

use signet_formats::tuf::Metadata;
use signet_keys::PrivateKey;
use signet_server::tuf::router;
use signet_services::clock::{Clock, SystemClock};
use signet_services::trust::{Periods, Publisher, RootPlan, TRUSTED_ROOT, countersign};

use crate::harness::Served;

#[tokio::test]
async fn a_repository_is_served_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::start());
    let publisher = Publisher::new(dir.path(), Periods::default(), clock.clone()).unwrap();
    let key = PrivateKey::generate(signet_crypto::KeyAlgorithm::EcdsaP256).unwrap();
    let plan = RootPlan {
        root_keys: vec![key.public_key().clone()],
        threshold: 1,
        online_key: publisher.new_online_key().unwrap(),
        expires: clock.seconds() + 1_000_000,
    };
    let mut root = publisher.stage(&plan, None, false).unwrap();
    countersign(&mut root, None, &key).await.unwrap();
    let targets = [(TRUSTED_ROOT.to_owned(), b"trusted".to_vec())];
    let served = Served::start(Served::listen().await, router(publisher.clone()));
    assert_eq!(served.get("/tuf/timestamp.json").send().await.unwrap().status(), 404);
    publisher.publish(Some(root.to_json().as_bytes()), &targets).await.unwrap();

    let timestamp = served.get("/tuf/timestamp.json").send().await.unwrap();
    assert_eq!(
        (timestamp.status().as_u16(), &timestamp.headers()["cache-control"]),
        (200, &"no-cache".parse().unwrap())
    );
    let one = served.get("/tuf/1.targets.json").send().await.unwrap();
    assert!(one.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let one: Metadata<signet_formats::tuf::Targets> = Metadata::parse(&one.bytes().await.unwrap()).unwrap();
    let hash = one.body.targets[TRUSTED_ROOT].hashes.known()[0].hex();
    let target = served.get(&format!("/tuf/targets/{hash}.{TRUSTED_ROOT}")).send().await.unwrap();
    assert_eq!(target.bytes().await.unwrap(), &b"trusted"[..]);

    for path in [
        "/tuf/2.root.json",
        "/tuf/targets",
        "/tuf/..%2Fsignet.json",
        "/tuf/targets/..%2F1.root.json",
        "/tuf/targets%2F1.root.json",
        "/tuf/%2e%2e/signet.json",
        "/tuf/",
    ] {
        let answer = served.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let posted = served.post("/tuf/timestamp.json", "application/json", "{}").send().await.unwrap();
    assert_eq!(posted.status(), 405);
    served.stop().await;
}
