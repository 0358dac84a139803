//! The ledger entry of a conclusion (contract §6): what auditors query, without anything that names the holder.

use jiff::Timestamp;

use super::conclusion::Conclusion;
use crate::core::decision::{Basis, Decision, Inputs};
use crate::core::domain::context::CallContext;
use crate::core::domain::nested::Nested;
use crate::core::ledger::{Entry, EntryContent, EntryKind, RetentionClass};

/// Room for usual inputs.
const USUAL_INPUTS_LEN: usize = 384;

/// The entry for a conclusion whose statement has this digest.
pub(super) fn of(conclusion: &Conclusion, statement_digest: [u8; 32], now: Timestamp) -> Entry {
    let context = conclusion.context();
    let mut content = Box::new(common(context, now));
    let (kind, subject) = match conclusion {
        Conclusion::Answer(decision) => {
            add_decision(&mut content, decision);
            (EntryKind::Answer, decision.permit().identifier().cloned())
        }
        Conclusion::Refusal(refusal) => {
            content.code = Some(refusal.code.code().into());
            content.inputs = inputs(context, None);
            (EntryKind::Refusal, context.subject.clone())
        }
        Conclusion::Delivery(delivery) => {
            content.code = Some(delivery.code.into());
            content.details.clone_from(&delivery.details);
            (delivery.kind, context.subject.clone())
        }
        Conclusion::Flood(counted) => {
            content.code = Some(counted.flood.code.code().into());
            content.count = Some(counted.flood.count);
            (EntryKind::Refusal, None)
        }
    };
    Entry { kind, class: class_of(conclusion), time: now, id: context.request_id, statement_digest, subject, content }
}

/// The class stands in the header, which an agency gets with the proof of its answer: it must tell nothing that the answer does not. So what
/// comes to nothing (`not-established`) is of one class, whoever bears the number.
fn class_of(conclusion: &Conclusion) -> RetentionClass {
    match conclusion {
        Conclusion::Answer(decision) if decision.is_about_a_minor() => RetentionClass::Minor,
        Conclusion::Delivery(delivery) if delivery.kind == EntryKind::Admin => RetentionClass::Admin,
        Conclusion::Delivery(_) | Conclusion::Refusal(_) if conclusion.context().minor => RetentionClass::Minor,
        _ => RetentionClass::Detail,
    }
}

fn common(context: &CallContext, now: Timestamp) -> EntryContent {
    let latency = now.duration_since(context.received).as_micros();
    let tags = context.retry.as_deref().and_then(|retry| retry.tags.as_ref());
    EntryContent {
        route: context.route.into(),
        agency: context.agency.as_ref().map(ToString::to_string),
        branch: context.branch.as_deref().map(str::to_owned),
        certificate: context.certificate.as_ref().map(short_hex),
        assurance: context.assurance.mark().map(str::to_owned),
        actor: context.actor.clone(),
        service: context.service.as_deref().map(str::to_owned),
        purpose: context.purpose.as_deref().map(str::to_owned),
        reference: context.reference.clone(),
        policy_version: context.policy_version.as_deref().map(str::to_owned),
        signature: context.signature.as_deref().map(|signature| signature.commitment.to_string()),
        signed_by: context.signature.as_deref().map(|signature| signature.key.to_string()),
        retry: tags.map(|tags| tags.key.to_string()),
        retry_body: tags.map(|tags| tags.of_body.to_string()),
        retry_of: context.retry.as_deref().and_then(|retry| retry.of).map(|of| of.to_string()),
        latency_us: u64::try_from(latency).unwrap_or(0),
        ..EntryContent::default()
    }
}

fn add_decision(content: &mut EntryContent, decision: &Decision) {
    let verdict = decision.verdict();
    content.decision = Some(verdict.reason.outcome().code().into());
    content.reason = Some(verdict.reason.code().into());
    content.decrees_version = Some(verdict.decrees_version.to_string());
    content.decree.clone_from(&verdict.decree);
    content.freshness = Some(verdict.freshness.code().into());
    content.as_of = Some(verdict.noted_as_of);
    content.inputs = inputs(decision.permit().call().agency().context(), Some(&verdict.basis));
}

/// The derived inputs of an entry as JSON (see [`Inputs`]); none where nothing was asked.
fn inputs(context: &CallContext, basis: Option<&Basis>) -> Option<Nested> {
    Nested::of(&Inputs { asked: context.asked?, basis }, USUAL_INPUTS_LEN)
}

/// The first 16 hex digits: enough to tell an agency's certificates apart.
fn short_hex(thumbprint: &[u8; 32]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    thumbprint.iter().take(8).flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::domain::refusal::{Refusal, RefusalCode};
    use crate::core::signing::Delivery;

    fn class(minor: bool, kind: Option<EntryKind>) -> RetentionClass {
        let context = CallContext { minor, ..CallContext::new("verify", Timestamp::UNIX_EPOCH) };
        let conclusion = match kind {
            None => Conclusion::Refusal(Refusal::new(context, RefusalCode::TokenInvalid, "the token ended meanwhile")),
            Some(kind) => {
                let (status, content_type, body, statement) = (200, "application/json", String::new(), String::new());
                Conclusion::Delivery(Box::new(Delivery {
                    context,
                    kind,
                    code: "person",
                    details: None,
                    status,
                    content_type,
                    body,
                    statement,
                }))
            }
        };
        of(&conclusion, [0; 32], Timestamp::UNIX_EPOCH).class
    }

    #[test]
    fn whatever_is_known_to_be_about_a_minor_is_kept_for_a_minors_time() {
        for kind in [None, Some(EntryKind::LogRead)] {
            assert_eq!(class(true, kind), RetentionClass::Minor, "{kind:?}");
            assert_eq!(class(false, kind), RetentionClass::Detail, "{kind:?}");
        }
        assert_eq!(class(true, Some(EntryKind::Admin)), RetentionClass::Admin);
    }
}
