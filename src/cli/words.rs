//! Answers and refusals in plain words, in Persian and English.

use std::fmt::Write;

use jiff::civil;
use serde_json::Value;

use super::client::Answered;
use super::verify::Lang;
use super::words_fa as fa;
use crate::core::domain::date::jalali;
use crate::core::domain::document::DocumentKind;
use crate::core::domain::reason::OutageStep;
use crate::core::domain::refusal::RefusalCode;

/// The text of an answer or a refusal for a person at a terminal.
pub(super) fn answer(answered: &Answered, lang: Lang) -> String {
    let mut text = String::new();
    let lines = if answered.status == 200 { decided(&answered.body, lang) } else { refused(answered, lang) };
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
    if let Some(window) = body.pointer("/reason/next/window") {
        lines.push((pick(lang, "مهلت", "window"), with_decree(window, key)));
    }
    if let Some(then) = body.pointer("/reason/next/then") {
        lines.push((pick(lang, "سپس دارنده", "then, holder"), with_decree(then, key)));
    }
    if let Some(terms) = body.get("terms") {
        lines.push((pick(lang, "شرط", "terms"), self::terms(terms, lang)));
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

/// Words that rest on a decree, and its name where it is told.
fn with_decree(of: &Value, key: &str) -> String {
    let decree = of.get("decree").and_then(Value::as_str).map(|decree| format!(" ({decree})")).unwrap_or_default();
    format!("{}{decree}", string(of, &format!("/message/{key}")))
}

/// The `terms` of an answer: how many, how often, how long.
pub(super) fn terms(of: &Value, lang: Lang) -> String {
    let number = |name: &str| of.get(name).and_then(Value::as_u64).map(|number| digits(&number.to_string(), lang));
    let day = |day: civil::Date| match lang {
        Lang::Fa => fa::digits(&jalali(day)),
        Lang::En => format!("{} ({day})", jalali(day)),
    };
    let last = of.get("last_day").and_then(Value::as_str).and_then(|day| day.parse().ok()).map(day);
    let with_document = of.get("ends_with_document").map(|_| match (lang, last) {
        (Lang::Fa, Some(day)) => format!("اعتبار تا پایان مدرک، {day}"),
        (Lang::Fa, None) => "اعتبار تا پایان مدرک".to_owned(),
        (Lang::En, Some(day)) => format!("valid as long as the document, to {day}"),
        (Lang::En, None) => "valid as long as the document".to_owned(),
    });
    let at_most = number("at_most").map(|number| match lang {
        Lang::Fa => format!("حداکثر {number} عدد برای هر دارنده"),
        Lang::En => format!("at most {number} for each holder"),
    });
    let cycle = number("cycle_months").map(|number| match lang {
        Lang::Fa => format!("هر {number} ماه از نو"),
        Lang::En => format!("anew every {number} months"),
    });
    let parts: Vec<String> = [at_most, cycle, with_document].into_iter().flatten().collect();
    parts.join(pick(lang, "؛ ", "; "))
}

fn refused(answered: &Answered, lang: Lang) -> Vec<(&'static str, String)> {
    let (body, ours) = (&answered.body, answered.status == 503);
    let code = string(body, "/code");
    // Where it is we who fail, nobody was refused.
    let head = if ours { pick(lang, "بی‌پاسخ", "no answer") } else { pick(lang, "رد شد", "refused") };
    let mut lines = vec![(head, code.to_owned())];
    let told = RefusalCode::parse(code).filter(|_| matches!(lang, Lang::Fa));
    lines.extend(told.map(|code| ("دلیل", fa::refusal(code).to_owned())));
    // A bare 503 has no detail; its title is the code in words.
    let title = body.get("title").filter(|_| told.is_none());
    let why = body.get("detail").or(title).and_then(Value::as_str);
    lines.extend(why.map(|why| (pick(lang, "جزئیات", "why"), why.to_owned())));
    if ours {
        lines.push((pick(lang, "در این میان", "meanwhile"), advice(body, lang).to_owned()));
    }
    lines.push((pick(lang, "شماره", "request id"), string(body, "/request_id").to_owned()));
    if let Some(hint) = body.get("hint").and_then(Value::as_str) {
        lines.push((pick(lang, "راهنما", "hint"), hint.to_owned()));
    }
    lines
}

/// The `advice` of a 503 in words. One without, of an agency whose policy has no word for it, is asked again.
fn advice(body: &Value, lang: Lang) -> &str {
    match body.get("advice").and_then(Value::as_str) {
        Some(code) => OutageStep::parse(code).map_or(code, |step| meanwhile(step, lang)),
        None => pick(lang, "کمی بعد دوباره بپرسید", "ask again a little later"),
    }
}

/// What an agency does for the holder while nobody can answer, as its policy says.
pub(super) const fn meanwhile(step: OutageStep, lang: Lang) -> &'static str {
    match step {
        OutageStep::Proceed => pick(lang, "خدمت را بدهید و بعداً دوباره بپرسید", "serve the holder and ask again later"),
        OutageStep::TryLater => pick(lang, "پیش از هر اقدام دوباره بپرسید", "ask again before you act"),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: Value, lang: Lang) -> String {
        answer(&Answered { status, body, sent: Vec::new() }, lang)
    }

    #[test]
    fn clerk_reads_what_the_policy_says_for_an_outage_and_nothing_else() {
        let bare = |advice: &str| json!({"status": 503, "title": "The answer could not be recorded", "code": "ledger-unavailable", "request_id": "r-1", "advice": advice});
        let proceed = told(503, bare("proceed"), Lang::En);
        assert!(
            proceed.contains("serve the holder and ask again later") && proceed.contains("The answer could not be recorded"),
            "{proceed}"
        );
        assert!(!proceed.lines().any(|line| line.ends_with(" -") || line.starts_with("refused")), "{proceed}");
        let persian = told(503, bare("proceed"), Lang::Fa);
        assert!(persian.contains("خدمت را بدهید") && persian.contains("ثبت پاسخ ممکن نشد"), "{persian}");
        assert_eq!(persian.matches("بپرسید").count(), 1, "the policy's word alone says when to ask again: {persian}");
        let wait = told(503, bare("try-later"), Lang::Fa);
        assert!(wait.contains("پیش از هر اقدام دوباره بپرسید") && !wait.contains("خدمت را بدهید"), "{wait}");
        let mut silent = bare("");
        if let Some(members) = silent.as_object_mut() {
            members.remove("advice");
        }
        assert!(told(503, silent, Lang::En).contains("ask again a little later"));
    }

    #[test]
    fn clerk_reads_the_renewal_window_in_the_readers_calendar() {
        let next = json!({"who": "holder", "action": "renew-document", "message": {"fa": "تمدید", "en": "renew"},
            "window": {"from": "2024-12-02", "decree": "d3", "message": {"fa": "مهلت تمدید از ۱۴۰۳/۰۹/۱۲ تا اطلاع بعدی است.", "en": "from 1403/09/12"}}});
        let mut body = json!({"decision": "indeterminate", "reason": {"code": "lapsed-renewable", "message": {}, "next": next}});
        assert!(told(200, body.clone(), Lang::En).contains("window         from 1403/09/12 (d3)"));
        let persian = told(200, body.clone(), Lang::Fa);
        assert!(persian.contains("مهلت تمدید از ۱۴۰۳/۰۹/۱۲ تا اطلاع بعدی است. (d3)"), "{persian}");
        drop(body.pointer_mut("/reason/next/window").and_then(Value::as_object_mut).map(|window| window.remove("decree")));
        assert!(
            told(200, body.clone(), Lang::En).lines().any(|line| line.ends_with("from 1403/09/12")),
            "a decree that is not told is not missed"
        );
    }

    #[test]
    fn clerk_reads_how_many_and_how_long() {
        let of = json!({"at_most": 1, "ends_with_document": true, "last_day": "2029-03-20"});
        assert_eq!(terms(&of, Lang::En), "at most 1 for each holder; valid as long as the document, to 1408/01/01 (2029-03-20)");
        assert_eq!(terms(&of, Lang::Fa), "حداکثر ۱ عدد برای هر دارنده؛ اعتبار تا پایان مدرک، ۱۴۰۸/۰۱/۰۱");
        assert_eq!(terms(&json!({"cycle_months": 12}), Lang::En), "anew every 12 months");
        assert_eq!(terms(&json!({"ends_with_document": true}), Lang::Fa), "اعتبار تا پایان مدرک");
    }

    #[test]
    fn refusal_has_no_advice_and_its_detail() {
        let body = json!({"status": 403, "title": "t", "code": "service-not-allowed", "detail": "ask the operator", "request_id": "r-1"});
        let english = told(403, body.clone(), Lang::En);
        assert!(english.starts_with("refused") && english.contains("ask the operator") && !english.contains("meanwhile"), "{english}");
        assert!(!told(403, body, Lang::Fa).contains("در این میان"));
    }
}
