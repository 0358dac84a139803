//! The floor: bare actix-web over rustls that reads the request's body and gives a fixed reply. Nothing of the gateway is in it.

use std::sync::Arc;

use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use crate::cli::FloorOptions;
use crate::fault::{Doing, Fault};
use crate::pki;

/// Bytes of the floor's reply beside its body: status line, length, type and date.
pub const HEAD_BYTES: usize = 110;

/// Serves on a free port of 127.0.0.1, which it prints, until it is told to end.
pub fn serve(options: &FloorOptions) -> Result<(), Fault> {
    let reply = Bytes::from(vec![b'x'; options.reply_bytes]);
    let tls = tls(options)?;
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let reply = reply.clone();
            App::new().default_service(web::to(move |_body: Bytes| {
                let reply = reply.clone();
                async move { HttpResponse::Ok().content_type(ContentType::json()).body(reply) }
            }))
        })
        .workers(1)
        .tcp_nodelay(true)
        .bind_rustls_0_23(("127.0.0.1", 0), tls)
        .doing("listening as the floor")?;
        println!("{}", server.addrs().first().doing("listening as the floor")?.port());
        server.run().await.doing("serving as the floor")
    })
}

fn tls(options: &FloorOptions) -> Result<ServerConfig, Fault> {
    let file = |name: &str| options.pki.join(name);
    let anchors = Arc::new(pki::anchors(&file("ca.pem"))?);
    let verifier = WebPkiClientVerifier::builder_with_provider(anchors, pki::provider()).build().doing("preparing the floor's TLS")?;
    ServerConfig::builder_with_provider(pki::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .doing("preparing the floor's TLS")?
        .with_client_cert_verifier(verifier)
        .with_single_cert(pki::chain(&file("server-cert.pem"))?, pki::key(&file("server-key.pem"))?)
        .doing("preparing the floor's TLS")
}
