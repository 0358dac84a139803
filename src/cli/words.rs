//! Answers and refusals in plain words, in Persian and English.

use std::fmt::Write;

use serde_json::Value;

use super::client::Answered;
use super::verify::Lang;
use super::words_fa as fa;
use crate::core::domain::document::DocumentKind;
use crate::core::domain::refusal::RefusalCode;

/// The text of an answer or a refusal for a person at a terminal.
pub(super) fn answer(answered: &Answered, lang: Lang) -> String {
    let mut text = String::new();
    let lines = if answered.status == 200 { decided(&answered.body, lang) } else { refused(&answered.body, lang) };
    for (label, value) in lines {
        let _ = writeln!(text, "{label:<14} {value}");
    }
    text.truncate(text.trim_end().len());
    text
}

fn decided(body: &Value, lang: Lang) -> Vec<(&'static str, String)> {
    let key = match lang {
        Lang::Fa => "fa",
        Lang::En => "en",
    };
    let mut lines = vec![
        (pick(lang, "پاسخ", "answer"), outcome(string(body, "/decision"), lang)),
        (pick(lang, "دلیل", "reason"), string(body, &format!("/reason/message/{key}")).to_owned()),
        (pick(lang, "گام بعد", "next"), string(body, &format!("/reason/next/message/{key}")).to_owned()),
    ];
    if let Some(then) = body.pointer("/reason/next/then") {
        let words = format!("{} ({})", string(then, &format!("/message/{key}")), string(then, "/decree"));
        lines.push((pick(lang, "سپس دارنده", "then, holder"), words));
    }
    if let Some(document) = body.get("document") {
        let series = document.get("series").and_then(Value::as_u64).map(|series| format!(" {series}")).unwrap_or_default();
        lines.push((pick(lang, "مدرک", "document"), format!("{}{}", kind(string(document, "/kind"), lang), digits(&series, lang))));
        if let Some(decree) = document.get("decree").and_then(Value::as_str) {
            lines.push((pick(lang, "ابلاغیه", "decree"), decree.to_owned()));
        }
    }
    let as_of = format!("{} ({})", instant(string(body, "/as_of"), lang), freshness(string(body, "/freshness"), lang));
    lines.push((pick(lang, "زمان داده", "as of"), as_of));
    lines.push((pick(lang, "اعتبار پاسخ", "valid until"), instant(string(body, "/valid_until"), lang)));
    lines.push((pick(lang, "شماره پاسخ", "answer id"), string(body, "/answer_id").to_owned()));
    if let Some(code) = body.pointer("/receipt/code").and_then(Value::as_str) {
        lines.push((pick(lang, "کد رسید", "receipt code"), code.to_owned()));
    }
    let index = body.pointer("/ledger/index").map(Value::to_string).unwrap_or_default();
    lines.push((pick(lang, "ردیف ثبت", "log entry"), digits(&index, lang)));
    lines
}

fn refused(body: &Value, lang: Lang) -> Vec<(&'static str, String)> {
    let mut lines = vec![(pick(lang, "رد شد", "refused"), string(body, "/code").to_owned())];
    if let (Lang::Fa, Some(code)) = (lang, RefusalCode::parse(string(body, "/code"))) {
        lines.push(("دلیل", fa::refusal(code).to_owned()));
    }
    lines.push((pick(lang, "جزئیات", "why"), string(body, "/detail").to_owned()));
    lines.push((pick(lang, "شماره", "request id"), string(body, "/request_id").to_owned()));
    if let Some(hint) = body.get("hint").and_then(Value::as_str) {
        lines.push((pick(lang, "راهنما", "hint"), hint.to_owned()));
    }
    lines
}

fn outcome(code: &str, lang: Lang) -> String {
    match (code, lang) {
        ("entitled", Lang::Fa) => "✔ مستحق".to_owned(),
        ("not-entitled", Lang::Fa) => "✘ غیرمستحق".to_owned(),
        ("indeterminate", Lang::Fa) => "? نامعین (دلیلی برای رد خدمت نیست)".to_owned(),
        ("no-document-required", Lang::Fa) => "✔ مدرک لازم نیست".to_owned(),
        ("entitled", Lang::En) => "✔ entitled".to_owned(),
        ("not-entitled", Lang::En) => "✘ not entitled".to_owned(),
        ("indeterminate", Lang::En) => "? indeterminate (no ground to refuse the service)".to_owned(),
        ("no-document-required", Lang::En) => "✔ no document required".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The reader's digits (domain §9).
fn digits(text: &str, lang: Lang) -> String {
    match lang {
        Lang::Fa => fa::digits(text),
        Lang::En => text.to_owned(),
    }
}

fn kind(code: &str, lang: Lang) -> String {
    match (lang, DocumentKind::parse(code)) {
        (Lang::Fa, Some(kind)) => fa::kind(kind).to_owned(),
        _ => code.to_owned(),
    }
}

fn freshness(code: &str, lang: Lang) -> &str {
    match (lang, code) {
        (Lang::Fa, "live") => "هم‌اکنون از مرجع",
        (Lang::Fa, "cached") => "از حافظه",
        (Lang::Fa, "stale") => "از حافظه، مرجع در دسترس نیست",
        _ => code,
    }
}

fn instant(rfc3339: &str, lang: Lang) -> String {
    match (lang, rfc3339.parse()) {
        (Lang::Fa, Ok(at)) => fa::instant(at),
        _ => rfc3339.to_owned(),
    }
}

const fn pick(lang: Lang, fa: &'static str, en: &'static str) -> &'static str {
    match lang {
        Lang::Fa => fa,
        Lang::En => en,
    }
}

fn string<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}
