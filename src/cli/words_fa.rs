//! Persian words for people: kinds and states of documents, effects of decrees, refusals, days and hours of Tehran.

use jiff::Timestamp;

use crate::core::domain::date::{jalali, tehran_clock};
use crate::core::domain::decree::Effect;
use crate::core::domain::document::{DocumentKind, DocumentState};
use crate::core::domain::refusal::RefusalCode;

pub(super) use crate::core::domain::text::persian_digits as digits;

/// A Jalali day and the hour in Tehran.
pub(super) fn instant(at: Timestamp) -> String {
    let clock = tehran_clock(at);
    digits(&format!("{} ساعت {:02}:{:02}", jalali(clock.date()), clock.hour(), clock.minute()))
}

/// What people call a kind of document (domain §2, §3).
pub(super) const fn kind(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::SmartCard => "کارت هوشمند",
        DocumentKind::Amayesh => "کارت آمایش",
        DocumentKind::Hoviat => "کارت هویت",
        DocumentKind::TemporaryCard => "کارت موقت نوع",
        DocumentKind::CensusSlip => "برگه سرشماری",
        DocumentKind::LaissezPasser => "برگ تردد",
        DocumentKind::ExitLaissezPasser => "برگ خروج",
        DocumentKind::PassportResidence => "گذرنامه با اقامت",
        DocumentKind::PassportVisa => "گذرنامه با روادید",
        DocumentKind::HouseholdVisaElectronic => "روادید الکترونیکی خانوار",
        DocumentKind::HouseholdVisaManual => "روادید دستی خانوار",
        DocumentKind::ResidenceBooklet => "دفترچه اقامت",
        DocumentKind::SpecialBooklet => "دفترچه ویژه",
        DocumentKind::RefugeeBooklet => "دفترچه پناهندگی",
        DocumentKind::StudentPass => "کارت دانشجویی",
        DocumentKind::PupilCard => "کارت دانش‌آموزی",
        DocumentKind::EducationSupportSlip => "برگه حمایت تحصیلی",
        DocumentKind::WorkPermit => "پروانه کار",
    }
}

/// What people call a state of a document (domain §3).
pub(super) const fn state(state: DocumentState) -> &'static str {
    match state {
        DocumentState::Requested => "درخواست‌شده",
        DocumentState::Produced => "تولیدشده",
        DocumentState::AtOffice => "در دفتر کفالت",
        DocumentState::Delivered => "تحویل‌شده",
        DocumentState::Active => "فعال",
        DocumentState::Suspended => "تعلیق‌شده",
        DocumentState::Lost => "مفقود",
        DocumentState::Stolen => "سرقت‌شده",
        DocumentState::Damaged => "آسیب‌دیده",
        DocumentState::Replaced => "جایگزین‌شده",
        DocumentState::Revoked => "باطل‌شده",
        DocumentState::Superseded => "منسوخ با کارت تازه",
        DocumentState::Expired => "پایان‌یافته",
        DocumentState::HolderDeceased => "دارنده درگذشته است",
        DocumentState::HolderDeparted => "دارنده از کشور رفته است",
    }
}

/// What a decree does (domain §4).
pub(super) const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Extend => "تمدید اعتبار",
        Effect::Terminate => "پایان اعتبار",
        Effect::Grant => "اعطای خدمت",
        Effect::Restrict => "محدودیت خدمت",
        Effect::RequireAction => "درخواست اقدام",
        Effect::RenewalWindow => "مهلت تمدید",
    }
}

/// Why a query was refused, and what to do, as a clerk needs it; what to do in an outage is the agency's policy to say (`advice`).
pub(super) const fn refusal(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::MalformedRequest => "درخواست درست نوشته نشده است؛ جزئیات را ببینید و اصلاح کنید",
        RefusalCode::ActorRequired => "نام کاربر استعلام‌کننده لازم است",
        RefusalCode::CheckRequired => "اطلاع تکمیلی لازم است: سال یا تاریخ تولد، یا تاریخ اعتبار چاپ‌شده",
        RefusalCode::ReferenceRequired => "شماره پرونده دستگاه لازم است",
        RefusalCode::NonceRequired => "رشته تصادفی یک‌بارمصرف لازم است",
        RefusalCode::UnknownService => "چنین خدمتی در فهرست نیست",
        RefusalCode::UnknownScheme => "چنین نوع شناسه‌ای در فهرست نیست",
        RefusalCode::MalformedIdentifier => "شناسه با هیچ نوعی جور نیست؛ شماره را دوباره از روی مدرک بخوانید",
        RefusalCode::WrongScheme => "این شماره از نوع دیگری است؛ نوع پیشنهادی را به کار ببرید",
        RefusalCode::WrongPopulation => "این کد ملی ایرانی است؛ این سامانه درباره اتباع خارجی پاسخ می‌دهد",
        RefusalCode::TokenMissing => "توکن دسترسی فرستاده نشده است",
        RefusalCode::TokenInvalid => "توکن دسترسی پذیرفته نیست؛ توکن تازه بگیرید",
        RefusalCode::TokenNotBound => "توکن به گواهی دیگری بسته است؛ با همین گواهی توکن بگیرید",
        RefusalCode::CertificateNotAccepted => "گواهی پذیرفته نیست؛ با راهبر سامانه تماس بگیرید",
        RefusalCode::AgencySuspended => "این دستگاه یا شعبه فعلاً اجازه استعلام ندارد؛ با راهبر سامانه تماس بگیرید",
        RefusalCode::ServiceNotAllowed => "این دستگاه اجازه استعلام برای این خدمت را ندارد",
        RefusalCode::PurposeNotAllowed => "این دستگاه اجازه استعلام با این هدف را ندارد",
        RefusalCode::ReceiptNotAllowed => "این دستگاه برای این خدمت اجازه رسید چاپی ندارد؛ بدون رسید بپرسید",
        RefusalCode::ScopeMissing => "توکن اختیار لازم را ندارد",
        RefusalCode::CodeNotAccepted => "این کد پذیرفته نیست؛ کد تازه‌ای بخواهید",
        RefusalCode::NotFound => "چنین چیزی نیست یا از آنِ این دستگاه نیست",
        RefusalCode::MethodNotAllowed => "این نشانی با این روش پاسخ نمی‌دهد",
        RefusalCode::KeyReused => "این کلید تکرار برای درخواست دیگری به کار رفته است؛ کلید تازه بسازید",
        RefusalCode::BodyTooLarge => "درخواست بیش از اندازه بزرگ است",
        RefusalCode::HeadTooLarge => "سرایند درخواست بیش از اندازه بزرگ است",
        RefusalCode::UnsupportedMediaType => "درخواست باید JSON باشد",
        RefusalCode::RateLimited => "درخواست‌ها بیش از اندازه پی‌درپی‌اند؛ کمی صبر کنید",
        RefusalCode::QuotaExhausted => "سهمیه امروز تمام شده است",
        RefusalCode::SignatureRequired => "این درخواست باید با کلید درخواست دستگاه امضا شود",
        RefusalCode::SignatureInvalid => "امضای درخواست درست نیست؛ کلید و ساعت دستگاه را بررسی کنید",
        RefusalCode::CaseUnknown => "پرونده بازی با این شماره برای این دستگاه نیست",
        RefusalCode::RegistryUnavailable => "سامانه مرجع اکنون پاسخ نمی‌دهد",
        RefusalCode::Overloaded => "سامانه مرجع اکنون بسیار شلوغ است",
        RefusalCode::LedgerUnavailable => "ثبت پاسخ ممکن نشد",
        RefusalCode::ShuttingDown => "این گره در حال توقف است",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn instants_are_told_as_tehran_reads_them() {
        assert_eq!(instant("2023-06-28T06:30:00Z".parse().unwrap()), "۱۴۰۲/۰۴/۰۷ ساعت ۱۰:۰۰");
        assert_eq!(instant("2026-11-28T20:31:59Z".parse().unwrap()), "۱۴۰۵/۰۹/۰۸ ساعت ۰۰:۰۱");
    }

    #[test]
    fn what_to_do_in_an_outage_is_left_to_the_policy() {
        for code in RefusalCode::ALL.iter().filter(|code| code.status() == 503) {
            assert!(!refusal(*code).contains("بپرسید"), "`{}`", code.code());
        }
    }

    #[test]
    fn every_word_is_persian_and_says_something_of_its_own() {
        let persian = |text: &str| text.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
        let papers = DocumentKind::ALL.iter().map(|of| kind(*of)).chain(DocumentState::ALL.iter().map(|of| state(*of)));
        let acts = Effect::ALL.iter().map(|of| effect(*of)).chain(RefusalCode::ALL.iter().map(|of| refusal(*of)));
        let words: Vec<_> = papers.chain(acts).collect();
        assert!(words.iter().all(|word| persian(word)));
        let mut different = words.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), words.len());
    }
}
