//! `GET /v1/log/export`: everything that fits a filter, row by row, in a file that whoever gets it can check.
//!
//! The first line is the manifest, the statement of the export's own entry, which is durable before it leaves. Rows follow as they are read; memory does
//! not grow with them. The last line counts them, closes the gap to the end of the log and has the digest of all bytes before it; it is the statement of
//! a second entry. A file without it is not whole.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;

use super::asked::Asked;
use super::rows::Format;
use super::{HttpState, context_of, limited, queried, unreadable};
use crate::adapters::http::{incoming, respond};
use crate::adapters::tls::connection::ConnectionHandle;
use crate::core::domain::agency::Scope;
use crate::core::domain::context::CallContext;
use crate::core::domain::refusal::{Refusal, RefusalCode};
use crate::core::ledger::audit::{DamagedEntry, Filter, Found, Search, Takes};
use crate::core::ledger::{EntryKind, LogUnreadable};
use crate::core::reply::Reply;
use crate::core::signing::Delivery;
use crate::flow::{self, Incoming, Tenure};

/// Rows read and sent at once.
const PAGE: usize = 500;
const ROUTE: &str = "log-export";
/// An export is whole and oldest first: it takes no paging.
const TAKES: Takes = Takes { format: true, ..Takes::FILTER };

/// An export on its way.
struct Export {
    state: Arc<HttpState>,
    context: CallContext,
    connection: Option<Arc<ConnectionHandle>>,
    tenure: Tenure,
    format: Format,
    filter: Filter,
    size: u64,
    /// Entries before this one are in the file, as rows or in gaps.
    at: u64,
    /// The next row is looked for from here on.
    bound: u64,
    rows: u64,
    digest: Digest,
    /// The first lines, until they are sent.
    head: Option<Bytes>,
    done: bool,
}

/// What an export leaves in the log of its own question.
#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    asked: Asked,
    format: &'static str,
    tree_size: u64,
    count: Option<u64>,
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
    let log = &state.audit.log;
    let (size, checkpoint) = log.covering_checkpoint().await.map_err(unreadable(context.clone()))?;
    let search = Search { filter: query.filter.clone(), size: Some(size), counted: true, present_only: true, ..Search::default() };
    let count = whole(log.search(search).await).map_err(unreadable(context.clone()))?.count;
    let manifest = json!({ "manifest": {
        "export_id": context.request_id, "origin": state.gate.ledger.origin(), "format": format.code(), "filter": &query.filter,
        "tree_size": size, "count": count, "checkpoint": checkpoint,
    } });
    let line = format.remark(&manifest.to_string());
    let asked = Asked::new(&state, &query.filter, count.is_some_and(|count| count > 0)).await.map_err(unreadable(context.clone()))?;
    let details = serde_json::to_string(&Details { asked, format: format.code(), tree_size: size, count }).ok();
    let delivery = Delivery {
        context: context.clone(),
        kind: EntryKind::LogRead,
        code: "export",
        details,
        status: 200,
        content_type: format.media_type(),
        statement: manifest.to_string(),
        body: String::new(),
    };
    tenure.still_good(&state.gate, &context)?;
    let head = Some(Bytes::from(line + format.head()));
    let (digest, filter) = (Digest::new(&SHA256), query.filter);
    Ok((delivery, Export { state, context, connection, tenure, format, filter, size, at: 0, bound: 0, rows: 0, digest, head, done: false }))
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

/// An export has every row that fits, or there is none.
fn whole(found: Result<Found, LogUnreadable>) -> Result<Found, LogUnreadable> {
    let found = found?;
    let Some(DamagedEntry { index, .. }) = found.damaged.first() else { return Ok(found) };
    tracing::error!(index, "nothing is exported of a span with an entry that does not fit its leaf");
    Err(LogUnreadable("an entry of the span does not fit its leaf"))
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
        let search = Search {
            filter: self.filter.clone(),
            limit: PAGE,
            bound: Some(self.bound),
            size: Some(self.size),
            oldest_first: true,
            present_only: true,
            ..Search::default()
        };
        let found = whole(self.state.audit.log.search(search).await)?;
        let Some(last) = found.rows.last().map(|row| row.index) else { return self.end().await.map(Some) };
        let mut gaps = Vec::with_capacity(found.rows.len());
        for row in &found.rows {
            gaps.push((self.at, row.index));
            self.at = row.index + 1;
        }
        let covers = self.state.audit.log.cover(gaps).await?;
        let mut text = String::new();
        for (row, gap) in found.rows.iter().zip(&covers) {
            self.format.row(&mut text, row, gap);
        }
        self.rows += found.rows.len() as u64;
        self.bound = last + 1;
        self.digest.update(text.as_bytes());
        Ok(Some(Bytes::from(text)))
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
    async fn end(&mut self) -> Result<Bytes, LogUnreadable> {
        self.done = true;
        let cover = self.state.audit.log.cover(vec![(self.at, self.size)]).await?.pop().unwrap_or_default();
        let digest = self.digest.clone().finish();
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let context = self.own_context();
        let end = json!({ "end": { "export_id": self.context.request_id, "rows": self.rows, "sha256": hex, "recorded_as": context.request_id,
            "gap": super::rows::base64(&cover) } });
        let delivery = Delivery {
            context,
            kind: EntryKind::LogRead,
            code: "export-end",
            details: serde_json::to_string(&json!({ "export_id": self.context.request_id, "rows": self.rows })).ok(),
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
