//! The policy folder that ships with the product, for new installations and for tests.

use crate::core::domain::reason::SHIPPED_REASONS;
use crate::core::domain::scheme::SHIPPED_SCHEMES;
use crate::core::domain::service::SHIPPED_SERVICES;

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[
            ("reasons.toml", SHIPPED_REASONS),
            ("schemes.toml", SHIPPED_SCHEMES),
            ("services.toml", SHIPPED_SERVICES),
            $(($path, include_str!(concat!("../../../policies/", $path))),)+
        ]
    };
}

/// Every file of the shipped folder: path inside the folder, and text.
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    files![
        "agencies/bank.toml",
        "agencies/clinic.toml",
        "agencies/dpo.toml",
        "agencies/insurer.toml",
        "agencies/kefalat.toml",
        "agencies/operator.toml",
        "agencies/school.toml",
        "agencies/security-auditor.toml",
        "agencies/telecom.toml",
        "cases/answers.toml",
        "cases/decrees.toml",
        "cases/permits.toml",
        "estelam.cedarschema",
        "guardrails.cedar",
        "holder.toml",
        "permits.cedar",
        "watch.toml",
    ]
}
