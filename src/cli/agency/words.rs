//! An agency's policy in plain words, Persian and English, for people who do not read TOML.

use std::fmt::Write;

use crate::cli::verify::Lang;
use crate::cli::words::meanwhile;
use crate::core::domain::document::DocumentKind;
use crate::core::limit::Tier;
use crate::core::policy::{AgencyPolicy, Grant, Snapshot};

/// One service × purpose of a policy, in a stable order.
pub(super) struct Line<'a> {
    pub(super) service: &'a str,
    pub(super) purpose: &'a str,
    pub(super) grant: &'a Grant,
}

/// Everything that an agency may ask.
pub(super) fn lines(policy: &AgencyPolicy) -> Vec<Line<'_>> {
    let purposes =
        policy.grants.iter().flat_map(|(service, purposes)| purposes.iter().map(move |(purpose, grants)| (service, purpose, grants)));
    let mut lines: Vec<_> =
        purposes.flat_map(|(service, purpose, grants)| grants.iter().map(move |grant| Line { service, purpose, grant })).collect();
    lines.sort_by(|one, other| (one.service, one.purpose, one.grant.from).cmp(&(other.service, other.purpose, other.grant.from)));
    lines
}

/// The policy in English.
pub(super) fn english(snapshot: &Snapshot, policy: &AgencyPolicy) -> String {
    let mut text = format!("What `{}` may ask\n\n", policy.id);
    for line in lines(policy) {
        let name = snapshot.services.get(line.service).map_or(line.service, |service| &service.en);
        let must =
            duties(line.grant, ["a named clerk (`actor`)", "a second factor (`check`)", "your reference", "a nonce", "your signature"]);
        let must = if must.is_empty() { "nothing besides".to_owned() } else { must.join(", ") };
        let outage = meanwhile(line.grant.outage.step(), Lang::En);
        let receipt = if line.grant.receipt { " A holder who wishes it may have a printed receipt (`receipt`)." } else { "" };
        let _ = writeln!(
            text,
            "- {name} (`{}`) for `{}`: give {must}. If the register is down: {outage}.{receipt}",
            line.service, line.purpose
        );
    }
    if lines(policy).is_empty() {
        text.push_str("- No verification queries.\n");
    }
    let names = [
        "the birth year or date",
        "the whole day printed as expiry date",
        "the whole day printed as expiry date, but not that of a card of a round or a census slip",
    ];
    if let Some(taken) = factors(policy, names) {
        let _ = writeln!(text, "\nSecond factors that count: {}.", taken.join("; "));
    }
    let scopes: Vec<_> = policy.scopes.iter().map(|scope| scope.code()).collect();
    let _ = writeln!(text, "\nScopes of your tokens: {}.", scopes.join(", "));
    if let Some(rate) = policy.rates.get(&Tier::Counter) {
        let _ = writeln!(text, "At the counter: {} queries a second, {} at once.", rate.per_second, rate.burst);
    }
    if let Some(quota) = policy.daily_quota {
        let _ = writeln!(text, "In a day: {quota} queries.");
    }
    let _ = writeln!(text, "Connections at once: {}.", policy.max_connections);
    text.push_str(english_signing(policy));
    text.push_str("\nA reply of `indeterminate` is no refusal: never turn it into one.\n");
    text
}

/// The policy in Persian.
pub(super) fn persian(snapshot: &Snapshot, policy: &AgencyPolicy) -> String {
    let mut text = format!("«{}» چه می‌تواند بپرسد\n\n", policy.id);
    for line in lines(policy) {
        let name = snapshot.services.get(line.service).map_or(line.service, |service| &service.fa);
        let must = duties(
            line.grant,
            ["نام کاربر (actor)", "عامل دوم (check)", "شماره پرونده خودتان (reference)", "عدد یک‌بارمصرف (nonce)", "امضای درخواست"],
        );
        let must = if must.is_empty() {
            "چیز دیگری لازم نیست".to_owned()
        } else {
            format!("همراه با {}", must.join("، "))
        };
        let outage = meanwhile(line.grant.outage.step(), Lang::Fa);
        let receipt = if line.grant.receipt {
            " دارنده اگر بخواهد می‌تواند رسید چاپی بگیرد (receipt)."
        } else {
            ""
        };
        let _ = writeln!(text, "- {name} ({}) برای {}؛ {must}. اگر سامانه در دسترس نبود: {outage}.{receipt}", line.service, line.purpose);
    }
    if lines(policy).is_empty() {
        text.push_str("- هیچ استعلامی.\n");
    }
    let names = ["سال یا روز تولد", "روز کامل انقضای چاپ‌شده روی مدرک", "روز کامل انقضای چاپ‌شده روی مدرک، جز کارت‌های دوره‌ای و برگه سرشماری"];
    if let Some(taken) = factors(policy, names) {
        let _ = writeln!(text, "\nعامل‌های دوم پذیرفته: {}.", taken.join("؛ "));
    }
    if let Some(rate) = policy.rates.get(&Tier::Counter) {
        let _ = writeln!(text, "\nدر باجه: {} استعلام در ثانیه و {} استعلام هم‌زمان.", rate.per_second, rate.burst);
    }
    if let Some(quota) = policy.daily_quota {
        let _ = writeln!(text, "در روز: {quota} استعلام.");
    }
    let _ = writeln!(text, "اتصال هم‌زمان: {}.", policy.max_connections);
    text.push_str(persian_signing(policy));
    text.push_str("\nپاسخ «نامعین» رد درخواست نیست؛ هرگز آن را به معنای رد نگیرید.\n");
    text
}

/// Whether the agency's requests must be signed, may be, or cannot be yet.
fn english_signing(policy: &AgencyPolicy) -> &'static str {
    match (must_sign(policy), policy.request_signing.keys.is_empty()) {
        (_, true) => "Your requests cannot be signed yet: no key for requests is registered (`agency enrol --request-key`).\n",
        (true, false) => "Sign every request with your request key, never with the certificate's (sign.py).\n",
        (false, false) => "You may sign requests with your request key, never with the certificate's (sign.py).\n",
    }
}

/// The same in Persian.
fn persian_signing(policy: &AgencyPolicy) -> &'static str {
    match (must_sign(policy), policy.request_signing.keys.is_empty()) {
        (_, true) => "درخواست‌های شما هنوز امضا نمی‌شود؛ کلید امضای درخواست ثبت نشده است.\n",
        (true, false) => "هر درخواست را با کلید امضای درخواست (نه کلید گواهی) امضا کنید (sign.py).\n",
        (false, false) => "می‌توانید درخواست‌ها را با کلید امضای درخواست (نه کلید گواهی) امضا کنید (sign.py).\n",
    }
}

fn must_sign(policy: &AgencyPolicy) -> bool {
    policy.request_signing.required || policy.scopes.iter().any(|scope| scope.wants_signature())
}

/// What counts as second factor, where one must be given: births, any printed day, or one that no series shares.
fn factors<'a>(policy: &AgencyPolicy, [births, any_day, own_day]: [&'a str; 3]) -> Option<Vec<&'a str>> {
    let taken = lines(policy).iter().find(|line| line.grant.check)?.grant.factors;
    let day = match [DocumentKind::Amayesh, DocumentKind::SmartCard].map(|kind| taken.take_expiry_of(Some(kind))) {
        [true, _] => Some(any_day),
        [false, own] => own.then_some(own_day),
    };
    Some(taken.take_births().then_some(births).into_iter().chain(day).collect())
}

fn duties<'a>(grant: &Grant, names: [&'a str; 5]) -> Vec<&'a str> {
    let wanted = [grant.actor, grant.check, grant.reference, grant.nonce, grant.signature];
    wanted.into_iter().zip(names).filter_map(|(wanted, name)| wanted.then_some(name)).collect()
}
