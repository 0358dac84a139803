//! The result of a check in plain words, Persian and English.

use std::fmt::Write;

use jiff::Timestamp;

use super::super::verify::Lang;
use super::super::words_fa;
use crate::core::domain::date::{jalali, tehran_day};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::ledger::genuine::{Doubt, Facts, Genuine};

/// What is said beside every result.
pub(super) const fn notice(lang: Lang) -> &'static str {
    match lang {
        Lang::Fa => "«اصل» یعنی در زمان صدور اصل بوده است؛ درباره امروز و درباره آورنده چیزی نمی‌گوید.",
        Lang::En => "genuine when issued; says nothing about today or about the bearer",
    }
}

/// The result in one sentence.
pub(super) fn verdict(outcome: &Result<Genuine, Doubt>, lang: Lang) -> String {
    match (outcome, lang) {
        (Ok(_), Lang::Fa) => "✔ در زمان صدور اصل بوده است".to_owned(),
        (Ok(_), Lang::En) => "✔ genuine when issued".to_owned(),
        (Err(doubt), Lang::Fa) if doubt.is_false() => {
            let member = doubt.member().map(|member| format!(" (`{member}`)")).unwrap_or_default();
            format!("✘ اصل نیست: {}{member}", persian(*doubt))
        }
        (Err(doubt), Lang::En) if doubt.is_false() => format!("✘ not genuine: {doubt}"),
        (Err(doubt), Lang::Fa) => format!("? نمی‌توان گفت: {}", persian(*doubt)),
        (Err(doubt), Lang::En) => format!("? cannot be told: {doubt}"),
    }
}

/// Everything that a person is shown.
pub(super) fn result(outcome: &Result<Genuine, Doubt>, lang: Lang) -> String {
    let mut text = verdict(outcome, lang);
    for (label, value) in outcome.as_ref().map(|genuine| lines(genuine, lang)).unwrap_or_default() {
        let _ = write!(text, "\n{label:<14} {value}");
    }
    let _ = write!(text, "\n{}", notice(lang));
    text
}

fn lines(genuine: &Genuine, lang: Lang) -> Vec<(&'static str, String)> {
    let say = |fa, en| match lang {
        Lang::Fa => fa,
        Lang::En => en,
    };
    let kind = match genuine.kind {
        JwtKind::Refusal => say("رد درخواست", "refusal"),
        JwtKind::Receipt => say("رسید چاپی", "printed receipt"),
        _ => say("پاسخ", "answer"),
    };
    let mut lines = vec![(say("نوع", "kind"), kind.to_owned())];
    let issued = say("زمان صدور", "issued");
    match &genuine.facts {
        Facts::Answer { answer_id, issued: at, audience, expires, service, decision, reason, .. } => {
            lines.push((issued, instant(*at, lang)));
            lines.push((say("برای دستگاه", "for agency"), format!("{audience} ({} {})", say("تا", "until"), instant(*expires, lang))));
            lines.push((say("خدمت", "service"), service.clone()));
            lines.push((say("پاسخ", "answer"), format!("{decision} ({reason})")));
            lines.push((say("شماره پاسخ", "answer id"), answer_id.clone()));
        }
        Facts::Refusal { request_id, issued: at, audience, code, .. } => {
            lines.push((issued, instant(*at, lang)));
            lines.push((say("برای دستگاه", "for agency"), audience.clone().unwrap_or_else(|| "-".to_owned())));
            lines.push((say("رد شد", "refused"), code.clone()));
            lines.push((say("شماره", "request id"), request_id.clone()));
        }
        Facts::Receipt { day } => {
            lines.push((issued, day_of(*day, lang)));
            lines.push((say("کد رسید", "receipt code"), genuine.code.clone().unwrap_or_default()));
            let matched =
                if genuine.matched { say("با پاسخ خود می‌خواند", "belongs to the statement given") } else { "-" };
            lines.push((say("پاسخ آن", "its statement"), matched.to_owned()));
        }
    }
    let log = genuine.proven.as_ref().map_or_else(
        || say("بررسی نشد؛ گواهی ثبت داده نشده است", "not checked: no proof was given").to_owned(),
        |proven| format!("{} {} / {} ({})", say("ردیف", "entry"), proven.index, proven.tree_size, proven.origin),
    );
    lines.push((say("سابقه", "in the log"), log));
    if !genuine.key_life_checked {
        let unknown = say("دانسته نیست؛ فهرست JWK عمر کلیدها را ندارد", "not known: a JWK set does not tell the lives of its keys");
        lines.push((say("عمر کلید", "key's life"), unknown.to_owned()));
    }
    lines
}

fn instant(at: Timestamp, lang: Lang) -> String {
    format!("{at:.0} ({})", in_digits_of(lang, &jalali(tehran_day(at))))
}

fn day_of(at: Timestamp, lang: Lang) -> String {
    let day = tehran_day(at);
    format!("{} ({day})", in_digits_of(lang, &jalali(day)))
}

/// A Jalali date as the reader of a language writes it.
pub(super) fn in_digits_of(lang: Lang, text: &str) -> String {
    match lang {
        Lang::En => text.to_owned(),
        Lang::Fa => words_fa::digits(text),
    }
}

fn persian(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::NothingGiven => "چیزی برای بررسی داده نشده است",
        Doubt::TooLarge => "برای رسید یا پاسخ بزرگ است؛ اگر عکس است، متن کد QR آن را بدهید",
        Doubt::Unreadable(_) => "به شکل رسید نیست، یا همه آن نیست",
        Doubt::OtherKind => "توکنی از نوع دیگر است",
        Doubt::Claims => "آنچه می‌گوید به شکل نوع خود نیست",
        Doubt::OtherIssuer => "صادرکننده آن کس دیگری است، نه صاحب این کلیدها",
        Doubt::UnknownKey => "کلید آن در میان کلیدهای داده‌شده نیست؛ کلیدها را دوباره بگیرید",
        Doubt::OtherUse => "با کلیدی امضا شده که برای کار دیگری است",
        Doubt::OtherAlgorithm => "الگوریتمی غیر از الگوریتم کلید خود را نام می‌برد",
        Doubt::WrongSignature => "امضا درست نیست: چیزی تغییر کرده یا کس دیگری امضا کرده است",
        Doubt::OutsideKeyLife => "کلید آن در آن زمان امضا نمی‌کرد",
        Doubt::KeyCompromised => "شاید دیگران کلید آن را داشته باشند؛ تنها با گواهی ثبت پیش از آن زمان پذیرفته است",
        Doubt::AfterCompromise => "شاید دیگران کلید آن را داشته باشند، و تنها پس از آن در سابقه ثبت شده است",
        Doubt::StatementNeeded => "رسید چاپی با اظهارنامه پاسخ خود ثابت می‌شود؛ آن را با کد رسید از دستگاهی که رسید را داده بخواهید",
        Doubt::StatementOfOther => "این اظهارنامه از آن این رسید نیست",
        Doubt::StatementOfNoReceipt => "تنها رسید چاپی اظهارنامه همراه دارد",
        Doubt::NoLogKey => "کلید سابقه داده نشده، پس گواهی ثبت بررسی نمی‌شود",
        Doubt::ProofOfOther => "گواهی ثبت درباره اظهارنامه دیگری است",
        Doubt::ProofBroken => "گواهی ثبت از این ردیف به آن مهر نمی‌رسد",
        Doubt::CheckpointUnsigned => "مهر سابقه با کلید این سابقه امضا نشده است",
        Doubt::LogKeyCompromised => "شاید دیگران کلید مهر سابقه را داشته باشند؛ گواهی تازه بگیرید",
        Doubt::OtherCheckpoint => "گواهی زیر مهر دیگری است؛ گواهی یا مهری به همان اندازه بگیرید",
        Doubt::AroundDiffers(_) => "اظهارنامه امضا دارد، ولی آنچه در پرونده JSON پیرامون آن آمده چیز دیگری می‌گوید",
        Doubt::Fork => "سابقه دو درخت متفاوت به یک اندازه نشان داده است: هر دو مهر را نگه دارید و به حسابرسان خبر دهید",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_says_that_it_is_about_the_time_of_issue_alone() {
        for (lang, words) in
            [(Lang::En, "says nothing about today or about the bearer"), (Lang::Fa, "درباره امروز و درباره آورنده چیزی نمی‌گوید")]
        {
            for doubt in [Doubt::WrongSignature, Doubt::KeyCompromised, Doubt::Unreadable("x")] {
                assert!(result(&Err(doubt), lang).contains(words), "{doubt}");
            }
        }
    }
}
