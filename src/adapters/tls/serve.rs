//! The accept loop: sockets through [`handshake`](super::handshake) into actix's HTTP/1.1 service, under the table's watch.
//!
//! actix's own loop never cuts a slow head on a second request nor any slow body, knows no caps per address or agency, and
//! takes its TLS settings once. So the loop is ours, over the same parts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Weak};

use actix_http::{ConnectionType, Extensions, HttpMessage as _, HttpService, KeepAlive, Payload, Protocol, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, web};
use futures_util::future::{Either, select};
use tokio::net::TcpStream;

use super::connection::ConnectionHandle;
use super::handshake::{TlsMode, TlsRefusal, establish};
use super::handshake_pool::HandshakePool;
use super::stream::GuardedStream;
use super::table::{ConnectionLimits, ConnectionTable};
use super::unreadable::RefuseUnreadable;
use crate::threads;

/// What actix's HTTP service takes for a connection.
type Accepted = (GuardedStream, Protocol, Option<SocketAddr>);

/// One listener.
pub struct ListenerSpec {
    /// Its name in metrics and caps.
    pub name: &'static str,
    /// The bound socket.
    pub listener: TcpListener,
    /// What TLS it speaks.
    pub tls: TlsMode,
    /// Caps and deadlines.
    pub limits: ConnectionLimits,
    /// Worker threads.
    pub workers: usize,
    /// Answers requests that cannot be read; without it actix answers them bare.
    pub refuse_unreadable: Option<RefuseUnreadable>,
}

/// How long a graceful stop waits for requests under way, in seconds.
const DRAIN_SECONDS: u64 = 30;
/// How long a client may go on sending a body that was refused, before the connection closes under it.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);

/// Serves `configure`'s routes on the listener. Await the server to run it; `server.handle().stop(true)` stops it gracefully.
///
/// Handlers find `Arc<PeerChain>` (on mutual TLS) and `Arc<ConnectionHandle>` with `HttpRequest::conn_data`.
///
/// # Errors
/// The socket cannot be used.
pub fn serve(
    spec: ListenerSpec,
    table: Arc<ConnectionTable>,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let ListenerSpec { name, listener, tls, limits, workers, refuse_unreadable } = spec;
    cut_after_reload(&tls, &table);
    let address = listener.local_addr()?;
    let pool = match &tls {
        TlsMode::Mutual(_) | TlsMode::ServerOnly(_) => Some(Arc::new(HandshakePool::start(workers, &limits)?)),
        TlsMode::Plain => None,
    };
    let builder = ServerBuilder::new()
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(DRAIN_SECONDS)
        // Our own caps answer first, so that a full listener is counted instead of leaving sockets in the queue.
        .max_concurrent_connections(limits.total.saturating_add(limits.total / 4).saturating_add(64));
    let stopping = builder.graceful_shutdown_signal();
    let serves_agencies = matches!(&tls, TlsMode::Mutual(_));
    let service = move || {
        // Once on each thread that answers.
        if serves_agencies {
            threads::answer();
        }
        let configure = configure.clone();
        let head_bytes = limits.head_bytes;
        let stopping = stopping.clone();
        let app = App::new().configure(move |routes| configure(routes));
        let app = map_config(app.into_factory().map_err(|error| error.error_response()), |()| AppConfig::default());
        let http = HttpService::build()
            // The watchdog keeps all deadlines; actix's own timers would only cost.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(std::time::Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .local_addr(address)
            .on_connect_ext(introduce)
            .finish(apply_fn_factory(app, move |request, app| timed(request, app, head_bytes)));
        let http = apply_fn_factory(http.map_err(drop), until_cut);
        let (tls, table, limits, means) = (tls.clone(), table.clone(), limits.clone(), (pool.clone(), refuse_unreadable.clone()));
        fn_service(move |socket: TcpStream| {
            let (tls, table, limits, (pool, refuse)) = (tls.clone(), table.clone(), limits.clone(), means.clone());
            async move {
                let established = establish(name, socket, &tls, &table, &limits, (pool.as_deref(), refuse)).await;
                established.map_err(|refusal| count(name, refusal))
            }
        })
        .and_then(http)
    };
    Ok(builder.listen(name, listener, service)?.run())
}

/// Live connections are judged anew at once when the trust material changes.
fn cut_after_reload(tls: &TlsMode, table: &Arc<ConnectionTable>) {
    if let TlsMode::Mutual(trust) = tls {
        let table: Weak<ConnectionTable> = Arc::downgrade(table);
        trust.after_reload(move || {
            if let Some(table) = table.upgrade() {
                table.recheck();
            }
        });
    }
}

fn count(listener: &'static str, refusal: TlsRefusal) {
    metrics::counter!("estelam_tls_refusals_total", "listener" => listener, "reason" => refusal.label()).increment(1);
}

fn introduce(stream: &GuardedStream, data: &mut Extensions) {
    let handle = stream.handle();
    if let Some(peer) = handle.peer() {
        data.insert(peer.clone());
    }
    data.insert(handle.clone());
}

/// Runs a connection until it ends by itself or is cut.
fn until_cut<S>(stream: GuardedStream, http: &S) -> impl Future<Output = Result<(), ()>> + use<S>
where
    S: Service<Accepted, Response = (), Error = ()>,
    S::Future: 'static,
{
    let handle = stream.handle().clone();
    let address = stream.address();
    let connection = http.call((stream, Protocol::Http1, Some(address)));
    async move {
        let cut = pin!(handle.until_cut());
        match select(cut, pin!(connection)).await {
            // Dropping the connection closes its socket at once, whatever it was doing.
            Either::Left(((), _connection)) => Ok(()),
            Either::Right((ended, _)) => ended,
        }
    }
}

/// Tells the connection where its request stands, and answers none after the last one.
fn timed<S, B>(mut request: Request, app: &S, head_bytes: usize) -> impl Future<Output = Result<S::Response, S::Error>> + use<S, B>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = HttpResponse>,
    S::Future: 'static,
    B: MessageBody,
{
    let handle = request.conn_data::<Arc<ConnectionHandle>>().cloned();
    let is_late = handle.as_ref().is_some_and(|handle| handle.has_ended());
    let is_last = request.head().connection_type() == ConnectionType::Close;
    let has_body = !matches!(request.payload(), Payload::None);
    let fits = head_size(&request) <= head_bytes;
    let reply = (fits && !is_late).then(|| app.call(request));
    match &handle {
        Some(handle) if has_body => handle.body_started(),
        Some(handle) => handle.body_complete(),
        None => {}
    }
    async move {
        let mut outcome = match reply {
            Some(reply) => reply.await,
            // Bare as actix's own, so that the stream puts a recorded one in its place, or nothing.
            None if is_late => Err(HttpResponse::new(StatusCode::BAD_REQUEST)),
            None => Err(HttpResponse::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)),
        };
        if let Some(handle) = handle {
            if !is_late {
                end_with(&mut outcome, is_last, &handle);
            }
            handle.reply_sent();
        }
        outcome
    }
}

/// Ends the connection with a reply that says so, or to a request that did (RFC 9112 §9.6). actix remembers of a connection only what the latest head said,
/// which by now may be that of a request behind this one.
fn end_with<B: MessageBody>(outcome: &mut Result<ServiceResponse<B>, HttpResponse>, is_last: bool, handle: &ConnectionHandle) {
    let bare = match outcome {
        Ok(reply) => is_bare(reply.response()),
        Err(reply) => is_bare(reply),
    };
    let head = match outcome {
        Ok(reply) => reply.response_mut().head_mut(),
        Err(reply) => reply.head_mut(),
    };
    if is_last || bare || head.connection_type() == ConnectionType::Close {
        head.set_connection_type(ConnectionType::Close);
        handle.end(bare);
    }
}

/// Whether a reply is one of those that the stream holds back.
fn is_bare<B: MessageBody>(reply: &HttpResponse<B>) -> bool {
    let refuses = matches!(reply.status(), StatusCode::BAD_REQUEST | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    refuses && matches!(reply.body().size(), BodySize::None | BodySize::Sized(0))
}

fn head_size(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    fields.fold(target, usize::saturating_add)
}
