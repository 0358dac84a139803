//! `GET /v1/log/export`: everything that fits a filter, row by row, in a file that whoever gets it can check.
//!
//! The first line is the manifest, the statement of the export's own entry, which is durable before it leaves. Rows follow as they are read, log by log; memory does
//! not grow with them. A line after each stretch that a checkpoint covers closes the gap to its end. The last line counts the rows, closes the last gap and
//! has the digest of all bytes before it; it is the statement of a second entry. A file without it is not whole.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use futures_util::stream;
use jiff::Timestamp;
use serde_json::json;

use super::manifest::{Extent, Manifest};
use super::rows::{Format, destroy_by};
use super::{HttpState, context_of, limited, queried, unreadable};
use crate::adapters::http::{incoming, respond};
use crate::adapters::tls::connection::ConnectionHandle;
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{AuditRow, DamagedEntry, Filter, Search, Stretch, Takes};
use crate::core::ledger::{EntryKind, LogUnreadable};
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming, Tenure};

/// Rows read and sent at once.
const PAGE: usize = 500;
const ROUTE: &str = "log-export";
/// An export is whole and oldest first: it takes no paging.
const TAKES: Takes = Takes { format: true, origin: true, ..Takes::FILTER };

/// An export on its way.
struct Export {
    state: Arc<HttpState>,
    context: CallContext,
    connection: Option<Arc<ConnectionHandle>>,
    tenure: Tenure,
    format: Format,
    filter: Filter,
    /// What it covers, and how many rows were counted.
    extent: Extent,
    /// The stretch that is read.
    number: usize,
    /// Entries of its log before this one are proved, as rows or in gaps.
    at: u64,
    /// The next row of its log is looked for from here on.
    bound: u64,
    /// Rows of the stretch, and of all.
    here: u64,
    rows: u64,
    /// The first and the last instant by which a row is to be destroyed.
    due: Option<(Timestamp, Timestamp)>,
    /// What could not be read, as the last page of each log said.
    damaged: Vec<(u16, Vec<DamagedEntry>)>,
    digest: Digest,
    /// The first lines, until they are sent.
    head: Option<Bytes>,
    done: bool,
}

/// A whole export.
pub(in crate::adapters::http) async fn export(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let arrival = respond::Arrival::now();
    let Some(incoming) = incoming::read_queried(&state, &request, payload, ROUTE, 0).await else {
        return respond::unread(&request).await;
    };
    let (grid, query) = (state.grid, request.query_string().to_owned());
    let connection = request.conn_data::<Arc<ConnectionHandle>>().cloned();
    match rt::spawn(begin(state.into_inner(), incoming, query, connection)).await {
        Ok((reply, Some(export))) if reply.status() == 200 => streamed(export),
        Ok((reply, _)) => respond::timed(&reply, arrival, grid, &request).await,
        Err(_) => respond::unread(&request).await,
    }
}

async fn begin(
    state: Arc<HttpState>,
    incoming: Incoming,
    query: String,
    connection: Option<Arc<ConnectionHandle>>,
) -> (Reply, Option<Export>) {
    let gate = state.gate.clone();
    if let Some(reply) = flow::no_reading(&gate, &incoming) {
        return (reply, None);
    }
    match prepared(state, &incoming, &query, connection).await {
        Ok((delivery, export)) => (flow::deliver(&gate, delivery).await, Some(export)),
        Err(refusal) => (flow::refuse(&gate, refusal).await, None),
    }
}

async fn prepared(
    state: Arc<HttpState>,
    incoming: &Incoming,
    text: &str,
    connection: Option<Arc<ConnectionHandle>>,
) -> Result<(Delivery, Export), Box<Refusal>> {
    let call = flow::authenticate(&state.gate, incoming, Scope::LogPatterns).await?;
    let call = limited(&state, call)?;
    let tenure = Tenure::of(&call);
    let context = context_of(&state, call);
    let malformed = |detail: &str| Refusal::new(context.clone(), RefusalCode::MalformedRequest, detail);
    let query = queried(&state, text, TAKES).map_err(|detail| malformed(&detail))?;
    let format = Format::parse(query.format.as_deref()).ok_or_else(|| malformed("`format` is `ndjson` or `csv`"))?;
    let log = &*state.audit.log;
    let only = super::one_log(log, query.origin.as_deref()).map_err(|fault| fault.refusal(&context))?;
    let extent = Extent::of(log, &query.filter, only).await.map_err(unreadable(context.clone()))?;
    let manifest = Manifest::new(&context, format.code(), &query.filter, &extent);
    let details = manifest.details(&state).await.map_err(unreadable(context.clone()))?;
    let manifest = json!({ "manifest": manifest }).to_string();
    let line = format.remark(&manifest);
    let delivery = Delivery {
        context: context.clone(),
        kind: EntryKind::LogRead,
        code: "export",
        details,
        status: 200,
        content_type: format.media_type(),
        statement: manifest,
        body: String::new(),
    };
    tenure.still_good(&state.gate, &context)?;
    let head = Some(Bytes::from(line + format.head()));
    let (number, at, bound, here, rows, due, damaged) = (0, 0, 0, 0, 0, None, Vec::new());
    let (digest, filter, done) = (Digest::new(&SHA256), query.filter, false);
    let export = Export {
        state,
        context,
        connection,
        tenure,
        format,
        filter,
        extent,
        number,
        at,
        bound,
        here,
        rows,
        due,
        damaged,
        digest,
        head,
        done,
    };
    Ok((delivery, export))
}

fn streamed(export: Export) -> HttpResponse {
    let media_type = export.format.media_type();
    let body = stream::unfold(export, |mut export| async move {
        match export.step().await {
            Ok(None) => None,
            Ok(Some(bytes)) => Some((Ok(bytes), export)),
            Err(error) => {
                // The reader sees that the file is not whole: it has no last line, and the body breaks off.
                tracing::error!(%error, "an export broke off");
                export.done = true;
                Some((Err(std::io::Error::other("the export broke off")), export))
            }
        }
    });
    let mut response = HttpResponse::build(StatusCode::OK).content_type(media_type).streaming(body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Export {
    /// The next bytes; none at the end.
    async fn step(&mut self) -> Result<Option<Bytes>, LogUnreadable> {
        // A long file is not a slow reply: each part has the time that a reply has.
        self.connection.iter().for_each(|connection| connection.body_complete());
        if let Some(head) = self.head.take() {
            self.digest.update(&head);
            return Ok(Some(head));
        }
        if self.done {
            return Ok(None);
        }
        self.goes_on().await?;
        let Some(stretch) = self.extent.stretches.get(self.number).cloned() else { return Ok(None) };
        let search = Search {
            filter: self.filter.clone(),
            limit: PAGE,
            bound: Some(self.bound),
            size: Some(stretch.size),
            oldest_first: true,
            only: Some(stretch.log),
            ..Search::default()
        };
        let found = self.state.audit.log.search(search).await?;
        self.damaged.retain(|(log, _)| *log != stretch.log);
        self.damaged.push((stretch.log, found.damaged));
        match found.rows.is_empty() {
            false => self.some(stretch, &found.rows).await.map(Some),
            true if self.number + 1 < self.extent.stretches.len() => self.close(stretch).await.map(Some),
            true => self.end(stretch).await.map(Some),
        }
    }

    /// Some rows.
    async fn some(&mut self, stretch: Stretch, rows: &[AuditRow]) -> Result<Bytes, LogUnreadable> {
        let origin = stretch.origin.clone();
        let indices: Vec<u64> = rows.iter().map(|row| row.index).collect();
        self.bound = indices.last().map_or(self.bound, |last| last + 1);
        let cover = self.state.audit.log.cover(stretch, self.at, indices, false).await?;
        self.at = cover.at;
        let mut text = String::new();
        for (row, gap) in rows.iter().zip(&cover.gaps) {
            self.format.row(&mut text, (row, &origin), gap.as_deref());
            let due = destroy_by(row);
            self.due = Some(self.due.map_or((due, due), |(first, last)| (first.min(due), last.max(due))));
        }
        self.rows += rows.len() as u64;
        self.here += rows.len() as u64;
        self.digest.update(text.as_bytes());
        Ok(Bytes::from(text))
    }

    /// The line behind a stretch after which another comes.
    async fn close(&mut self, stretch: Stretch) -> Result<Bytes, LogUnreadable> {
        let (origin, size, log) = (stretch.origin.clone(), stretch.size, stretch.log);
        let gap = self.last_gap(stretch).await?;
        let part = json!({ "part": { "origin": &*origin, "tree_size": size, "rows": self.here, "gap": gap } });
        let line = self.format.remark(&part.to_string());
        (self.number, self.here) = (self.number + 1, 0);
        if self.extent.stretches.get(self.number).is_none_or(|next| next.log != log) {
            (self.at, self.bound) = (0, 0);
        }
        self.digest.update(line.as_bytes());
        Ok(Bytes::from(line))
    }

    /// The gap to the end of a stretch, in base64.
    async fn last_gap(&mut self, stretch: Stretch) -> Result<Option<Vec<String>>, LogUnreadable> {
        let mut cover = self.state.audit.log.cover(stretch, self.at, Vec::new(), true).await?;
        self.at = cover.at;
        Ok(cover.gaps.pop().flatten().map(|gap| super::rows::base64(&gap)))
    }

    /// Whoever may have no more of it gets no more, and that is on record.
    async fn goes_on(&self) -> Result<(), LogUnreadable> {
        let Err((code, detail)) = self.tenure.goes_on(&self.state.gate) else { return Ok(()) };
        let mut context = self.own_context();
        context.reference = Some(self.context.request_id.to_string());
        flow::refuse(&self.state.gate, Refusal::new(context, code, detail)).await;
        Err(LogUnreadable("whoever asked for it may have no more of it"))
    }

    /// The context of a further entry about this export.
    fn own_context(&self) -> CallContext {
        let mut context = CallContext::new(ROUTE, self.state.gate.clock.now());
        (context.agency, context.branch, context.certificate) =
            (self.context.agency.clone(), self.context.branch.clone(), self.context.certificate);
        context
    }

    /// The last line, once it is on record.
    async fn end(&mut self, stretch: Stretch) -> Result<Bytes, LogUnreadable> {
        self.done = true;
        let gap = self.last_gap(stretch).await?;
        // More than were counted: what was damaged was put right meanwhile, and the manifest says otherwise.
        let gone = self.extent.count().checked_sub(self.rows).ok_or(LogUnreadable("an entry was put right meanwhile; export again"))?;
        let digest = self.digest.clone().finish();
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let context = self.own_context();
        let end = json!({ "end": { "export_id": self.context.request_id, "rows": self.rows, "gone": gone, "damaged": self.extent.not_told(&self.damaged),
            "first_destroy_by": self.due.map(|(first, _)| first), "last_destroy_by": self.due.map(|(_, last)| last), "sha256": hex,
            "recorded_as": context.request_id, "gap": gap } });
        let delivery = Delivery {
            context,
            kind: EntryKind::LogRead,
            code: "export-end",
            details: serde_json::to_string(&json!({ "export_id": self.context.request_id, "rows": self.rows, "gone": gone })).ok(),
            status: 200,
            content_type: self.format.media_type(),
            statement: end.to_string(),
            body: String::new(),
        };
        if flow::deliver(&self.state.gate, delivery).await.status() != 200 {
            return Err(LogUnreadable("the end of the export could not be recorded"));
        }
        Ok(Bytes::from(self.format.remark(&end.to_string())))
    }
}
