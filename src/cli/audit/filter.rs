//! Which entries a verb is about: the same names as the parameters of `GET /v1/log/entries`.

use clap::Args;

use crate::cli::CliError;
use crate::core::domain::scheme::SchemeCatalogue;
use crate::core::ledger::audit::{Query, Takes};

/// Entries that fit everything given.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct FilterArgs {
    /// Only this agency's
    #[arg(long)]
    agency: Option<String>,
    /// Branch, as its certificate names it
    #[arg(long)]
    branch: Option<String>,
    /// First 16 hex digits of the certificate's SHA-256
    #[arg(long)]
    certificate: Option<String>,
    /// The named clerk or system account
    #[arg(long)]
    actor: Option<String>,
    /// Service code
    #[arg(long)]
    service: Option<String>,
    /// Purpose code
    #[arg(long)]
    purpose: Option<String>,
    /// The agency's reference; the case number of a look-up in the log
    #[arg(long)]
    reference: Option<String>,
    /// `entitled`, `not-entitled`, `indeterminate`, `no-document-required`
    #[arg(long)]
    decision: Option<String>,
    /// Exact reason code of an answer
    #[arg(long)]
    reason: Option<String>,
    /// Code of a refusal, for example `purpose-not-allowed`
    #[arg(long)]
    code: Option<String>,
    /// Version of the policies it was judged by
    #[arg(long)]
    policy_version: Option<String>,
    /// A decree that carried the answer
    #[arg(long)]
    decree: Option<String>,
    /// `live`, `cached`, `stale`
    #[arg(long)]
    freshness: Option<String>,
    /// `answer`, `refusal`, `token`, `log-read`, `admin`, `registry-event`
    #[arg(long)]
    kind: Option<String>,
    /// Route name, for example `verify` or `log-person`
    #[arg(long)]
    route: Option<String>,
    /// Retries of this answer across a crash
    #[arg(long)]
    retry_of: Option<String>,
    /// Id of the agency's key that signed the request
    #[arg(long)]
    signed_by: Option<String>,
    /// `yes`: only signed requests; `no`: only others
    #[arg(long)]
    signed: Option<String>,
    /// Version of the decrees it was decided by
    #[arg(long)]
    decrees_version: Option<String>,
    /// Retention class: `detail`, `minor`, `admin`
    #[arg(long)]
    class: Option<String>,
    /// What took at least so many milliseconds
    #[arg(long, value_name = "MS")]
    min_latency_ms: Option<String>,
    /// What took at most so many milliseconds
    #[arg(long, value_name = "MS")]
    max_latency_ms: Option<String>,
    /// The id of an answer or refusal
    #[arg(long)]
    answer_id: Option<String>,
    /// From this instant (RFC 3339) or day (UTC) on
    #[arg(long)]
    from: Option<String>,
    /// Before this instant, or to the end of this day
    #[arg(long)]
    to: Option<String>,
}

impl FilterArgs {
    /// As parameters of a query string.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("agency", &self.agency),
            ("branch", &self.branch),
            ("certificate", &self.certificate),
            ("actor", &self.actor),
            ("service", &self.service),
            ("purpose", &self.purpose),
            ("reference", &self.reference),
            ("decision", &self.decision),
            ("reason", &self.reason),
            ("code", &self.code),
            ("policy_version", &self.policy_version),
            ("decree", &self.decree),
            ("freshness", &self.freshness),
            ("kind", &self.kind),
            ("route", &self.route),
            ("retry_of", &self.retry_of),
            ("signed_by", &self.signed_by),
            ("signed", &self.signed),
            ("decrees_version", &self.decrees_version),
            ("class", &self.class),
            ("min_latency_ms", &self.min_latency_ms),
            ("max_latency_ms", &self.max_latency_ms),
            ("answer_id", &self.answer_id),
            ("from", &self.from),
            ("to", &self.to),
        ];
        given.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))).collect()
    }
}

/// Parameters as the gateway reads them.
pub(super) fn parsed(parameters: &[(&'static str, String)], schemes: &SchemeCatalogue) -> Result<Query, CliError> {
    let looks = |value: &str| schemes.looks_like_identifier(value);
    Query::parse(parameters.iter().map(|(name, value)| (*name, value.as_str())), Takes::FILTER, &looks).map_err(CliError::usage)
}

/// Parameters as a query string with its question mark; nothing for none.
pub(super) fn query_string(parameters: &[(&'static str, String)]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish())
}
