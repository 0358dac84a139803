//! Revocation: of new handshakes, of live connections, of the judgement on each request; and reload as a whole.

use std::fs;

use estelam::adapters::pki::{Credential, DevPki};
use estelam::adapters::tls::material;
use estelam::adapters::tls::offer::Offered;
use estelam::adapters::tls::server_trust::{ServerTrust, ServerTrustSettings};
use estelam::adapters::tls::trust::CertificateTrust;
use estelam::core::domain::assurance::Assurance;
use estelam::core::domain::clock::Clock;
use estelam::core::identity::{PeerChain, Trust};
use jiff::SignedDuration;
use rustls::{AlertDescription, Error};

use crate::tls_support::{Everyone, Lab, agency, settings, tls_error};

pub fn peer(lab: &Lab, credential: &Credential) -> PeerChain {
    lab.trust.identify(&material::certificates(&credential.cert).unwrap()[0]).unwrap()
}

pub fn accepted(lab: &Lab, peer: &PeerChain) -> Result<Assurance, &'static str> {
    lab.trust.certificate_accepted(peer, lab.clock.now())
}

pub fn revoke(lab: &Lab, credential: &Credential) {
    lab.pki.revoke(&lab.pki.serial_of(credential).unwrap()).unwrap();
}

pub fn advance(lab: &Lab, days: i64) {
    lab.clock.set(lab.clock.now().checked_add(SignedDuration::from_hours(24 * days)).unwrap());
}

async fn alert(lab: &Lab, credential: &Credential) -> Error {
    tls_error(&lab.try_request(lab.client(credential)).await.unwrap_err())
}

#[actix_web::test]
async fn a_revoked_certificate_cuts_the_live_connection_and_no_other() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let identity = peer(&lab, &bank);
    let mut held = lab.connect_as("bank").await;
    let mut other = lab.connect_as("school").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    assert_eq!(other.get("/").await.unwrap(), "200 school");
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Current));

    revoke(&lab, &bank);
    lab.trust.reload().unwrap();

    assert_eq!(held.closed().await, "");
    assert_eq!(accepted(&lab, &identity), Err("the certificate is revoked"));
    assert_eq!(alert(&lab, &bank).await, Error::AlertReceived(AlertDescription::CertificateRevoked));
    assert_eq!(other.get("/").await.unwrap(), "200 school");
    lab.stop().await;
}

#[actix_web::test]
async fn a_request_under_way_is_cut_too() {
    let lab = Lab::start();
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    held.send("GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(lab.table.cut_where(|peer| peer.agency == agency("school")), 0);
    assert_eq!(lab.table.cut_where(|peer| peer.agency == agency("bank")), 1);
    assert_eq!(held.closed().await, "");
    lab.stop().await;
}

#[actix_web::test]
async fn a_revoked_intermediate_takes_everything_with_it() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let identity = peer(&lab, &bank);
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    lab.pki.revoke_intermediate().unwrap();
    lab.trust.reload().unwrap();
    assert_eq!(held.closed().await, "");
    assert_eq!(accepted(&lab, &identity), Err("the certificate's issuer is revoked"));
    assert_eq!(alert(&lab, &bank).await, Error::AlertReceived(AlertDescription::CertificateRevoked));
    lab.stop().await;
}

#[actix_web::test]
async fn a_list_past_its_date_lowers_the_assurance_and_cuts_nobody() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let identity = peer(&lab, &bank);
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    let second = |seconds| lab.clock.set(lab.clock.now().checked_add(SignedDuration::from_secs(seconds)).unwrap());
    advance(&lab, 7);
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Grace));
    second(-1);
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Current));
    advance(&lab, 1);
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Grace));
    second(1);
    assert_eq!(accepted(&lab, &identity), Ok(Assurance::Overdue));
    // What to do with it depends on what is asked for, which no handshake knows.
    assert_eq!(held.get("/").await.unwrap(), "200 bank");
    assert_eq!(lab.try_request(lab.client(&bank)).await.unwrap(), "200 bank");

    // Revoked is revoked, however old the list.
    revoke(&lab, &bank);
    lab.trust.reload().unwrap();
    assert_eq!(held.closed().await, "");
    assert_eq!(alert(&lab, &bank).await, Error::AlertReceived(AlertDescription::CertificateRevoked));
    assert_eq!(lab.trust.assurance(), Assurance::Overdue, "the root's list is as old as before");
    assert!(lab.pki.refresh_crls().unwrap());
    lab.trust.reload().unwrap();
    assert_eq!(lab.trust.assurance(), Assurance::Current);
    lab.stop().await;
}

#[actix_web::test]
async fn an_expired_certificate_is_refused_on_a_live_connection() {
    let lab = Lab::start();
    let identity = peer(&lab, &lab.issue("bank"));
    advance(&lab, 91);
    assert_eq!(accepted(&lab, &identity), Err("the certificate has expired"));
    lab.clock.set(identity.not_before.checked_sub(SignedDuration::from_secs(1)).unwrap());
    assert_eq!(accepted(&lab, &identity), Err("the certificate is not valid yet"));
    lab.stop().await;
}

#[actix_web::test]
async fn an_issuer_without_a_list_is_refused() {
    let lab = Lab::start();
    let mut identity = peer(&lab, &lab.issue("bank"));
    identity.issuer = b"another issuer".as_slice().into();
    assert_eq!(accepted(&lab, &identity), Err("there is no revocation list of the certificate's issuer"));
    lab.stop().await;
}

#[actix_web::test]
async fn of_two_lists_of_one_authority_the_higher_number_wins() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let file = lab.pki.crl_dir().join("intermediate.crl.pem");
    for name in ["aa.crl", "zz.crl"] {
        fs::copy(&file, file.with_file_name(name)).unwrap();
    }
    lab.trust.reload().unwrap();
    revoke(&lab, &bank);
    lab.trust.reload().unwrap();
    assert_eq!(accepted(&lab, &peer(&lab, &bank)), Err("the certificate is revoked"));
    lab.stop().await;
}

#[actix_web::test]
async fn an_offered_list_is_taken_if_newer_and_kept_for_the_next_start() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let file = lab.pki.crl_dir().join("intermediate.crl.pem");
    let before = fs::read(&file).unwrap();
    revoke(&lab, &bank);
    let newer = fs::read(&file).unwrap();
    fs::write(&file, &before).unwrap();
    let mut held = lab.connect_as("bank").await;
    assert_eq!(held.get("/").await.unwrap(), "200 bank");

    assert_eq!(lab.trust.offer("one", &before), Ok(Offered::NotNewer));
    for rubbish in [b"".as_slice(), b"<html>", &newer[..newer.len() / 2], &[0x30, 0x82]] {
        assert!(lab.trust.offer("one", rubbish).is_err());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other = DevPki::create_or_open(elsewhere.path(), lab.clock.clone()).unwrap();
    assert!(lab.trust.offer("one", &fs::read(other.crl_dir().join("intermediate.crl.pem")).unwrap()).is_err());
    assert_eq!(held.get("/").await.unwrap(), "200 bank");

    assert_eq!(lab.trust.offer("two", &newer), Ok(Offered::Taken));
    assert_eq!(held.closed().await, "");
    assert_eq!(lab.trust.offer("two", &newer), Ok(Offered::NotNewer));
    assert_eq!(lab.trust.offer("one", &before), Ok(Offered::NotNewer));
    let again = restart(&lab).unwrap();
    assert_eq!(again.certificate_accepted(&peer(&lab, &bank), lab.clock.now()), Err("the certificate is revoked"));
    lab.stop().await;
}

/// What judges a server, by the lists of the lab's authorities.
fn server_trust(lab: &Lab) -> Result<std::sync::Arc<ServerTrust>, String> {
    let own = settings(&lab.pki, false);
    let settings = ServerTrustSettings {
        roots: own.roots,
        intermediates: own.intermediates,
        crl_dir: own.crl_dir,
        crl_memory: own.crl_memory.with_file_name("server-lists.json"),
        crl_grace: own.crl_grace,
        identity: None,
    };
    ServerTrust::open(settings, lab.clock.clone()).map_err(|error| error.to_string())
}

#[actix_web::test]
async fn an_offered_list_that_is_refused_is_not_there_at_the_next_start() {
    let lab = Lab::start();
    let file = lab.pki.crl_dir().join("intermediate.crl.pem");
    let first = fs::read(&file).unwrap();
    advance(&lab, 4);
    assert!(lab.pki.refresh_crls().unwrap());
    let in_force = fs::read(&file).unwrap();
    let trust = server_trust(&lab).unwrap();
    let numbers = trust.lists_in_force();
    fs::write(&file, &first).unwrap();
    revoke(&lab, &lab.issue("school"));
    // The number of the one in force, with other contents; then an older one. The one in force has gone from the folder meanwhile.
    for (offered, why) in [(fs::read(&file).unwrap(), "changed revocation list"), (first, "lower number")] {
        let _ = fs::remove_file(&file);
        let said = trust.offer("elsewhere", &offered).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
        let kept = fs::read_dir(lab.pki.crl_dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!kept.into_iter().any(|name| name.starts_with("fetched-")), "{why}");
    }
    assert_eq!(trust.lists_in_force(), numbers);
    fs::write(&file, in_force).unwrap();
    server_trust(&lab).unwrap();
    lab.stop().await;
}

#[actix_web::test]
async fn an_older_list_never_replaces_a_newer_one() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let file = lab.pki.crl_dir().join("intermediate.crl.pem");
    let before = fs::read(&file).unwrap();
    revoke(&lab, &bank);
    lab.trust.reload().unwrap();
    fs::write(&file, before).unwrap();
    assert!(lab.trust.reload().unwrap_err().to_string().contains("lower number"));
    assert_eq!(accepted(&lab, &peer(&lab, &bank)), Err("the certificate is revoked"));
    lab.stop().await;
}

/// Opens the trust as a restart does.
fn restart(lab: &Lab) -> Result<std::sync::Arc<CertificateTrust>, String> {
    let opened = CertificateTrust::open(settings(&lab.pki, false), lab.clock.clone(), std::sync::Arc::new(Everyone));
    opened.map_err(|error| error.to_string())
}

#[actix_web::test]
async fn an_older_list_is_refused_after_a_restart_too() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let file = lab.pki.crl_dir().join("intermediate.crl.pem");
    let before = fs::read(&file).unwrap();
    revoke(&lab, &bank);
    lab.trust.reload().unwrap();
    let after = fs::read(&file).unwrap();
    fs::write(&file, before).unwrap();
    let error = restart(&lab).err().unwrap();
    assert!(error.contains("lower number than one that was in force before"), "{error}");
    fs::write(&file, after).unwrap();
    assert!(restart(&lab).is_ok());
    lab.stop().await;
}

#[actix_web::test]
async fn a_broken_memory_of_numbers_is_refused_and_left_alone() {
    let lab = Lab::start();
    let memory = settings(&lab.pki, false).crl_memory;
    for broken in
        ["", "{", r#"{"ab": {"number": "1"}}"#, r#"{"ab": {"number": "x", "sha256": "ab"}}"#, r#"{"ab": {"number": "", "sha256": "ab"}}"#]
    {
        fs::write(&memory, broken).unwrap();
        let error = restart(&lab).err().unwrap();
        assert!(error.contains("revocation-lists.json") && error.contains("restore it"), "{error}");
        assert!(lab.trust.reload().is_err());
        assert_eq!(fs::read_to_string(&memory).unwrap(), broken);
    }
    lab.stop().await;
}

#[actix_web::test]
async fn without_lists_nothing_starts() {
    let lab = Lab::start();
    let mut settings = settings(&lab.pki, false);
    let empty = tempfile::tempdir().unwrap();
    settings.crl_dir = empty.path().to_owned();
    let outcome = CertificateTrust::open(settings.clone(), lab.clock.clone(), std::sync::Arc::new(Everyone));
    assert!(outcome.err().unwrap().to_string().contains("no revocation list of this authority"));
    settings.crl_dir = empty.path().join("missing");
    let outcome = CertificateTrust::open(settings, lab.clock.clone(), std::sync::Arc::new(Everyone));
    assert!(outcome.err().unwrap().to_string().contains("cannot be read"));
    lab.stop().await;
}

#[actix_web::test]
async fn revoking_survives_a_restart_and_a_refresh() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    revoke(&lab, &bank);
    advance(&lab, 4);
    let again = DevPki::create_or_open(lab.dir.path(), lab.clock.clone()).unwrap();
    assert!(!again.refresh_crls().unwrap(), "opening has refreshed them already");
    lab.trust.reload().unwrap();
    assert_eq!(accepted(&lab, &peer(&lab, &bank)), Err("the certificate is revoked"));
    lab.stop().await;
}

#[actix_web::test]
async fn revocation_takes_force_whatever_became_of_the_listeners_certificate_file() {
    let lab = Lab::start();
    let bank = lab.issue("bank");
    let files = lab.pki.issue_server("gateway").unwrap();
    fs::write(&files.key, "another key").unwrap();
    fs::remove_file(&files.cert).unwrap();
    revoke(&lab, &bank);
    lab.trust.reload().unwrap();
    assert_eq!(accepted(&lab, &peer(&lab, &bank)), Err("the certificate is revoked"));
    assert_eq!(lab.connect_as("school").await.get("/").await.unwrap(), "200 school", "the listener shows what it was started with");
    lab.stop().await;
}
