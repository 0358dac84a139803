//! Claims about names: which spellings are one name, and which names stay apart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use rstest::rstest;

use super::{NameKey, NameMatch};

fn compare(held: &str, hint: &str) -> NameMatch {
    NameKey::of(held).unwrap().compare(&NameKey::of(hint).unwrap())
}

#[rstest]
#[case("نجیب‌الله حسینی", "حسینی")]
#[case("نجیب‌الله حسینی", "نجيب الله حسيني")]
#[case("نجیب الله حسینی", "نجیب‌الله حسینی")]
#[case("نجیب‌الله حسینی", "حسینی نجیب‌الله")]
#[case("عبدالكريم", "عبد الکریم")]
#[case("عبدالکریم", "عبد\u{200c}الکریم")]
#[case("محمد کریمی", "مُحَمَّد کریمی")]
#[case("فاطمة احمدی", "فاطمه احمدى")]
#[case("سید علی رضایی", "علی رضایی")]
#[case("علی رضایی", "سید علی رضایی")]
#[case("محمد", "محمد")]
#[case("Najibullah Hussaini", "najibullah hussaini")]
#[case("Abdul Karim", "Abdul-Karim")]
#[case("فؤاد", "فواد")]
#[case("ﻋﻠﻲ", "علی")]
fn same_letters_match(#[case] held: &str, #[case] hint: &str) {
    assert_eq!(compare(held, hint), NameMatch::Match);
}

/// Spellings of one name in both scripts and among Latin spellings.
const CLOSE: &[&[&str]] = &[
    &["حسینی", "Hussaini", "Hosseini", "Husseini", "Hosaini", "Hoseyni", "Hussainy"],
    &["حسین", "Hussain", "Hossein", "Husayn", "Hosein"],
    &["محمد", "Mohammad", "Muhammad", "Mohammed", "Mohamad", "Muhammed"],
    &["احمد", "Ahmad", "Ahmed"],
    &["احمدزی", "Ahmadzai", "Ahmadzay", "Ahmedzai"],
    &["نورزی", "Noorzai", "Nurzai", "Nourzai", "Noorzay"],
    &["یوسفزی", "Yousafzai", "Yusufzai", "Yousufzay"],
    &["غلام", "Ghulam", "Gholam", "Qulam"],
    &["غلام‌حسین", "Ghulam Hussain", "Gholamhossein"],
    &["عبدالکریم", "Abdul Karim", "Abdulkarim", "Abdolkarim", "Abdul-Kareem"],
    &["عبدالرحمن", "Abdul Rahman", "Abdurrahman", "Abdulrahman"],
    &["نجیب‌الله", "Najibullah", "Najib Ullah", "Najeebullah", "Najibollah"],
    &["فتح‌الله", "Fathullah", "Fatholah"],
    &["شمس‌الدین", "Shamsuddin", "Shams ud Din", "Shamsoddin"],
    &["نصرالدین", "Nasruddin", "Nasreddin"],
    &["ضیاءالدین", "Ziauddin", "Zia ud-Din"],
    &["قاسم", "Qasim", "Ghasem", "Qasem"],
    &["یعقوب", "Yaqub", "Yaghoub", "Yaqoob"],
    &["نوری", "Noori", "Nuri", "Nouri"],
    &["یوسفی", "Yousefi", "Yusufi", "Yosufi"],
    &["یوسف", "Yusuf", "Yousef", "Yousuf"],
    &["رضایی", "Rezai", "Rezaei", "Rezayi"],
    &["احمدی", "Ahmadi", "Ahmady"],
    &["وحید", "Wahid", "Vahid", "Waheed"],
    &["نوید", "Navid", "Nawid", "Naweed"],
    &["جاوید", "Jawid", "Javid", "Jawed"],
    &["داود", "Dawood", "Davoud", "Daud", "داوود"],
    &["نوروز", "Nowruz", "Nawroz", "Noruz"],
    &["فاطمه", "Fatima", "Fatemeh", "Fatimah"],
    &["زهرا", "Zahra", "Zahraa"],
    &["شکریه", "Shukria", "Shokrieh", "Shukriya"],
    &["ذکیه", "Zakia", "Zakiya", "Zakieh"],
    &["مریم", "Maryam", "Mariam"],
    &["زینب", "Zainab", "Zeynab", "Zaynab"],
    &["خدیجه", "Khadija", "Khadijeh"],
    &["فرشته", "Fereshteh", "Freshta", "Farishta"],
    &["مصطفی", "Mustafa", "Mostafa"],
    &["موسی", "Musa", "Moosa"],
    &["عیسی", "Isa", "Eisa"],
    &["یحیی", "Yahya"],
    &["علی", "Ali", "Aly"],
    &["عثمان", "Osman", "Usman", "Othman"],
    &["عمر", "Omar", "Umar"],
    &["ابراهیم", "Ibrahim", "Ebrahim"],
    &["اسماعیل", "Ismail", "Esmail", "Esmaeil", "اسمعیل"],
    &["اسحاق", "Ishaq", "Eshaq"],
    &["سعید", "Saeed", "Said", "Sa'id"],
    &["جعفر", "Jafar", "Ja'far", "Jaafar"],
    &["کاظم", "Kazim", "Kazem", "Kadhim"],
    &["مظهر", "Mazhar"],
    &["هاشمی", "Hashemi", "Hashimi"],
    &["اکبری", "Akbari"],
    &["رحمان", "Rahman", "رحمن"],
    &["گل آقا", "Gul Agha", "Gulagha"],
    &["ممتاز", "Mumtaz", "Momtaz"],
    &["چمن", "Chaman"],
    &["ثریا", "Soraya", "Suraya"],
];

#[test]
fn spellings_of_one_name_are_close_and_never_different() {
    let (mut pairs, mut apart) = (0, Vec::new());
    for spellings in CLOSE {
        for held in *spellings {
            for hint in *spellings {
                if compare(held, hint) == NameMatch::Different {
                    apart.push(format!("{held} and {hint}"));
                }
                pairs += 1;
            }
        }
    }
    assert!(apart.is_empty(), "{apart:#?}");
    assert!(pairs > 500);
}

/// F15, and whole names of which the asker writes a part.
#[rstest]
#[case("نجیب‌الله حسینی", "Hussaini")]
#[case("نجیب‌الله حسینی", "Hosseini")]
#[case("نجیب‌الله حسینی", "Najibullah Hussaini")]
#[case("نجیب‌الله حسینی", "Hosseini, Najib Ullah")]
#[case("شکریه رضایی", "Shukria Rezaei")]
#[case("محمد کریمی", "Mohammad Ali Karimi")]
#[case("سید مصطفی هاشمی", "Mustafa Hashimi")]
#[case("عبدالرحمن احمدزی", "Abdul Rahman Ahmadzai")]
#[case("مریم احمدی", "Ahmadi Mariam")]
fn another_script_or_order_is_close(#[case] held: &str, #[case] hint: &str) {
    assert_eq!(compare(held, hint), NameMatch::Close);
}

#[rstest]
#[case("حسن", "حسین")]
#[case("حسین", "Hassan")]
#[case("حسن", "Hussain")]
#[case("Hassan", "Hossein")]
#[case("محمود", "محمد")]
#[case("محمود", "Mohammad")]
#[case("Mahmood", "Mohammad")]
#[case("احمد", "حمید")]
#[case("احمد", "Hamid")]
#[case("احمد", "احمدی")]
#[case("احمدی", "Ahmad")]
#[case("حسینی", "Hossein")]
#[case("کریم", "کریمی")]
#[case("کریم", "Rahim")]
#[case("رحیم", "رحمان")]
#[case("رحیم", "Rahman")]
#[case("جمال", "جمیل")]
#[case("Jamal", "Jamil")]
#[case("کمال", "کامل")]
#[case("سلیم", "Salam")]
#[case("علی", "Wali")]
#[case("علی", "ولی")]
#[case("علی کاظم", "Hassan Kazemi")]
#[case("مریم", "Mina")]
#[case("زهرا", "Zohal")]
#[case("فاطمه", "Farida")]
#[case("نادر", "نذیر")]
#[case("نجیب‌الله حسینی", "Ahmadi")]
#[case("نجیب‌الله حسینی", "Hassan Rezai")]
#[case("نجیب‌الله", "Habibullah")]
#[case("عبدالکریم", "Abdul Rahim")]
#[case("عبدالکریم", "عبدالرحیم")]
#[case("احمدزی", "Noorzai")]
#[case("نوری", "Amiri")]
#[case("شکریه", "Zakia")]
#[case("یوسف", "Yasin")]
#[case("داود", "Dara")]
#[case("محمد علی", "محمد رضا")]
#[case("ابراهیم", "Ismail")]
#[case("خان محمد", "نور محمد")]
fn other_names_are_different(#[case] held: &str, #[case] hint: &str) {
    assert_eq!(compare(held, hint), NameMatch::Different);
}

#[test]
fn text_without_a_letter_is_no_name() {
    for text in ["", " ", "۱۲۳", "-", "\u{200c}"] {
        assert!(NameKey::of(text).is_none());
    }
}

#[test]
fn what_is_kept_shows_no_name() {
    let key = NameKey::of("نجیب‌الله حسینی").unwrap();
    assert_eq!(format!("{key:?}"), "NameKey(…)");
    let json = serde_json::to_string(&key).unwrap();
    assert!(!json.contains('ن') && !json.contains("حسین"), "{json}");
    assert!(serde_json::from_str::<NameKey>(&json).unwrap() == key);
}

proptest::proptest! {
    #[test]
    fn any_text_compares_with_itself(text in "\\PC{0,30}") {
        if let Some(key) = NameKey::of(&text) {
            proptest::prop_assert_eq!(key.compare(&key), NameMatch::Match);
        }
    }

    #[test]
    fn whatever_names_are_given_the_answer_is_total(one in "[a-z ابپحخدرسعغفقکلمنوهی]{0,24}", other in "\\PC{0,24}") {
        if let (Some(one), Some(other)) = (NameKey::of(&one), NameKey::of(&other)) {
            let (there, back) = (one.compare(&other), other.compare(&one));
            proptest::prop_assert_eq!(there == NameMatch::Different, back == NameMatch::Different);
        }
    }
}
