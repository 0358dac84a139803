//! An explanation in words, in Persian and in English, and as JSON. Dates are Jalali, Tehran time.

use std::fmt::Write;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cli::verify::Lang;
use crate::cli::{words, words_fa as fa};
use crate::core::decision::explain::{DecreeVerdict, ExplainedArea, ExplainedDecree, ExplainedDocument, ExplainedRule, Explanation};
use crate::core::domain::date::{jalali, tehran_day};
use crate::core::domain::document::DocumentKind;
use crate::core::domain::name::NameMatch;
use crate::core::domain::reason::{OutageStep, Outcome, ReasonCode};
use crate::core::domain::refusal::RefusalCode;
use crate::core::policy::{Ground, Snapshot};

/// A language of explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// فارسی
    Fa,
    /// English
    En,
}

impl Language {
    const fn pick<'a>(self, fa: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Fa => fa,
            Self::En => en,
        }
    }

    const fn of_answers(self) -> Lang {
        match self {
            Self::Fa => Lang::Fa,
            Self::En => Lang::En,
        }
    }

    /// A number or a day in the reader's digits (domain §9).
    fn digits(self, text: String) -> String {
        match self {
            Self::Fa => fa::digits(&text),
            Self::En => text,
        }
    }
}

/// As of when the register's records are, where an instant of knowledge was given.
#[derive(Clone, Copy)]
pub(super) enum Records {
    /// As the registry knew them at that instant.
    AsKnownThen,
    /// As it knows them today: at that instant it knew nothing of this identifier.
    OfToday,
}

impl Records {
    const fn code(self) -> &'static str {
        match self {
            Self::AsKnownThen => "as-known-then",
            Self::OfToday => "of-today",
        }
    }

    const fn words(self, lang: Language) -> &'static str {
        match self {
            Self::AsKnownThen => lang.pick("چنان‌که مرجع آن زمان می‌دانست", "as the registry knew them then"),
            Self::OfToday => lang.pick(
                "چنان‌که مرجع امروز می‌داند؛ آن زمان چیزی از این شناسه نمی‌دانست",
                "as the registry knows them today; it knew nothing of this identifier then",
            ),
        }
    }
}

/// What is known beside what decided.
#[derive(Clone, Default)]
pub(super) struct Beside {
    pub(super) records: Option<Records>,
    /// How the name that the asker gave agreed with the registered one; it decided nothing.
    pub(super) name_hint: Option<NameMatch>,
    /// The decrees are those known now, not those of the answer's own list.
    pub(super) newest_decrees: bool,
    /// The facts are taken as if the register had given them at the instant decided for.
    pub(super) as_if_live: bool,
    /// What permits the query.
    pub(super) permitted: Vec<Ground>,
}

/// The explanation with its words in both languages.
pub(super) fn json(explanation: &Explanation, snapshot: &Snapshot, step: OutageStep, beside: &Beside) -> Value {
    let mut json = serde_json::to_value(explanation).unwrap_or_default();
    let both = |words: &dyn Fn(Language) -> String| json!({ "fa": words(Language::Fa), "en": words(Language::En) });
    let add = |json: &mut Value, name: &str, value: Value| drop(json.as_object_mut().map(|object| object.insert(name.to_owned(), value)));
    add(&mut json, "message", both(&|lang| message(snapshot, explanation.reason, step, lang)));
    let words = snapshot.reasons.words(explanation.reason, step);
    let next = words.map(
        |words| json!({ "who": words.next_who, "action": words.next_action, "message": { "fa": words.next_fa, "en": words.next_en } }),
    );
    add(&mut json, "next", next.unwrap_or_default());
    if let (Some(window), Some(object)) = (&explanation.window, json.pointer_mut("/window")) {
        add(object, "message", json!({ "fa": window.fa(), "en": window.en() }));
    }
    add(&mut json, "policy_version", json!(*snapshot.version));
    if let Some(records) = beside.records {
        add(&mut json, "records", json!(records.code()));
    }
    if let Some(hint) = beside.name_hint {
        add(&mut json, "name_hint", json!(hint));
    }
    if beside.newest_decrees {
        add(&mut json, "decrees_known", json!("newest-list"));
    }
    if beside.as_if_live {
        add(&mut json, "facts", json!("as-if-live"));
    }
    add(&mut json, "grounds", json!(beside.permitted));
    for (index, document) in explanation.documents.iter().enumerate() {
        if let Some(object) = json.pointer_mut(&format!("/documents/{index}")) {
            add(object, "why", both(&|lang| message(snapshot, document.verdict, step, lang)));
        }
    }
    for (index, decree) in explanation.decrees.iter().enumerate() {
        if let Some(object) = json.pointer_mut(&format!("/decrees/{index}")) {
            add(object, "why", both(&|lang| why(decree, lang)));
        }
    }
    json
}

/// The explanation in one language.
pub(super) fn text(it: &Explanation, snapshot: &Snapshot, step: OutageStep, beside: &Beside, lang: Language) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| text.push_str(&format!("{label:<12} {value}\n"));
    let service = snapshot.services.get(&it.service);
    let name = service.map_or("", |service| lang.pick(&service.fa, &service.en));
    line(lang.pick("خدمت", "service"), format!("{name} ({})", it.service));
    let known = lang.pick("با دانسته‌های", "as known");
    line(lang.pick("برای لحظه", "asked for"), format!("{} · {known} {}", moment(it.at, lang), moment(it.known_at, lang)));
    if let Some(records) = beside.records {
        line(lang.pick("پرونده‌ها", "records"), records.words(lang).to_owned());
    }
    if beside.newest_decrees {
        let words = lang.pick("از تازه‌ترین فهرست، نه فهرست زمان پاسخ", "of the newest list, not of the answer's own");
        line(lang.pick("فهرست ابلاغیه", "decree list"), words.to_owned());
    }
    if beside.as_if_live {
        let words = lang.pick(
            "همان‌ها که ثبت شده، چنان‌که گویی مرجع در این لحظه گفته باشد",
            "as recorded, as if the register had given them at that instant",
        );
        line(lang.pick("داده‌ها", "facts"), words.to_owned());
    }
    line(lang.pick("پاسخ", "answer"), format!("{} ({})", outcome(it.decision, lang), it.reason.code()));
    line(lang.pick("دلیل", "reason"), message(snapshot, it.reason, step, lang));
    if let Some(words) = snapshot.reasons.words(it.reason, step) {
        line(lang.pick("گام بعد", "next"), lang.pick(&words.next_fa, &words.next_en).to_owned());
    }
    if let Some(window) = &it.window {
        let words = lang.pick(&window.fa(), &window.en()).to_owned();
        let decree = window.decree.as_ref().map(|decree| format!(" ({decree})")).unwrap_or_default();
        line(lang.pick("مهلت", "window"), format!("{words}{decree}"));
    }
    if let Some(required) = &it.required {
        line(lang.pick("سپس دارنده", "then, holder"), format!("{} ({})", lang.pick(&required.fa, &required.en), required.decree));
    }
    if let Some(terms) = it.terms.and_then(|terms| serde_json::to_value(terms).ok()) {
        line(lang.pick("شرط", "terms"), words::terms(&terms, lang.of_answers()));
    }
    line(lang.pick("قاعده", "rule"), it.rule.as_ref().map_or_else(|| none(lang), |rule| rule_words(rule, lang)));
    if let Some((least, most)) = it.age {
        let age = if least == most { least.to_string() } else { format!("{least}–{most}") };
        line(lang.pick("سن", "age"), lang.digits(age));
    }
    match it.check_matched {
        Some(true) => line(lang.pick("عامل دوم", "check"), lang.pick("مطابق است", "matches").to_owned()),
        Some(false) => line(lang.pick("عامل دوم", "check"), lang.pick("مطابق نیست", "does not match").to_owned()),
        None => {}
    }
    if let Some(hint) = beside.name_hint {
        line(lang.pick("نام", "name"), name_words(hint, lang).to_owned());
    }
    if !beside.permitted.is_empty() {
        let grounds = beside.permitted.iter().map(|ground| (true, ground_words(ground, lang)));
        list(&mut text, lang.pick("مجاز به استناد", "permitted by"), grounds, lang);
    }
    if !it.areas.is_empty() {
        list(&mut text, lang.pick("استان‌های باز", "open areas"), it.areas.iter().map(|area| (area.opens, area_words(area, lang))), lang);
    }
    list(
        &mut text,
        lang.pick("مدارک", "documents"),
        it.documents.iter().map(|document| (document.carries, document_words(document, snapshot, step, lang))),
        lang,
    );
    list(&mut text, lang.pick("ابلاغیه‌ها", "decrees"), it.decrees.iter().map(|decree| (decree.decisive, decree_words(decree, lang))), lang);
    text
}

/// A refusal: nobody was looked up, and policy alone led to it.
pub(super) struct Refused {
    pub(super) code: RefusalCode,
    pub(super) hint: Option<String>,
    pub(super) grounds: Vec<Ground>,
}

impl Refused {
    pub(super) fn json(&self, snapshot: &Snapshot) -> Value {
        json!({ "decision": "refused", "code": self.code, "hint": self.hint, "grounds": self.grounds, "policy_version": *snapshot.version })
    }

    pub(super) fn text(&self, lang: Language) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let label = lang.pick("پاسخ", "answer");
        let mut text = format!(
            "{label:<12} {} · {}{hint}\n",
            lang.pick("✘ رد شد؛ کسی جست‌وجو نشد", "✘ refused; nobody is looked up"),
            self.code.code()
        );
        if self.grounds.is_empty() {
            let label = lang.pick("مبنا", "because");
            let none = lang.pick(
                "هیچ سطری از سیاست‌ها (گواهی، توکن، شکل درخواست یا خود سامانه)",
                "no line of policy (certificate, token, form of the request, or the node itself)",
            );
            let _ = writeln!(text, "{label:<12} {none}");
            return text;
        }
        let _ = writeln!(text, "{}", lang.pick("مبنا", "because"));
        for ground in &self.grounds {
            let _ = writeln!(text, "  ► {}", ground_words(ground, lang));
        }
        text
    }
}

fn list(text: &mut String, label: &str, items: impl Iterator<Item = (bool, String)>, lang: Language) {
    let items: Vec<_> = items.collect();
    if items.is_empty() {
        let _ = writeln!(text, "{label:<12} {}", none(lang));
        return;
    }
    let _ = writeln!(text, "{label}");
    for (decisive, item) in items {
        let _ = writeln!(text, "  {} {item}", if decisive { '►' } else { '·' });
    }
}

fn none(lang: Language) -> String {
    lang.pick("هیچ", "none").to_owned()
}

fn message(snapshot: &Snapshot, reason: ReasonCode, step: OutageStep, lang: Language) -> String {
    snapshot.reasons.words(reason, step).map_or_else(|| reason.code().to_owned(), |words| lang.pick(&words.fa, &words.en).to_owned())
}

const fn name_words(hint: NameMatch, lang: Language) -> &'static str {
    match hint {
        NameMatch::Match => lang.pick("همان است؛ در پاسخ اثری نداشت", "matches; it decided nothing"),
        NameMatch::Close => lang.pick("نزدیک است؛ در پاسخ اثری نداشت", "is close; it decided nothing"),
        NameMatch::Different => lang.pick("دیگر است؛ در پاسخ اثری نداشت", "is different; it decided nothing"),
    }
}

const fn outcome(outcome: Outcome, lang: Language) -> &'static str {
    match outcome {
        Outcome::Entitled => lang.pick("✔ مستحق", "✔ entitled"),
        Outcome::NotEntitled => lang.pick("✘ غیرمستحق", "✘ not entitled"),
        Outcome::Indeterminate => lang.pick("? نامعین", "? indeterminate"),
        Outcome::NoDocumentRequired => lang.pick("✔ مدرک لازم نیست", "✔ no document required"),
    }
}

fn ground_words(ground: &Ground, lang: Language) -> String {
    format!("{}: {}", ground.place(), lang.pick(&ground.fa, &ground.en))
}

fn rule_words(rule: &ExplainedRule, lang: Language) -> String {
    sourced(&rule.id, (rule.from, rule.until), (&rule.source, &rule.confidence), lang)
}

fn area_words(area: &ExplainedArea, lang: Language) -> String {
    let opens =
        if area.opens { lang.pick(" (استان دارنده را باز می‌کند)", " (opens the holder's province)") } else { "" };
    format!("{}{opens}", sourced(&area.id, (area.from, area.until), (&area.source, &area.confidence), lang))
}

/// What services.toml says by an id: from when to when, by which source.
fn sourced(id: &str, (from, until): (Option<Timestamp>, Option<Timestamp>), (source, sure): (&str, &str), lang: Language) -> String {
    let confidence = match sure {
        "seed" => lang.pick("سند بنیادین", "the founding document"),
        "pub" => lang.pick("منبع عمومی", "a public source"),
        _ => lang.pick("استنباط ما", "our inference"),
    };
    let label = lang.pick("منبع", "source");
    let term = if from.is_none() && until.is_none() {
        lang.pick("بی‌آغاز و تا اطلاع بعدی", "since ever, until further notice").to_owned()
    } else {
        span(from, until, lang)
    };
    format!("{id} · {term} · {label}: {source} ({confidence})")
}

fn document_words(it: &ExplainedDocument, snapshot: &Snapshot, step: OutageStep, lang: Language) -> String {
    let document = &it.document;
    let kind = |kind: DocumentKind| lang.pick(fa::kind(kind), kind.code());
    let series = document.series.map(|series| lang.digits(format!(" {series}"))).unwrap_or_default();
    let status = document.legal_status.map(|status| format!(" ({})", kind(status))).unwrap_or_default();
    let decree = it.decree.as_ref().map(|decree| format!(" [{decree}]")).unwrap_or_default();
    let printed = span(document.from, document.until, lang);
    let words = message(snapshot, it.verdict, step, lang);
    let alone = if it.alone == it.verdict {
        String::new()
    } else {
        format!(" {}: {}", lang.pick("برای این خدمت", "for this service"), message(snapshot, it.alone, step, lang))
    };
    let (kind, state) = (kind(document.kind), lang.pick(fa::state(document.state), document.state.code()));
    format!("{kind}{series}{status} · {state} · {printed} · {}{decree}: {words}{alone}", it.verdict.code())
}

fn decree_words(it: &ExplainedDecree, lang: Language) -> String {
    let term = span(Some(it.from), it.until, lang);
    let effect = lang.pick(fa::effect(it.effect), it.effect.code());
    format!("{} · {effect} · {term} · {}: {}", it.id, why(it, lang), lang.pick(&it.fa, &it.en))
}

/// What became of a decree.
fn why(it: &ExplainedDecree, lang: Language) -> String {
    let known = lang.digits(jalali(tehran_day(it.recorded_at)));
    let by = it.superseded_by.as_deref().unwrap_or_default();
    let words = match it.verdict {
        DecreeVerdict::Applied => lang.pick("نافذ است و این مدارک را دربر می‌گیرد", "in force for these documents").to_owned(),
        DecreeVerdict::NotYetKnown => format!("{} {known}", lang.pick("هنوز دانسته نبود؛ دانسته از", "not yet known; known from")),
        DecreeVerdict::Rescinded => lang.pick("لغو شده است", "rescinded").to_owned(),
        DecreeVerdict::Ahead => lang.pick("هنوز آغاز نشده است", "not yet in effect").to_owned(),
        DecreeVerdict::Over => lang.pick("پایان یافته است", "no longer in effect").to_owned(),
        DecreeVerdict::Superseded => format!("{} {by}", lang.pick("جایگزین شده با", "superseded by")),
        DecreeVerdict::OtherService => lang.pick("درباره خدمت‌های دیگر است", "about other services").to_owned(),
        DecreeVerdict::OutOfSelector => lang.pick("این مدارک را دربر نمی‌گیرد", "selects none of these documents").to_owned(),
    };
    let decisive = if it.decisive { lang.pick(" (تعیین‌کننده پاسخ)", " (decides the answer)") } else { "" };
    format!("{words}{decisive}")
}

/// A half-open interval as its first and last Jalali day.
fn span(from: Option<Timestamp>, until: Option<Timestamp>, lang: Language) -> String {
    let day = |at| lang.digits(jalali(tehran_day(at)));
    let first = from.map(day);
    let last = until.map(|until| day(until.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(until)));
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} – {last}"),
        (Some(first), None) => format!("{} {first}", lang.pick("از", "from")),
        (None, Some(last)) => format!("{} {last}", lang.pick("تا", "to")),
        (None, None) => lang.pick("بی‌تاریخ", "no dates").to_owned(),
    }
}

/// An instant as a Jalali day with its UTC time.
fn moment(at: Timestamp, lang: Language) -> String {
    format!("{} ({at:.0})", lang.digits(jalali(tehran_day(at))))
}
