//! `estelam receipt print`: the QR code of a printed receipt, and the paper around it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use qrcode::{Color, EcLevel, QrCode};
use serde::Deserialize;

use super::super::CliError;
use super::super::verify::Lang;
use super::{files, paper};
use crate::core::domain::jws::{CompactJws, members_are_unique, object};
use crate::core::domain::jwt_kind::JwtKind;
use crate::core::domain::receipt_code::receipt_code;
use crate::core::ledger::genuine::MAX_DOCUMENT;
use crate::core::ledger::tree::sha256;

/// Print a holder's receipt.
#[derive(Debug, Args)]
pub(in crate::cli) struct Print {
    /// The printed receipt, or the whole JSON answer that has it; `-` reads standard input
    file: PathBuf,
    /// What to make
    #[arg(long, value_enum, default_value = "terminal")]
    format: Form,
    /// Language of the words on it
    #[arg(long, value_enum, default_value = "fa")]
    lang: Lang,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Block characters, for a terminal with dark or light ground
    Terminal,
    /// A page of 80 × 120 mm as SVG, for a printer
    Svg,
}

/// What the paper shows.
pub(super) struct Paper {
    /// Rows of dark (true) and light modules.
    pub(super) modules: Vec<Vec<bool>>,
    /// The short code.
    pub(super) code: String,
    /// The first instant of its day.
    pub(super) day: Timestamp,
    /// The gateway.
    pub(super) issuer: String,
}

impl Print {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let paper = Paper::of(&receipt(&files::text(&self.file)?)?)?;
        match self.format {
            Form::Terminal => println!("{}", paper::terminal(&paper, self.lang)),
            Form::Svg => println!("{}", paper::svg(&paper, self.lang)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The compact receipt in a file.
fn receipt(text: &str) -> Result<String, CliError> {
    let text = text.trim();
    match files::wrapped(text)? {
        None => Ok(text.to_owned()),
        Some(wrapped) => wrapped
            .receipt
            .map(|receipt| receipt.jwt)
            .ok_or_else(|| CliError::failed("the answer has no `receipt`: the query must ask for one with `\"receipt\": true`")),
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
}

impl Paper {
    /// Takes a printed receipt apart. Nothing else gets on paper: a statement would tell service, outcome and reason.
    fn of(jwt: &str) -> Result<Self, CliError> {
        let jws = CompactJws::parse(jwt, MAX_DOCUMENT).map_err(|rejected| CliError::failed(format_args!("no receipt: {rejected}")))?;
        if JwtKind::of(&jws.header.typ) != Some(JwtKind::Receipt) {
            return Err(CliError::failed(
                "only a printed receipt goes on paper; this is another kind of token, which may tell service and outcome",
            ));
        }
        let claims: Option<Claims> = members_are_unique(&jws.payload).then(|| object(&jws.payload)).flatten();
        let read = claims.and_then(|claims| Some((Timestamp::from_second(claims.iat).ok()?, claims.iss)));
        let (day, issuer) = read.ok_or_else(|| CliError::failed("the receipt is not in its form"))?;
        let code = QrCode::with_error_correction_level(jwt, EcLevel::M).map_err(|_| {
            CliError::failed("the receipt is too long for a QR code; its issuer's URL is the only part that can be shorter")
        })?;
        let (width, colors) = (code.width(), code.to_colors());
        let modules = colors.chunks(width).map(|row| row.iter().map(|color| *color == Color::Dark).collect());
        Ok(Self { modules: modules.collect(), code: receipt_code(&sha256(jwt.as_bytes())), day, issuer })
    }
}
