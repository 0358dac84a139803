//! One request, straight down: the only place that knows the order of the stages.
//!
//! ```text
//! PeerChain → VerifiedAgency → VerifiedCall → Permit → Facts → Decision | Refusal → Signed → Recorded → Reply
//! ```

mod advice;
mod gate;
mod retry;
mod signature;
mod tenure;
mod turns;

use std::sync::Arc;

use futures_util::future::Either;
use jiff::Timestamp;

use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::reason::ReasonCode;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::identity::{self, VerifiedAgency};
use crate::core::limit::{Flood, Passage, Settled};
use crate::core::reply::{self, Format, Reply};
use crate::core::signing::{self, Conclusion, Counted, Delivery};
use crate::core::token::{self, VerifiedCall};
use crate::core::{decision, ledger, policy, registry};

use self::advice::{Asker, with_advice};
use self::gate::Turn;
pub use self::gate::{Gate, Incoming};
pub use self::retry::{NoSlot, Outbox, Slot};
pub use self::signature::{authenticate, authenticate_any, authenticate_signed};
pub use self::tenure::Tenure;
pub use self::turns::{BatchTurn, BatchTurns, CounterCall, Wait};

/// Answers one verification query. Whatever happens on the way, the reply was recorded before it exists.
pub async fn verify(gate: Arc<Gate>, incoming: Incoming) -> Reply {
    let conclusion = match signature::admit_query(&gate, &incoming).await {
        // Rare, so it does not make every call's state larger.
        Ok(call) if incoming.idempotency_key.is_some() => return Box::pin(retry::once(&gate, call, &incoming)).await,
        Ok(call) => answer(&gate, call, &incoming).await,
        Err(refusal) => (Conclusion::Refusal(refusal), None),
    };
    conclude_in_turn(&gate, conclusion, incoming.format).await
}

/// The first two stages: a good certificate, a good token of the same agency, one of the scopes; and which it was.
fn admit(gate: &Gate, incoming: &Incoming, scopes: &[Scope]) -> Result<(VerifiedCall, Scope), Box<Refusal>> {
    let now = gate.clock.now();
    let agency = identify_at(gate, incoming, now)?;
    let call = token::verify(agency, incoming.authorization.as_deref(), &*gate.tokens, now)?;
    // What a query may do, its permit looks up in the policy at once; nothing else is asked often.
    let policy = (scopes != [Scope::Verify]).then(|| (gate.policy)());
    let held = |scope: Scope| call.claims().scopes.contains(&scope);
    let granted = |scope: Scope| policy.as_ref().is_none_or(|policy| policy.grants_scope(call.agency().agency(), scope));
    let found = scopes.iter().copied().find(|scope| held(*scope) && granted(*scope));
    let withdrawn = found.is_none() && scopes.iter().any(|scope| held(*scope));
    match found {
        Some(scope) => Ok((call, scope)),
        None if withdrawn => Err(call.refuse(RefusalCode::ScopeMissing, policy::SCOPE_WITHDRAWN)),
        // The token has none of them; the refusal names the first.
        None => {
            let wanted = scopes.first().copied().unwrap_or(Scope::Ops);
            token::require_scope(call, wanted).map(|call| (call, wanted))
        }
    }
}

/// The first stage alone, for the token endpoint and for resources that do not exist.
pub fn identify(gate: &Gate, incoming: &Incoming) -> Result<VerifiedAgency, Box<Refusal>> {
    identify_at(gate, incoming, gate.clock.now())
}

fn identify_at(gate: &Gate, incoming: &Incoming, now: Timestamp) -> Result<VerifiedAgency, Box<Refusal>> {
    let agency = identity::identify(incoming.peer.clone(), incoming.context.clone(), &*gate.trust, now)?;
    if gate.stopping() {
        return Err(agency.refuse(RefusalCode::ShuttingDown, "ask another node"));
    }
    match incoming.oddity {
        Some(oddity) => Err(agency.refuse(RefusalCode::MalformedRequest, oddity)),
        None => Ok(agency),
    }
}

/// The first stage for what the registry sends: it is no agency, so its certificate alone must be good. Whose it is, the caller knows.
pub fn identify_registry(gate: &Gate, incoming: &Incoming) -> Result<CallContext, Box<Refusal>> {
    let context = identity::certificate_alone(&incoming.peer, incoming.context.clone(), &*gate.trust, gate.clock.now())?;
    if gate.stopping() { Err(Refusal::new(context, RefusalCode::ShuttingDown, "send it again later")) } else { Ok(context) }
}

/// The stages in the middle, however they end, and the turn in which they were gone through.
async fn answer<'g>(gate: &'g Gate, call: VerifiedCall, incoming: &Incoming) -> (Conclusion, Turn<'g>) {
    let mut turn = None;
    match decide(gate, call, incoming, &mut turn).await {
        Ok(decision) => (Conclusion::Answer(decision), turn),
        Err(refusal) => (Conclusion::Refusal(refusal), turn),
    }
}

/// Permit, look-up, decision, and a last look at what may have changed meanwhile.
async fn decide<'g>(
    gate: &'g Gate,
    call: VerifiedCall,
    incoming: &Incoming,
    turn: &mut Turn<'g>,
) -> Result<Box<decision::Decision>, Box<Refusal>> {
    let (now, clock_holds) = gate.clock.reading();
    let permit = policy::permit(call, incoming.input(), (gate.policy)(), now)?;
    if !gate.ledger.room().takes_answers() {
        // Nothing is spent and nobody looked up for an answer that could not be recorded.
        return Err(permit.refuse(RefusalCode::LedgerUnavailable, "the disk of the access log is full; ask again later"));
    }
    if !clock_holds {
        // The same: `conclude` will sign nothing.
        return Err(permit.refuse(RefusalCode::LedgerUnavailable, "the clock of this node jumped; ask again later, or ask another node"));
    }
    let permit = policy::admit(permit, &*gate.limiter)?;
    let permit = policy::screen(permit, &*gate.shield, now)?;
    let by = gate.deadline();
    let mut facts = registry::look_up(permit, &*gate.registry, by).await;
    // Whoever waits for the registry is in nobody's way.
    let Ok((own_turn, wait)) = gate.turn(facts.permit(), by).await else {
        return Err(overloaded(gate, facts.into_permit()));
    };
    *turn = own_turn;
    if wait != Wait::Not && facts.answer().is_ok() {
        // What changed during the wait must be in the answer; what did not is remembered.
        let look_up = Box::pin(registry::look_up(facts.into_permit(), &*gate.registry, by));
        facts = if let Some(Either::Right(batch)) = turn { batch.resting(look_up).await } else { look_up.await };
    }
    if facts.are_shed() {
        return Err(overloaded(gate, facts.into_permit()));
    }
    let decision = decided(gate, facts, turn).await;
    let decision = guarded(gate, decision, turn).await;
    // The same again: whether the number was remembered is nobody's to know who has not its second factor.
    if decision.comes_of_overload() {
        return Err(overloaded(gate, decision.into_parts().0));
    }
    match still_good(gate, decision.permit().call()) {
        Ok(()) => Ok(decision),
        Err((code, detail)) => Err(decision.refuse(code, detail)),
    }
}

/// The day's quotas are for answers: asking again after this costs no more of them.
fn overloaded(gate: &Gate, permit: policy::Permit) -> Box<Refusal> {
    policy::give_back(&permit, &*gate.limiter);
    permit.refuse(RefusalCode::Overloaded, "too many queries wait for the registry; ask again later")
}

/// A rule that is missing hurts nobody (the answer is indeterminate), but somebody has to write it: it is never passed over in silence.
fn alarm_if_unruled(decision: &decision::Decision) {
    if decision.verdict().reason == ReasonCode::RuleMissing {
        let service = &decision.permit().service().code;
        metrics::counter!("estelam_alarms_total", "alarm" => "rule-missing", "service" => service.clone()).increment(1);
        tracing::error!(%service, "no rule covers this service today; add one to services.toml");
    }
}

/// Decides; what comes to nothing on remembered facts, or to a "no" on facts that are not fresh enough for one, is asked again live.
/// A batch's turn ends there: whoever waits for the registry keeps nobody waiting, and the registry's own lanes hold batches back.
async fn decided(gate: &Gate, mut facts: registry::Facts, turn: &mut Turn<'_>) -> Box<decision::Decision> {
    if decision::needs_live_confirmation(&facts) {
        *turn = None;
        facts = Box::pin(registry::confirm_live(facts, &*gate.registry)).await;
    }
    let mut decision = decided_now(gate, facts);
    if decision.needs_fresher_facts() {
        *turn = None;
        decision = decided_now(gate, Box::pin(registry::ask_again(decision.into_facts(), &*gate.registry)).await);
    }
    alarm_if_unruled(&decision);
    decision
}

/// In a place of its own at once: it is handed on many times.
fn decided_now(gate: &Gate, facts: registry::Facts) -> Box<decision::Decision> {
    // Before it is seen how long the facts lay here, so that they are no older than that.
    let now = gate.clock.now();
    Box::new(decision::decide(registry::in_time(facts, &*gate.clock), now, now))
}

/// Counts the outcome for the holder's protection; one that may not be told becomes that of a number which is nobody's, by the same
/// look-ups.
async fn guarded(gate: &Gate, decision: Box<decision::Decision>, turn: &mut Turn<'_>) -> Box<decision::Decision> {
    let counted = policy::asked(decision.permit()).zip(decision.seen());
    match counted.map(|(asked, seen)| gate.shield.settle(&asked, seen, gate.clock.now())) {
        None | Some(Settled::Told) => decision,
        Some(Settled::Withheld) => Box::pin(decided(gate, registry::withhold(decision.into_facts()), turn)).await,
    }
}

fn still_good(gate: &Gate, call: &VerifiedCall) -> Result<(), (RefusalCode, &'static str)> {
    let now = gate.clock.now();
    identity::still_trusted(call.agency(), &*gate.trust, now)?;
    token::still_good(call, &*gate.tokens, now)
}

/// The last three stages in the turn of the middle ones, which ends with them: so does a batch's, and so long is a counter's query worked on.
async fn conclude_in_turn(gate: &Gate, (conclusion, mut turn): (Conclusion, Turn<'_>), format: Format) -> Reply {
    if let (Conclusion::Refusal(refusal), None) = (&conclusion, &turn) {
        turn = gate.turn_to_refuse(refusal).await;
    }
    let reply = match &turn {
        // Apart from the others, so that it does not make their calls' state larger.
        Some(Either::Right(batch)) => batch.resting(Box::pin(conclude(gate, conclusion, format))).await,
        _ => conclude(gate, conclusion, format).await,
    };
    drop(turn);
    reply
}

/// The last three stages, the same for answers, refusals and deliveries: sign, record, reply. One of a flood of refusals is counted
/// instead, and nothing leaves.
pub async fn conclude(gate: &Gate, conclusion: Conclusion, format: Format) -> Reply {
    // What is our own failing is told each time, with what to do meanwhile; it spends nothing of the allowance.
    if let Conclusion::Refusal(refusal) = &conclusion
        && refusal.code.status() < 500
        && let Passage::Counted(times) = gate.floods.refused(&refusal.context, refusal.code, gate.clock.now())
    {
        return Reply::silence(times);
    }
    let asker = Asker::of(conclusion.context());
    let (now, clock_holds) = gate.clock.reading();
    if !clock_holds && !conclusion.is_administrative() {
        // What would be signed now would say a wrong time for years. That the clock jumped goes on record all the same.
        return asker.bare(gate);
    }
    let room = gate.ledger.room();
    if !room.takes(&conclusion) {
        return asker.without_room(gate, room, &conclusion);
    }
    let Ok(signed) = signing::sign(with_advice(gate, conclusion), &gate.notary, now) else {
        return asker.bare(gate);
    };
    match ledger::record(signed, &*gate.ledger).await {
        Ok(recorded) => {
            gate.observer.recorded(&recorded);
            if let Conclusion::Answer(decision) = recorded.signed().conclusion()
                && decision.lay_here(&*gate.clock)
            {
                // It stays on record; whoever asks again is told what holds now.
                return asker.bare(gate).perhaps_recorded();
            }
            reply::render(recorded, gate.ledger.origin(), format)
        }
        Err(_) => asker.bare(gate).perhaps_recorded(),
    }
}

/// What a read of the log is told before it begins while the disk is short of room for its entry; nothing where it may begin.
pub fn no_reading(gate: &Gate, incoming: &Incoming) -> Option<Reply> {
    let room = gate.ledger.room();
    let why = room.why_not().filter(|_| !room.takes_reads())?;
    metrics::counter!("estelam_ledger_not_taken_total", "what" => "log-read").increment(1);
    Some(Asker::of(&incoming.context).bare_for(gate, why))
}

/// Concludes with a refusal.
pub async fn refuse(gate: &Gate, refusal: Box<Refusal>) -> Reply {
    conclude_in_turn(gate, (Conclusion::Refusal(refusal), None), Format::Json).await
}

/// Concludes with the delivery of something that is not an answer.
pub async fn deliver(gate: &Gate, delivery: Delivery) -> Reply {
    conclude(gate, Conclusion::Delivery(Box::new(delivery)), Format::Json).await
}

/// Signs and records refusals that were counted together; false when they could not be recorded.
pub async fn record_flood(gate: &Gate, flood: Flood) -> bool {
    let context = flood.context(gate.clock.now());
    conclude(gate, Conclusion::Flood(Box::new(Counted { context, flood })), Format::Json).await.status() == 200
}
