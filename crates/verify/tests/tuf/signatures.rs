use signet_crypto::{KeyAlgorithm, Scheme};
use signet_testkit::forge::{Key, TrustRepository};
use signet_verify::Code;
use signet_verify::tuf::Why;

use crate::client::{Client, rewrite};

#[test]
fn every_scheme_that_the_specification_names_is_verified() {
    let rsa = KeyAlgorithm::Rsa { bits: 2048 };
    let keys = [
        Key::new(KeyAlgorithm::Ed25519),
        Key::new(KeyAlgorithm::EcdsaP256),
        Key::new(KeyAlgorithm::EcdsaP384),
        Key::new(rsa),
        Key::new(rsa).with_scheme(Scheme::RsaPssSha256),
    ];
    for key in keys {
        let mut repository = TrustRepository::new();
        // Not what is written, but what others have written.
        let pkcs1 = key.scheme == Scheme::RsaPkcs1Sha256;
        let id = repository.add_key("root", key);
        if pkcs1 {
            repository.root.keys.get_mut(&id).unwrap().scheme = "rsa-pkcs1v15-sha256".to_owned();
        }
        repository.root.roles.get_mut("root").unwrap().threshold = 2;
        repository.publish(&["root"]);
        let mut client = Client::of(&repository);
        client.update(&repository).unwrap();

        rewrite(&mut repository, "2.root.json", |file| {
            let own = file["signatures"].as_array_mut().unwrap().last_mut().unwrap();
            let sig = own["sig"].as_str().unwrap().replace(['0', '1'], "2");
            own["sig"] = sig.into();
        });
        let refusal = Client::of(&repository).update(&repository).unwrap_err();
        assert_eq!(refusal.why, Why::Signatures { found: 1, wanted: 2, role: "root".to_owned() });
    }
}

#[test]
fn a_root_is_signed_by_the_thresholds_of_the_old_and_the_new_keys() {
    let mut repository = TrustRepository::new();
    repository.rotate("root");
    let mut signers = repository.signers.remove("root").unwrap();
    let (new, old) = (signers.pop().unwrap(), signers.pop().unwrap());
    for (signer, signs) in [("old", old), ("new", new)] {
        repository.signers.insert("root".to_owned(), vec![signs]);
        repository.publish_as("root", 2);
        let mut client = Client::of(&repository);
        let refusal = client.update(&repository).unwrap_err();
        assert_eq!((refusal.code(), client.version("root")), (Code::TrustSignatures, Some(1)), "{signer}");
    }
}

#[test]
fn one_sound_signature_is_enough_beside_unsound_ones() {
    for unsound in ["", "zz", "3046022100fa1f"] {
        let mut repository = TrustRepository::new();
        let key = repository.add_key("timestamp", Key::p256());
        repository.publish(&["root", "timestamp"]);
        rewrite(&mut repository, "timestamp.json", |file| {
            let signatures = file["signatures"].as_array_mut().unwrap();
            let other = signatures.iter_mut().find(|signature| signature["keyid"] == key.as_str()).unwrap();
            other["sig"] = unsound.into();
        });
        Client::of(&repository).update(&repository).unwrap();
    }
}

#[test]
fn a_threshold_above_the_number_of_keys_is_never_met() {
    let mut repository = TrustRepository::new();
    repository.root.roles.get_mut("snapshot").unwrap().threshold = 2;
    repository.publish(&["root", "snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    assert_eq!(client.update(&repository).unwrap_err().code(), Code::TrustSignatures);
    assert_eq!((client.version("root"), client.version("snapshot")), (Some(2), None));
}

#[test]
fn a_key_that_is_not_understood_signs_nothing_and_harms_nothing() {
    let mut repository = TrustRepository::new();
    let id = repository.add_key("timestamp", Key::p256());
    repository.root.keys.get_mut(&id).unwrap().scheme = "quantum-42".to_owned();
    repository.publish(&["root", "timestamp"]);
    Client::of(&repository).update(&repository).unwrap();

    repository.root.roles.get_mut("timestamp").unwrap().threshold = 2;
    repository.publish(&["root", "timestamp"]);
    let refusal = Client::of(&repository).update(&repository).unwrap_err();
    assert_eq!(refusal.why, Why::Signatures { found: 1, wanted: 2, role: "root".to_owned() });
}
