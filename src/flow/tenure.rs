//! Whether somebody whose call takes long may still have what it asked for: not once the agency was suspended, the certificate cut off or the token
//! revoked meanwhile.

use std::sync::Arc;

use super::Gate;
use crate::core::domain::assurance::Assurance;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::identity::{self, PeerChain};
use crate::core::token::{self, TokenClaims, VerifiedCall};

/// What can change about a call while it lasts.
#[derive(Clone, Debug)]
pub struct Tenure {
    peer: Arc<PeerChain>,
    assurance: Assurance,
    claims: Arc<TokenClaims>,
}

impl Tenure {
    /// That of a call which is good now.
    pub fn of(call: &VerifiedCall) -> Self {
        let agency = call.agency();
        Self { peer: agency.peer().clone(), assurance: agency.context().assurance, claims: call.claims().clone() }
    }

    /// Looks again, right before a delivery is signed.
    ///
    /// # Errors
    /// The refusal that takes its place.
    pub fn still_good(&self, gate: &Gate, context: &CallContext) -> Result<(), Box<Refusal>> {
        let now = gate.clock.now();
        self.trusted(gate)
            .and_then(|()| token::good_now(&self.peer, &self.claims, &*gate.tokens, now))
            .map_err(|(code, detail)| Refusal::new(context.clone(), code, detail))
    }

    /// Looks again in the middle of what the token began; a token that has expired meanwhile ends nothing.
    ///
    /// # Errors
    /// Why it does not go on.
    pub fn goes_on(&self, gate: &Gate) -> Result<(), (RefusalCode, &'static str)> {
        self.trusted(gate)?;
        token::not_revoked(&self.peer, &self.claims, &*gate.tokens)
    }

    fn trusted(&self, gate: &Gate) -> Result<(), (RefusalCode, &'static str)> {
        identity::peer_still_trusted(&self.peer, self.assurance, &*gate.trust, gate.clock.now())
    }
}
