//! Stage 1: from the peer's certificate chain to a verified agency.

use std::sync::Arc;

use jiff::Timestamp;

use super::domain::agency::AgencyId;
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
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// What can change about a certificate or an agency while a connection lives.
pub trait Trust: Send + Sync + 'static {
    /// Whether the certificate is still good at `now`: within its dates, its issuer's CRL present, current and silent about it.
    ///
    /// # Errors
    /// A short reason free of names and numbers. No CRL, or one past its `nextUpdate`, is an error.
    fn certificate_accepted(&self, peer: &PeerChain, now: Timestamp) -> Result<(), &'static str>;

    /// Whether the agency is enrolled and not suspended.
    fn agency_active(&self, agency: &AgencyId) -> bool;
}

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
    let mut context = Box::new(context);
    context.agency = Some(peer.agency.clone());
    context.branch = peer.branch.clone();
    context.certificate = Some(peer.thumbprint);
    match still_trusted(&peer, trust, now) {
        Ok(()) => Ok(VerifiedAgency { context, peer }),
        Err((code, detail)) => Err(Refusal::new(*context, code, detail)),
    }
}

/// The same checks, asked again right before signing.
///
/// # Errors
/// The refusal's code and detail.
pub fn still_trusted(peer: &PeerChain, trust: &dyn Trust, now: Timestamp) -> Result<(), (RefusalCode, &'static str)> {
    trust.certificate_accepted(peer, now).map_err(|why| (RefusalCode::CertificateNotAccepted, why))?;
    if trust.agency_active(&peer.agency) {
        Ok(())
    } else {
        Err((RefusalCode::AgencySuspended, "this agency may not ask at present; contact the operator of the gateway"))
    }
}
