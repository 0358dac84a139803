//! Refusals on the listeners where nobody is known: problems as everywhere, without a record. Strangers must not be able to fill
//! the log (contract §4: requests that are not HTTP and reads of public metadata are not recorded).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL};
use actix_web::{HttpResponse, HttpResponseBuilder};
use uuid::Uuid;

use super::unreadable::{on_the_wire, what_is_wrong};
use crate::adapters::tls::unreadable::RefuseUnreadable;
use crate::core::domain::clock::Clock;
use crate::core::domain::refusal::RefusalCode;
use crate::core::reply::{self, PROBLEM};

/// A path that the listener does not have.
pub(super) async fn not_found() -> HttpResponse {
    no_such_path()
}

/// The same at once.
pub(super) fn no_such_path() -> HttpResponse {
    let detail = "see the API description for the resources of this listener";
    refusal(RefusalCode::NotFound).body(reply::unrecorded_problem(Uuid::now_v7(), RefusalCode::NotFound, detail))
}

/// Another method than a resource of this listener has.
pub(super) async fn only_reads() -> HttpResponse {
    let code = RefusalCode::MethodNotAllowed;
    refusal(code).insert_header((ALLOW, "GET, HEAD")).body(reply::unrecorded_problem(Uuid::now_v7(), code, "use GET"))
}

fn refusal(code: RefusalCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST));
    response.insert_header((CACHE_CONTROL, "no-store")).content_type(PROBLEM);
    response
}

/// The whole reply to a stranger's unreadable request. The connection ends with it.
pub fn refuse_stranger(clock: Arc<dyn Clock>) -> RefuseUnreadable {
    Arc::new(move |_, what| {
        let (code, detail) = what_is_wrong(what);
        let body = reply::unrecorded_problem(Uuid::now_v7(), code, detail);
        let bytes = on_the_wire(code.status(), PROBLEM, &[], &body, clock.now());
        Box::pin(async move { bytes })
    })
}
