//! Stage 1: from the peer's certificate chain to a verified agency.

use std::sync::Arc;

use jiff::Timestamp;

use super::domain::agency::AgencyId;
use super::domain::assurance::Assurance;
use super::domain::context::CallContext;
use super::domain::refusal::{Refusal, RefusalCode};

/// What the TLS layer learned from a client certificate that passed path validation and our profile.
#[derive(Clone, Debug)]
pub struct PeerChain {
    /// SHA-256 of the leaf's DER, the token binding of RFC 8705.
    pub thumbprint: [u8; 32],
    /// The agency of the `spiffe://<trust-domain>/agency/<id>` URI.
    pub agency: AgencyId,
    /// The branch, where the URI goes on with `/branch/<name>`.
    pub branch: Option<Arc<str>>,
    /// Serial number, big-endian, as in CRLs.
    pub serial: Arc<[u8]>,
    /// DER of the issuer's name, as in CRLs.
    pub issuer: Arc<[u8]>,
    /// The certificate's public key: the contents of its BIT STRING (RFC 5280 §4.1.2.7).
    pub public_key: Arc<[u8]>,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// What can change about a certificate or an agency while a connection lives.
pub trait Trust: Send + Sync + 'static {
    /// Whether the certificate is still good at `now`: within its dates, not cut off here, its issuer's CRL present and silent about
    /// it; and how current that list is.
    ///
    /// # Errors
    /// A short reason free of names and numbers. No CRL is an error; one past its `nextUpdate` lowers the assurance.
    fn certificate_accepted(&self, peer: &PeerChain, now: Timestamp) -> Result<Assurance, &'static str>;

    /// Whether the agency is enrolled and neither it nor the branch that the certificate names is suspended.
    fn agency_active(&self, peer: &PeerChain) -> bool;
}

/// Routes on which a call may go on while revocation lists are overdue; what it asks for decides then. A revocation closes and opens nothing.
const OPEN_WHILE_OVERDUE: [&str; 3] = ["verify", "token", "revoke"];

/// What a call is told that is not life-critical.
pub(in crate::core) const OVERDUE: &str =
    "the revocation lists are out of date, so that only life-critical services are answered; try again later";

/// An agency whose certificate was good when the request arrived.
#[derive(Debug)]
pub struct VerifiedAgency {
    // Boxed, because the stages that follow all carry it along.
    context: Box<CallContext>,
    peer: Arc<PeerChain>,
}

impl VerifiedAgency {
    /// The agency's name.
    pub fn agency(&self) -> &AgencyId {
        &self.peer.agency
    }

    /// The certificate on the connection.
    pub fn peer(&self) -> &Arc<PeerChain> {
        &self.peer
    }

    /// What is known of the call.
    pub fn context(&self) -> &CallContext {
        &self.context
    }

    /// What is known of the call, for the stage that learns more.
    pub(in crate::core) fn context_mut(&mut self) -> &mut CallContext {
        &mut self.context
    }

    /// Turns the call into a refusal.
    pub fn refuse(self, code: RefusalCode, detail: impl Into<String>) -> Box<Refusal> {
        Refusal::new(*self.context, code, detail)
    }

    /// Gives up the proof, keeping what is known.
    pub fn into_context(self) -> CallContext {
        *self.context
    }
}

/// Checks the certificate and the agency again, on every request of a connection.
///
/// # Errors
/// `certificate-not-accepted` or `agency-suspended`.
pub fn identify(peer: Arc<PeerChain>, context: CallContext, trust: &dyn Trust, now: Timestamp) -> Result<VerifiedAgency, Box<Refusal>> {
    let judged = trusted(&peer, trust, now);
    let context = admitted(&peer, context, judged)?;
    Ok(VerifiedAgency { context, peer })
}

/// Checks the certificate alone, of somebody who is no agency and whom the caller knows: the registry.
///
/// # Errors
/// `certificate-not-accepted`.
pub fn certificate_alone(peer: &PeerChain, context: CallContext, trust: &dyn Trust, now: Timestamp) -> Result<CallContext, Box<Refusal>> {
    let judged = certificate(peer, trust, now);
    admitted(peer, context, judged).map(|context| *context)
}

fn admitted(
    peer: &PeerChain,
    context: CallContext,
    judged: Result<Assurance, (RefusalCode, &'static str)>,
) -> Result<Box<CallContext>, Box<Refusal>> {
    let mut context = Box::new(context);
    context.agency = Some(peer.agency.clone());
    context.branch = peer.branch.clone();
    context.certificate = Some(peer.thumbprint);
    match judged {
        Ok(Assurance::Overdue) if !OPEN_WHILE_OVERDUE.contains(&context.route) => {
            Err(Refusal::new(*context, RefusalCode::CertificateNotAccepted, OVERDUE))
        }
        Ok(assurance) => {
            context.assurance = assurance;
            Ok(context)
        }
        Err((code, detail)) => Err(Refusal::new(*context, code, detail)),
    }
}

/// The same checks, asked again right before signing. Lists that fell due meanwhile may have changed what is allowed: that is refused.
///
/// # Errors
/// The refusal's code and detail.
pub fn still_trusted(agency: &VerifiedAgency, trust: &dyn Trust, now: Timestamp) -> Result<(), (RefusalCode, &'static str)> {
    peer_still_trusted(&agency.peer, agency.context.assurance, trust, now)
}

/// The same of a call that was taken apart: its certificate, and how current the lists were when it came.
///
/// # Errors
/// As [`still_trusted`].
pub fn peer_still_trusted(peer: &PeerChain, then: Assurance, trust: &dyn Trust, now: Timestamp) -> Result<(), (RefusalCode, &'static str)> {
    let worse = trusted(peer, trust, now)? == Assurance::Overdue && then != Assurance::Overdue;
    if worse { Err((RefusalCode::CertificateNotAccepted, OVERDUE)) } else { Ok(()) }
}

fn certificate(peer: &PeerChain, trust: &dyn Trust, now: Timestamp) -> Result<Assurance, (RefusalCode, &'static str)> {
    trust.certificate_accepted(peer, now).map_err(|why| (RefusalCode::CertificateNotAccepted, why))
}

fn trusted(peer: &PeerChain, trust: &dyn Trust, now: Timestamp) -> Result<Assurance, (RefusalCode, &'static str)> {
    let assurance = certificate(peer, trust, now)?;
    if trust.agency_active(peer) {
        Ok(assurance)
    } else {
        Err((RefusalCode::AgencySuspended, "this agency may not ask at present; contact the operator of the gateway"))
    }
}
