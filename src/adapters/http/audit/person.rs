//! `POST /v1/log/person`: one person's trail, for the data-protection officer with an open case.
//!
//! The number in the request is expanded to the person's present and past numbers by the registry. Trail keys of epochs that are over come with
//! the request, opened by the officer for the period of the case. The keys are wiped once the search is over, the body once it is read, unless it
//! lies in a buffer of the HTTP library still; that buffer and TLS's own are overwritten by what comes next, or freed with the connection. The gateway makes the tags itself, so that nobody can
//! name one person and have another's trail opened. Entries on a number that several people share are never shown as one person's.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

use super::{HttpState, IN_THE_BODY, answered, context_of, delivery, limited, read_json, unreadable, wipe};
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::date::{end_of_tehran_day, start_of_tehran_day, tehran_day};
use crate::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use crate::core::domain::request::{RequestIdentifier, object};
use crate::core::ledger::audit::{AuditRow, DamagedEntry, EntryView, Field, Filter, OpenedKey, Search, Trace, TrailSearch, instant_of};
use crate::core::ledger::{EntryKind, LogUnreadable};
use crate::core::policy::{accept_identifier, is_label};
use crate::core::registry::KnownPerson;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming, Tenure};

/// Largest body: a year of trail keys.
const BODY: usize = 128 << 10;
/// Most entries shown of one trail.
const MOST: usize = 5000;
/// What counts as an opened trail.
const OPENED: &str = "person";
/// Route and code of the entry of a case.
const CASE: &str = "log-case";
const DAY_S: u64 = 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default, deserialize_with = "object")]
    identifier: Option<RequestIdentifier>,
    case: String,
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    trail_keys: Vec<GivenKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenKey {
    epoch: String,
    /// Of an epoch of a log that was sealed, as `/v1/log/epochs` says it.
    origin: Option<String>,
    key: String,
}

impl Drop for GivenKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

#[derive(Serialize)]
struct Body<'r> {
    case: &'r str,
    entries: Vec<EntryView<'r>>,
    /// Entries on numbers that several people share, or did when they were asked about: whose they are is not known.
    ambiguous: Vec<EntryView<'r>>,
    count: usize,
    /// People that the registry has under the number.
    persons: usize,
    /// Numbers that were searched for.
    identifiers: usize,
    /// Whether every epoch of the period was searched in every log, none of its entries is damaged, and everything found is shown.
    complete: bool,
    epochs_searched: usize,
    epochs_unopened: &'r [String],
    tree_size: u64,
    next: Option<String>,
    /// Entries of the period of which nobody knows whom they are about.
    #[serde(skip_serializing_if = "<[DamagedEntry]>::is_empty")]
    damaged: &'r [DamagedEntry],
    /// Sealed logs that may have entries of the period and are not there.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    missing_logs: &'r [String],
}

#[derive(Serialize)]
struct Details {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// One trail.
pub(in crate::adapters::http) async fn person(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), ("log-person", BODY), found).await
}

async fn found(state: Arc<HttpState>, mut incoming: Incoming, text: String) -> Result<(Delivery, OwnedMutexGuard<()>), Box<Refusal>> {
    let call = flow::authenticate_signed(&state.gate, &incoming, Scope::LogPerson).await?.into_call();
    let call = limited(&state, call)?;
    let tenure = Tenure::of(&call);
    let mut context = context_of(&state, call);
    let refuse = |context: CallContext, (code, detail): (RefusalCode, String)| Refusal::new(context, code, detail);
    if !text.is_empty() {
        return Err(refuse(context, (RefusalCode::MalformedRequest, IN_THE_BODY.to_owned())));
    }
    let read = read_json(&incoming);
    wipe(&mut incoming);
    let ask: Ask = match read {
        Ok(ask) => ask,
        Err(fault) => return Err(refuse(context, fault)),
    };
    let search = match wanted(&state, &ask, &mut context) {
        Ok(search) => search,
        Err((fault, hint)) => {
            let mut refusal = refuse(context, fault);
            refusal.hint = hint;
            return Err(refusal);
        }
    };
    // Held until the read is on record, so that it counts for the next.
    let turn = state.audit.turn.clone().lock_owned().await;
    // Others may have had their turn for long, and the registry takes its time: whoever was suspended meanwhile opens nothing.
    tenure.still_good(&state.gate, &context)?;
    admitted(&state, &context).await?;
    let delivery = opened(&state, context, &ask.case, search).await?;
    tenure.still_good(&state.gate, &delivery.context)?;
    Ok((delivery, turn))
}

type Fault = ((RefusalCode, String), Option<String>);

/// The search without traces, the subject and the case in the context.
fn wanted(state: &HttpState, ask: &Ask, context: &mut CallContext) -> Result<TrailSearch, Fault> {
    let malformed = |detail: &str| ((RefusalCode::MalformedRequest, detail.to_owned()), None);
    let policy = (state.gate.policy)();
    let number = ask.case.as_str();
    if !is_label(number, &policy.schemes) {
        return Err(malformed("`case` is no case number: up to 64 letters, digits, `.`, `_`, `-`, and not the number of a person"));
    }
    context.reference = Some(number.to_owned());
    let Some(given) = &ask.identifier else { return Err(malformed("the field `identifier` is missing")) };
    context.subject = Some(accept_identifier(given, &policy.schemes)?);
    let instant = |text: &Option<String>, end| match text {
        None => Ok(None),
        Some(text) => instant_of(text, end).map(Some).ok_or_else(|| malformed("`from` or `to` is neither an instant nor a day")),
    };
    let (from, to) = (instant(&ask.from, false)?, instant(&ask.to, true)?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(malformed("`from` is not before `to`, so that nothing could be found"));
    }
    let keys = ask.trail_keys.iter().map(|given| {
        let bytes = STANDARD.decode(given.key.as_bytes()).ok().map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        key.map(|key| OpenedKey { epoch: given.epoch.clone(), origin: given.origin.clone(), key: Zeroizing::new(key) })
    });
    let keys: Option<Vec<OpenedKey>> = keys.collect();
    let keys = keys.ok_or_else(|| malformed("a key of `trail_keys` is not 32 bytes in base64"))?;
    Ok(TrailSearch { traces: Vec::new(), keys, from, to })
}

/// The case is open, and the officer has trails left today. Both are counted by what is on record.
async fn admitted(state: &HttpState, context: &CallContext) -> Result<(), Box<Refusal>> {
    let (now, audit) = (state.gate.clock.now(), &state.audit);
    let office = context.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    let number = context.reference.as_deref().unwrap_or_default();
    let Some(case) = audit.cases.open_case(number, &office, now) else {
        let detail = "there is no open case of this number for this office; `estelam log case open` opens one";
        return Err(Refusal::new(context.clone(), RefusalCode::CaseUnknown, detail));
    };
    recorded(state, context, number, case).await?;
    let mut filter = Filter { from: Some(start_of_tehran_day(tehran_day(now))), ..Filter::default() };
    filter = filter.with(Field::Route, context.route).with(Field::Code, OPENED).with(Field::Agency, office);
    if let Some(branch) = &context.branch {
        filter = filter.with(Field::Branch, &**branch);
    }
    let search = Search { filter, counted: true, ..Search::default() };
    let found = audit.log.search(search).await.map_err(unreadable(context.clone()))?;
    if !found.missing.is_empty() {
        return Err(unreadable(context.clone())(LogUnreadable("a log that has entries of today is not there")));
    }
    // One that cannot be read may have been a trail.
    let unknown = found.damaged.iter().map(DamagedEntry::count).fold(0, u64::saturating_add);
    let spent = found.count.unwrap_or(u64::MAX).saturating_add(unknown);
    if spent < audit.trails_per_day {
        return Ok(());
    }
    let mut refusal = Refusal::new(context.clone(), RefusalCode::QuotaExhausted, "this officer has opened as many trails today as allowed");
    let left = end_of_tehran_day(tehran_day(now)).duration_since(now).as_secs();
    let retry_after_s = u64::try_from(left).unwrap_or(0) + 1;
    refusal.limit = Some(LimitNotice { policy: "trails", quota: audit.trails_per_day, window_s: DAY_S, retry_after_s });
    Err(refusal)
}

/// The case as the register has it is on record before a trail is opened in it: at its first use, and again whenever it was changed.
async fn recorded(state: &HttpState, context: &CallContext, number: &str, case: String) -> Result<(), Box<Refusal>> {
    let filter = Filter::default().with(Field::Route, CASE).with(Field::Reference, number);
    let search = Search { filter, limit: 1, ..Search::default() };
    let last = state.audit.log.search(search).await.map_err(unreadable(context.clone()))?.rows.pop();
    if last.is_some_and(|row| row.content().details.as_ref() == Some(&case)) {
        return Ok(());
    }
    let mut of_case = CallContext::new(CASE, state.gate.clock.now());
    (of_case.agency, of_case.reference) = (context.agency.clone(), Some(number.to_owned()));
    let mut delivery = delivery(of_case, CASE, Some(case.clone()), &());
    (delivery.kind, delivery.statement) = (EntryKind::Admin, case);
    if flow::deliver(&state.gate, delivery).await.status() == 200 {
        return Ok(());
    }
    Err(unreadable(context.clone())(LogUnreadable("the case could not be recorded")))
}

async fn opened(state: &HttpState, mut context: CallContext, case: &str, mut search: TrailSearch) -> Result<Delivery, Box<Refusal>> {
    let Some(subject) = context.subject.clone() else { return Err(unreadable(context)(LogUnreadable("no subject"))) };
    let Ok(persons) = state.audit.identities.identifiers(&subject).await else {
        let detail = "the registry does not say whose this number is, and without it nobody's trail is shown; ask again later";
        return Err(Refusal::new(context, RefusalCode::RegistryUnavailable, detail));
    };
    context.minor = persons.iter().any(|person| person.minor);
    let asked = Trace { scheme: subject.scheme().to_owned(), value: Zeroizing::new(subject.expose_value().to_owned()) };
    let (traces, shared) = traces(&asked, persons.as_slice());
    let (identifiers, from, to) = (traces.len(), search.from, search.to);
    search.traces = traces;
    let found = state.audit.log.trail(search).await.map_err(unreadable(context.clone()))?;
    // A registry that does not say it: what was asked about a minor is about one of these people.
    context.minor |= found.rows.iter().any(|(_, row)| row.is_about_a_minor());
    let newest: Vec<&(usize, AuditRow)> = found.rows.iter().rev().take(MOST).collect();
    let part = |ambiguous: bool| {
        let is = |(trace, row): &(usize, AuditRow)| row.is_ambiguous() || shared.get(*trace).copied().unwrap_or(true);
        let of = newest.iter().filter(|found| is(found) == ambiguous);
        of.map(|(_, row)| EntryView::of_trail(row)).collect::<Vec<_>>()
    };
    let (entries, ambiguous) = (part(false), part(true));
    let body = Body {
        case,
        count: entries.len(),
        entries,
        ambiguous,
        persons: persons.len(),
        identifiers,
        complete: found.is_whole() && found.rows.len() <= MOST,
        epochs_searched: found.searched,
        epochs_unopened: &found.unopened,
        tree_size: found.size,
        next: None,
        damaged: &found.damaged,
        missing_logs: &found.missing,
    };
    let details = serde_json::to_string(&Details { from, to }).ok();
    Ok(delivery(context, OPENED, details, &body))
}

/// What to search for, and of each whether several people share it.
fn traces(asked: &Trace, persons: &[KnownPerson]) -> (Vec<Trace>, Vec<bool>) {
    match persons {
        // Nobody has this number: what was asked about it is all there is.
        [] => (vec![asked.clone()], vec![false]),
        [person] => {
            let trace = |known: &crate::core::registry::KnownIdentifier| Trace {
                scheme: known.scheme.clone(),
                value: Zeroizing::new(known.value.clone()),
            };
            let mut found: Vec<(Trace, bool)> = person.identifiers.iter().map(|known| (trace(known), known.shared)).collect();
            if !found.iter().any(|(trace, _)| trace == asked) {
                found.push((asked.clone(), false));
            }
            found.into_iter().unzip()
        }
        _ => (vec![asked.clone()], vec![true]),
    }
}
