//! `POST /v1/log/holder`: the holder's own view of the log, opened by a code that reaches nobody but the holder.
//!
//! Three bodies: `identifier` asks for a code, `handle` and `code` open the view, `handle` and `contest` contest a line of it. Whoever is
//! behind the number, and whether there is a SIM, the first reply is the same and leaves on the same grid; a code that does not count is the same
//! refusal whatever was wrong with it.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::holder_sessions::{ContestedLine, NoLine, Session, Sessions};
use super::{HttpState, Then, answered, context_of, delivery, limited, read_json, unreadable};
use crate::adapters::http::respond::next_on_grid;
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::date::{jalali, tehran_day};
use crate::core::domain::document::coded_enum;
use crate::core::domain::refusal::{LimitNotice, Refusal, RefusalCode};
use crate::core::domain::request::{RequestIdentifier, object};
use crate::core::ledger::RetentionClass;
use crate::core::ledger::holder::{Gap, HolderLog, NOT_ALL, ViewDay, ViewLine, shown, view};
use crate::core::ledger::retention::Hold;
use crate::core::policy::{accept_identifier, carries};
use crate::core::registry::holder::{CODE_LASTS_S, HolderDesk, OpenRequest};
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming, Tenure};

/// Largest body.
const BODY: usize = 4 << 10;
/// Days that the view goes back: contents are kept no longer.
const DAYS: i64 = 90;
/// Replies leave on this multiple of the usual grid: the registry writes a message meanwhile, or does not.
const GRIDS: u32 = 4;

/// Spends one code of an office. It waits for the disk.
pub type Spend = Box<dyn Fn(&str, Timestamp) -> Result<(), NotToday> + Send + Sync>;
/// Opens a case under its number, or finds it open from before; false when it cannot be kept. It waits for the disk.
pub type OpenCase = Box<dyn Fn(&Contested<'_>, Timestamp) -> bool + Send + Sync>;
/// Deferrals that two officials signed; none when one of them cannot be read or recorded. It waits for the disk and the log.
pub type ReadDeferrals = Box<dyn Fn(Timestamp) -> Option<Vec<Hold>> + Send + Sync>;

/// What the holder's view needs.
pub struct HolderState {
    /// The registry's desk.
    pub desk: Arc<dyn HolderDesk>,
    /// The log.
    pub log: Arc<dyn HolderLog>,
    /// Handles that are out.
    pub sessions: Sessions,
    /// Spends one code of an office.
    pub spend: Spend,
    /// Reads deferrals.
    pub deferrals: ReadDeferrals,
    /// Opens a case over contested entries.
    pub contest: OpenCase,
}

/// Why an office gets no code today.
pub enum NotToday {
    /// Its share is spent.
    Spent(LimitNotice),
    /// That cannot be counted now.
    Uncounted,
}

/// What a holder contests.
pub struct Contested<'a> {
    /// The case's number.
    pub number: &'a str,
    /// The entries behind the line.
    pub entries: &'a [uuid::Uuid],
    /// Why.
    pub why: Why,
}

coded_enum! {
    /// Why a line is contested. A closed list, so that no number and no name gets into a case.
    Why {
        /// The holder was not there and asked nobody.
        NotMe = "not-me",
        /// The holder was there, but for something else.
        OtherPurpose = "other-purpose",
        /// So often was not needed.
        TooOften = "too-often",
        /// Something that words do not fit: the officer asks.
        Other = "other",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default, deserialize_with = "object")]
    identifier: Option<RequestIdentifier>,
    actor: Option<String>,
    handle: Option<String>,
    code: Option<String>,
    contest: Option<AskContest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskContest {
    line: usize,
    why: Why,
}

#[derive(Serialize)]
struct View<'a> {
    status: &'static str,
    handle: &'a str,
    from: ViewDay,
    /// Whether every epoch since then was opened, and every entry could be read.
    complete: bool,
    #[serde(flatten)]
    gap: Option<Gap>,
    entries: &'a [ViewLine],
}

type Outcome = Result<(Delivery, Option<Then>), Box<Refusal>>;

/// One step of a holder's view.
pub(in crate::adapters::http) async fn holder(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answered(state, (request, payload), ("log-holder", BODY), on_grid).await
}

async fn on_grid(state: Arc<HttpState>, incoming: Incoming, query: String) -> Outcome {
    let begun = Instant::now();
    let outcome = step(&state, &incoming, &query).await;
    tokio::time::sleep_until(next_on_grid(begun, Instant::now(), state.grid * GRIDS)).await;
    outcome
}

async fn step(state: &Arc<HttpState>, incoming: &Incoming, query: &str) -> Outcome {
    let call = limited(state, flow::authenticate_signed(&state.gate, incoming, Scope::LogHolder).await?.into_call())?;
    let tenure = Tenure::of(&call);
    let (delivery, then) = taken(state, incoming, query, context_of(state, call)).await?;
    tenure.still_good(&state.gate, &delivery.context)?;
    Ok((delivery, then))
}

async fn taken(state: &Arc<HttpState>, incoming: &Incoming, query: &str, mut context: CallContext) -> Outcome {
    let Some(holder) = &state.holder else {
        return Err(refused(context, RefusalCode::NotFound, "holders' views are not offered here"));
    };
    if !query.is_empty() {
        return Err(refused(context, RefusalCode::MalformedRequest, "leave the query string out: what is asked for goes into the body"));
    }
    let ask: Ask = match read_json(incoming) {
        Ok(ask) => ask,
        Err((code, detail)) => return Err(Refusal::new(context, code, detail)),
    };
    if let Err((code, detail)) = named(state, &ask, &mut context) {
        return Err(refused(context, code, detail));
    }
    let now = state.gate.clock.now();
    match ask {
        Ask { identifier: Some(identifier), handle: None, code: None, contest: None, .. } => {
            begin(state, holder, context, &identifier, now).await
        }
        Ask { identifier: None, handle: Some(handle), code: Some(code), contest: None, .. } => {
            open(state, holder, context, (&handle, &code), now).await
        }
        Ask { identifier: None, handle: Some(handle), code: None, contest: Some(contest), .. } => {
            contested(state, holder, context, (handle, contest), now).await
        }
        _ => Err(refused(context, RefusalCode::MalformedRequest, "send `identifier`, or `handle` with `code`, or `handle` with `contest`")),
    }
}

/// Whoever opens somebody's record is named.
fn named(state: &HttpState, ask: &Ask, context: &mut CallContext) -> Result<(), (RefusalCode, &'static str)> {
    let actor = ask.actor.as_deref().ok_or((RefusalCode::ActorRequired, "name the clerk in `actor`"))?;
    let policy = (state.gate.policy)();
    let formed = (1..=64).contains(&actor.len()) && actor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let carries = ask.identifier.as_ref().is_some_and(|identifier| carries(actor, &identifier.value));
    if !formed || carries || policy.schemes.looks_like_identifier(actor) {
        return Err((
            RefusalCode::MalformedRequest,
            "`actor` has up to 64 letters, digits, `.`, `_`, `-`, and is not the number of a person",
        ));
    }
    context.actor = Some(actor.to_owned());
    Ok(())
}

/// Does what waits for the disk on a thread that may: a worker has every other call to serve. None where that came to nothing.
async fn apart<T: Send + 'static>(state: &Arc<HttpState>, work: impl FnOnce(&HolderState) -> T + Send + 'static) -> Option<T> {
    let state = state.clone();
    tokio::task::spawn_blocking(move || state.holder.as_ref().map(work)).await.ok().flatten()
}

async fn begin(
    state: &Arc<HttpState>,
    holder: &HolderState,
    mut context: CallContext,
    asked: &RequestIdentifier,
    now: Timestamp,
) -> Outcome {
    let identifier = match accept_identifier(asked, &(state.gate.policy)().schemes) {
        Ok(identifier) => identifier,
        Err(((code, detail), hint)) => {
            let mut refusal = Refusal::new(context, code, detail);
            refusal.hint = hint;
            return Err(refusal);
        }
    };
    context.subject = Some(identifier.clone());
    let name = office_name(&context);
    match apart(state, move |holder| (holder.spend)(&name, now)).await.unwrap_or(Err(NotToday::Uncounted)) {
        Ok(()) => {}
        Err(NotToday::Spent(limit)) => {
            let mut refusal = refused(context, RefusalCode::QuotaExhausted, "this office has had its codes of today sent; try tomorrow");
            refusal.limit = Some(limit);
            return Err(refusal);
        }
        Err(NotToday::Uncounted) => {
            return Err(refused(context, RefusalCode::LedgerUnavailable, "this office's codes cannot be counted at present"));
        }
    }
    let office = holder.sessions.office(&context);
    let Ok(handle) = holder.desk.send_code(&identifier, &office).await else {
        return Err(refused(context, RefusalCode::RegistryUnavailable, "the registry does not answer; try again later"));
    };
    holder.sessions.begin(&handle, Session::new(office, identifier, now));
    let body = json!({
        "status": "code-sent", "handle": handle, "expires_in": CODE_LASTS_S,
        "fa": "اگر برای این شماره سیم‌کارتی ثبت شده باشد، اکنون کدی به آن فرستاده شد. دارنده کد را به شما می‌گوید.",
        "prs": "اگر برای این شماره سیم‌کارت ثبت شده باشد، حالا یک کد به آن روان شد. دارنده کد را به شما می‌گوید.",
        "en": "If a SIM is registered for whoever bears this number, a code is on its way to it. The holder tells it to you.",
    });
    Ok((Delivery { status: 202, ..delivery(context, "holder-code", None, &body) }, None))
}

/// What can fail comes before the code is spent, as far as it can; and the view counts as open once it is on record.
async fn open(
    state: &Arc<HttpState>,
    holder: &HolderState,
    mut context: CallContext,
    (handle, code): (&str, &str),
    now: Timestamp,
) -> Outcome {
    let office = holder.sessions.office(&context);
    let Some(identifier) = holder.sessions.waiting(handle, &office, now) else { return Err(not_accepted(context)) };
    context.subject = Some(identifier);
    let from = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(now);
    let Some(deferrals) = apart(state, move |holder| (holder.deferrals)(now)).await.flatten() else {
        return Err(refused(context, RefusalCode::LedgerUnavailable, "what may be shown cannot be told at present"));
    };
    let sealed = holder.log.sealed_trails(from).await.map_err(unreadable(context.clone()))?;
    let request = OpenRequest {
        handle: handle.into(),
        code: code.into(),
        office: office.as_str().into(),
        origin: holder.log.log_origin().into(),
        epochs: sealed.trails.clone(),
    };
    let trails = match holder.desk.open(request).await {
        Ok(Some(opened)) => {
            context.minor = opened.minor;
            opened.trails
        }
        Ok(None) => return Err(not_accepted(context)),
        Err(_) => {
            return Err(refused(context, RefusalCode::RegistryUnavailable, "the registry does not answer; ask for another code later"));
        }
    };
    // Keys that were replaced, more epochs than the registry opens, entries that nobody can read: whoever reads the view is told that it lacks some.
    let all_opened = sealed.are_all_in(&trails);
    let found = holder.log.entries_of(trails, from).await.map_err(unreadable(context.clone()))?;
    let complete = all_opened && found.whole;
    // A registry that does not say it: what was asked about a minor is about this person.
    context.minor |= found.entries.iter().any(|entry| entry.class == RetentionClass::Minor);
    let minor = context.minor;
    let lines = view(&shown(found.entries, &deferrals, now), &(state.gate.policy)());
    let (of_lines, opened, kept) = (lines.iter().map(|line| line.entries.clone()).collect(), handle.to_owned(), state.clone());
    let then: Then = Box::new(move |recorded| {
        if recorded && let Some(holder) = &kept.holder {
            holder.sessions.opened(&opened, (of_lines, minor), now);
        }
    });
    let first = tehran_day(from);
    let from = ViewDay { jalali: jalali(first), gregorian: first.to_string() };
    let gap = (!complete).then_some(NOT_ALL);
    Ok((delivery(context, "holder-view", None, &View { status: "opened", handle, from, complete, gap, entries: &lines }), Some(then)))
}

/// A line that somebody contests now. Only once that is on record is it contested; else it can be contested again, under the same number.
struct Contesting {
    state: Arc<HttpState>,
    handle: String,
    line: usize,
    recorded: bool,
}

impl Contesting {
    fn end(mut self, recorded: bool) {
        self.recorded = recorded;
    }
}

impl Drop for Contesting {
    fn drop(&mut self) {
        if let Some(holder) = &self.state.holder {
            holder.sessions.settle(&self.handle, self.line, self.recorded);
        }
    }
}

fn no_line(context: CallContext, why: &NoLine) -> Box<Refusal> {
    match why {
        NoLine::NotOpen => not_accepted(context),
        NoLine::Unknown => refused(context, RefusalCode::MalformedRequest, "`line` is the number of a line of the view that is open"),
        NoLine::Contested(case) => {
            refused(context, RefusalCode::MalformedRequest, &format!("this line is contested already, under the case {case}"))
        }
        NoLine::NoNumber => refused(context, RefusalCode::LedgerUnavailable, "the case cannot be kept at present"),
    }
}

async fn contested(
    state: &Arc<HttpState>,
    holder: &HolderState,
    mut context: CallContext,
    (handle, ask): (String, AskContest),
    now: Timestamp,
) -> Outcome {
    let office = holder.sessions.office(&context);
    let line = match holder.sessions.line(&handle, &office, ask.line, now) {
        Ok(line) => line,
        Err(why) => return Err(no_line(context, &why)),
    };
    let contesting = Contesting { state: state.clone(), handle, line: ask.line, recorded: false };
    let ContestedLine { identifier, minor, entries, case } = line;
    (context.subject, context.minor) = (Some(identifier), minor);
    // The ids stand in the case alone: who audits patterns must not learn which entries are one person's.
    let details = json!({ "entries": entries.len(), "why": ask.why }).to_string();
    let (number, of_case) = (case.clone(), entries);
    let kept = apart(state, move |holder| (holder.contest)(&Contested { number: &number, entries: &of_case, why: ask.why }, now)).await;
    if kept != Some(true) {
        return Err(refused(context, RefusalCode::LedgerUnavailable, "the case cannot be kept at present"));
    }
    context.reference = Some(case.clone());
    let body = json!({
        "status": "contested", "case": case, "line": ask.line, "why": ask.why,
        "fa": format!("اعتراض شما با شمارهٔ {case} ثبت شد. مسئول حفاظت از داده‌ها آن را بررسی می‌کند."),
        "prs": format!("اعتراض شما با شمارهٔ {case} ثبت شد. مسئول حفاظت از معلومات آن را بررسی می‌کند."),
        "en": format!("Your objection is on record under {case}. The data-protection officer looks into it."),
    });
    // The whole guard goes along: it lets the line go only once that is certain.
    let then: Then = Box::new(move |recorded| contesting.end(recorded));
    Ok((delivery(context, "holder-contest", Some(details), &body), Some(then)))
}

fn refused(context: CallContext, code: RefusalCode, detail: &str) -> Box<Refusal> {
    Refusal::new(context, code, detail)
}

/// One refusal for every code and handle that does not count.
fn not_accepted(context: CallContext) -> Box<Refusal> {
    refused(context, RefusalCode::CodeNotAccepted, "this code does not count: ask for another one")
}

/// The office as its daily count knows it; no person is in it.
fn office_name(context: &CallContext) -> String {
    let agency = context.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    match (&context.branch, &context.certificate) {
        (Some(branch), _) => format!("{agency}/{branch}"),
        (None, Some(certificate)) => {
            format!("{agency}#{:016x}", u64::from_be_bytes(certificate.first_chunk().copied().unwrap_or_default()))
        }
        (None, None) => agency,
    }
}
