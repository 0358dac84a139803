//! Good certificates, no certificate, protocol versions and resumption.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use estelam::adapters::clock::SystemClock;
use estelam::adapters::pki::DevPki;
use estelam::adapters::tls::config;
use estelam::core::domain::clock::Clock;
use rustls::{AlertDescription, ClientConfig, Error, HandshakeKind, NamedGroup, ProtocolVersion, version};

use crate::tls_support::{Lab, agency, client, patient, tls_error};

#[actix_web::test]
async fn a_chain_with_an_intermediate_identifies_the_leaf() {
    let lab = Lab::start();
    let mut connection = lab.connect_as("bank").await;
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    assert_eq!(connection.get("/").await.unwrap(), "200 bank");
    lab.stop().await;
}

#[actix_web::test]
async fn a_branch_is_read_from_the_certificate() {
    let lab = Lab::start();
    let credential = lab.pki.issue_agency(&agency("bank"), Some("Tehran-17")).unwrap();
    assert_eq!(lab.try_request(lab.client(&credential)).await.unwrap(), "200 bank/Tehran-17");
    lab.stop().await;
}

#[actix_web::test]
async fn no_client_certificate_fails_the_handshake() {
    let lab = Lab::start();
    let config = config::anonymous_client_config(&lab.pki.ca(), lab.clock.clone()).unwrap();
    let error = lab.try_request(Arc::new(config)).await.unwrap_err();
    assert_eq!(tls_error(&error), Error::AlertReceived(AlertDescription::CertificateRequired));
    lab.stop().await;
}

#[actix_web::test]
async fn hybrid_key_exchange_over_tls13_is_chosen() {
    let lab = Lab::start();
    let connection = lab.connect_as("bank").await;
    let tls = connection.0.get_ref().1;
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(tls.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    lab.stop().await;
}

fn tls12_client(lab: &Lab) -> Arc<ClientConfig> {
    let credential = lab.issue("bank");
    let builder = ClientConfig::builder_with_provider(config::provider()).with_protocol_versions(&[&version::TLS12]).unwrap();
    let chain = estelam::adapters::tls::material::certificates(&credential.cert).unwrap();
    let key = estelam::adapters::tls::material::private_key(&credential.key).unwrap();
    let roots = config::roots(&lab.pki.ca()).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_client_auth_cert(chain, key.clone_key()).unwrap())
}

#[actix_web::test]
async fn tls12_is_refused_unless_configured() {
    let lab = Lab::start();
    let error = lab.try_request(tls12_client(&lab)).await.unwrap_err();
    assert_eq!(tls_error(&error), Error::AlertReceived(AlertDescription::ProtocolVersion));
    lab.stop().await;
}

/// Two connections with one session store; both must be full handshakes.
async fn check_no_resumption(lab: &Lab, config: Arc<ClientConfig>) {
    for _ in 0..2 {
        let mut connection = lab.connect(config.clone()).await.unwrap();
        assert_eq!(connection.get("/").await.unwrap(), "200 bank");
        let kind = connection.0.get_ref().1.handshake_kind();
        assert!(matches!(kind, Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)), "{kind:?}");
    }
}

#[actix_web::test]
async fn no_tls13_session_is_resumed() {
    let lab = Lab::start();
    check_no_resumption(&lab, lab.client(&lab.issue("bank"))).await;
    lab.stop().await;
}

#[actix_web::test]
async fn no_tls12_session_is_resumed() {
    let lab = Lab::with(patient(), true);
    check_no_resumption(&lab, tls12_client(&lab)).await;
    lab.stop().await;
}

#[actix_web::test]
async fn a_second_start_keeps_the_pki() {
    let lab = Lab::start();
    let credential = lab.issue("bank");
    let before = std::fs::read(&credential.cert).unwrap();
    let again = DevPki::create_or_open(lab.dir.path(), lab.clock.clone()).unwrap();
    assert_eq!(again.issue_agency(&agency("bank"), None).unwrap(), credential);
    assert_eq!(std::fs::read(&credential.cert).unwrap(), before);
    assert_eq!(lab.try_request(client(&again.ca(), &credential, &lab.clock)).await.unwrap(), "200 bank");
    lab.stop().await;
}

#[actix_web::test]
async fn a_certificate_is_renewed_in_the_last_third_of_its_life_unless_revoked() {
    let lab = Lab::start();
    let (bank, clinic) = (lab.issue("bank"), lab.issue("clinic"));
    let [old_bank, old_clinic] = [&bank, &clinic].map(|credential| std::fs::read(&credential.cert).unwrap());
    lab.pki.revoke(&lab.pki.serial_of(&clinic).unwrap()).unwrap();
    lab.clock.set("2027-01-25T12:00:00Z".parse().unwrap());
    lab.issue("bank");
    lab.issue("clinic");
    assert_ne!(std::fs::read(&bank.cert).unwrap(), old_bank);
    assert_eq!(std::fs::read(&clinic.cert).unwrap(), old_clinic);
    lab.stop().await;
}

#[actix_web::test]
async fn keys_are_readable_by_their_owner_only() {
    let lab = Lab::start();
    let keys =
        [lab.issue("bank").key, lab.dir.path().join("authority/root.key.pem"), lab.dir.path().join("authority/intermediate.key.pem")];
    for key in keys {
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    lab.stop().await;
}

#[actix_web::test]
async fn curl_gets_an_answer_with_the_development_pki() {
    // curl reads the machine's own clock, so the PKI is made under it too.
    let lab = Lab::at(SystemClock.now(), patient(), false);
    let credential = lab.issue("bank");
    let output = tokio::process::Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--noproxy", "*"])
        .arg("--cacert")
        .arg(lab.pki.ca())
        .arg("--cert")
        .arg(&credential.cert)
        .arg("--key")
        .arg(&credential.key)
        .arg(format!("https://localhost:{}/", lab.address.port()))
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "bank", "{}", String::from_utf8_lossy(&output.stderr));
    lab.stop().await;
}
