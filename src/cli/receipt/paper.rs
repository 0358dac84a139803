//! The paper: what stands on a printed receipt, as SVG or on a terminal.

use std::fmt::Write;

use super::super::verify::Lang;
use super::print::Paper;
use super::words::in_digits_of;
use crate::core::domain::date::{jalali, tehran_day};

/// Light modules around the code (ISO/IEC 18004: 4).
const QUIET: usize = 4;
/// Edge of the page and of the code on it, in millimetres.
const PAGE: (u16, u16) = (80, 120);
const CODE_EDGE: u16 = 62;
/// Characters times tenths of a millimetre that fit beside each other, at the width of wide letters.
const WIDTH_OF_LINES: usize = 1200;

/// The words on the paper.
struct Words {
    title: &'static str,
    day: &'static str,
    code: &'static str,
    issuer: &'static str,
    lines: [&'static str; 4],
    /// Direction of the text, and where its lines begin.
    direction: &'static str,
    language: &'static str,
}

const FA: Words = Words {
    title: "رسید استعلام",
    day: "روز",
    code: "کد رسید",
    issuer: "صادرکننده",
    lines: [
        "در این روز به یک استعلام پاسخ داده شده است.",
        "در زمان صدور اصل بوده است؛ درباره امروز و",
        "درباره آورنده چیزی نمی‌گوید. مدرک شناسایی نیست.",
        "هیچ‌کس حق ندارد آن را از شما بخواهد.",
    ],
    direction: "rtl",
    language: "fa",
};

const EN: Words = Words {
    title: "Receipt of a verification query",
    day: "day",
    code: "receipt code",
    issuer: "issuer",
    lines: [
        "On this day a verification query was answered.",
        "Genuine when issued; says nothing about today",
        "or about the bearer. It is no identity document.",
        "Nobody may demand it from you.",
    ],
    direction: "ltr",
    language: "en",
};

const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Fa => &FA,
        Lang::En => &EN,
    }
}

fn day(paper: &Paper, lang: Lang) -> String {
    let day = tehran_day(paper.day);
    format!("{} ({day})", in_digits_of(lang, &jalali(day)))
}

/// Two rows of modules in a line of half blocks, the light ones drawn, so that it reads on dark ground; colours are set for light ground.
pub(super) fn terminal(paper: &Paper, lang: Lang) -> String {
    let words = words(lang);
    let width = paper.modules.len();
    let dark = |row: usize, column: usize| {
        let inside = row.checked_sub(QUIET).zip(column.checked_sub(QUIET));
        inside.and_then(|(row, column)| paper.modules.get(row)?.get(column)).copied().unwrap_or(false)
    };
    let mut text = String::new();
    for row in (0..width + 2 * QUIET).step_by(2) {
        text.push_str("\u{1b}[97;40m");
        for column in 0..width + 2 * QUIET {
            text.push(match (dark(row, column), dark(row + 1, column)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        text.push_str("\u{1b}[0m\n");
    }
    let _ = writeln!(
        text,
        "{}\n{}: {}\n{}: {}\n{}: {}",
        words.title,
        words.day,
        day(paper, lang),
        words.code,
        paper.code,
        words.issuer,
        paper.issuer
    );
    text.push_str(&words.lines.join("\n"));
    text
}

/// A page for a printer. Codes keep their direction within Persian text.
pub(super) fn svg(paper: &Paper, lang: Lang) -> String {
    let words = words(lang);
    let (width, height) = PAGE;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}" xml:lang="{0}" direction="{1}">
<title>{2}</title>
<rect width="{width}" height="{height}" fill="white"/>
<g font-family="Vazirmatn, 'Noto Naskh Arabic', 'Noto Sans Arabic', Tahoma, 'DejaVu Sans', sans-serif" fill="black" text-anchor="middle">
<text x="40" y="10" font-size="5.4" font-weight="bold">{2}</text>
"#,
        words.language, words.direction, words.title
    );
    let labelled =
        [(18, 32, words.day, day(paper, lang)), (90, 46, words.code, paper.code.clone()), (96, 32, words.issuer, paper.issuer.clone())];
    for (y, most, label, value) in labelled {
        let size = fitting(most, label.chars().count() + value.chars().count());
        // Isolated, so that digits and hyphens are not turned around in Persian text.
        let _ = writeln!(svg, "<text x=\"40\" y=\"{y}\" font-size=\"{size}\">{label}: \u{2066}{}\u{2069}</text>", escaped(&value));
    }
    for (number, line) in words.lines.iter().enumerate() {
        let y = 102 + 4 * number;
        let _ = writeln!(svg, r#"<text x="40" y="{y}" font-size="3">{line}</text>"#);
    }
    let edge = paper.modules.len() + 2 * QUIET;
    let _ = writeln!(
        svg,
        r#"</g>
<svg x="9" y="21" width="{CODE_EDGE}" height="{CODE_EDGE}" viewBox="0 0 {edge} {edge}" shape-rendering="crispEdges"><path d="{}" fill="black"/></svg>
</svg>"#,
        path(paper)
    );
    svg.truncate(svg.trim_end().len());
    svg
}

/// A type size in millimetres at which a line of so many characters fits the page: at most `most` tenths.
fn fitting(most: usize, characters: usize) -> String {
    let tenths = most.min(WIDTH_OF_LINES / (characters + 2)).max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Runs of dark modules, one rectangle each.
fn path(paper: &Paper) -> String {
    let mut path = String::new();
    for (row, modules) in paper.modules.iter().enumerate() {
        let mut column = 0;
        for run in modules.chunk_by(|one, other| one == other) {
            if run.first() == Some(&true) {
                let _ = write!(path, "M{} {}h{}v1h-{}z", column + QUIET, row + QUIET, run.len(), run.len());
            }
            column += run.len();
        }
    }
    path
}

/// Text for XML; the issuer's URL is input.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
