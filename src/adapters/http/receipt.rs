//! `GET /receipt`: a page on which anybody checks a receipt in the browser. It sends nothing; all that it fetches are public keys.

use actix_web::HttpResponse;

/// Nothing but our own script and style, requests to our own origin alone, no frames, no forms that go anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// `GET /receipt`.
pub(super) async fn page() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("receipt/page.html"))
}

/// `GET /receipt/check.js`.
pub(super) async fn script() -> HttpResponse {
    file(
        "text/javascript; charset=utf-8",
        concat!(include_str!("receipt/words.js"), include_str!("receipt/check.js"), include_str!("receipt/page.js")),
    )
}

/// `GET /receipt/style.css`.
pub(super) async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("receipt/style.css"))
}

fn file(content_type: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Content-Security-Policy", POLICY))
        .insert_header(("Cache-Control", "no-cache"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .insert_header(("Cross-Origin-Resource-Policy", "same-origin"))
        .insert_header(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
        .content_type(content_type)
        .body(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::core::ledger::genuine::Doubt;

    const WORDS: &str = include_str!("receipt/words.js");
    const CHECK: &str = include_str!("receipt/check.js");

    /// The page takes no kept checkpoint, so it has no words for what only that can meet.
    const WITHOUT_CHECKPOINT: [Doubt; 2] = [Doubt::OtherCheckpoint, Doubt::Fork];

    #[test]
    fn the_page_has_words_in_three_languages_for_every_doubt_and_calls_the_same_ones_false() {
        let (_, list) = CHECK.split_once("const FALSE = new Set([").unwrap();
        let (list, _) = list.split_once(']').unwrap();
        for doubt in Doubt::ALL {
            let code = format!("'{}'", doubt.code());
            assert_eq!(list.contains(&code), doubt.is_false(), "{code}");
            if !WITHOUT_CHECKPOINT.contains(&doubt) {
                assert_eq!(WORDS.matches(&format!("{code}: '")).count(), 3, "{code}");
            }
        }
    }

    #[test]
    fn the_page_names_no_other_origin_and_writes_no_markup() {
        for text in [WORDS, CHECK, include_str!("receipt/page.js"), include_str!("receipt/page.html"), include_str!("receipt/style.css")] {
            for word in [
                "http:",
                "https:",
                "//cdn",
                "innerHTML",
                "eval(",
                "document.write",
                "localStorage",
                "sendBeacon",
                "XMLHttpRequest",
                "WebSocket",
            ] {
                assert!(!text.contains(word), "`{word}`");
            }
        }
        assert_eq!(include_str!("receipt/page.js").matches("fetch(").count(), 1, "the keys, and nothing else");
    }
}
