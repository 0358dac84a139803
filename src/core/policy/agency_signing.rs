//! `[request_signing]` of an agency's file: with which keys it signs its requests, and where it must.

use serde::Deserialize;
use toml::Spanned;

use super::agency_file::AgencyFile;
use super::agency_rules::{REQUEST_KEYS_SUFFIX, Reader};
use crate::core::domain::agency::Scope;
use crate::core::domain::jwk::{JwkMembers, PublicJwk};
use crate::core::token::{ClientAuth, RequestSigning};

/// `[request_signing]` of an agency's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSigningFile {
    /// Every query must be signed; for single grants, `must_give = ["signature"]` instead.
    #[serde(default)]
    pub required: bool,
    /// Lets even `log:person`, `log:holder` and `ops` go unsigned, in a demo alone.
    #[serde(default)]
    pub demo_optional: bool,
    /// Public keys, as JWKs; `agencies/NAME.request-jwks.json` may hold them instead.
    #[serde(default, rename = "key")]
    pub keys: Vec<Spanned<JwkMembers>>,
}

impl Reader<'_> {
    /// What the file and the key set beside it say together.
    pub(super) fn request_signing(&mut self, file: &AgencyFile, client: &ClientAuth) -> RequestSigning {
        let beside = self.keys_beside(REQUEST_KEYS_SUFFIX);
        let said = file.request_signing.as_ref();
        let at = said.map_or(0, |said| said.span().start);
        let keys = self.keys(said.map_or(&[], |said| &said.get_ref().keys), beside, REQUEST_KEYS_SUFFIX, at);
        self.keys_of_their_own(&keys, client, at);
        let (required, demo_optional) = said.map_or((false, false), |said| (said.get_ref().required, said.get_ref().demo_optional));
        self.needs_a_key(file, required, keys.is_empty(), at);
        self.outside_a_demo(file, demo_optional, keys.is_empty(), at);
        RequestSigning { required, demo_optional, keys }
    }

    fn keys_of_their_own(&mut self, keys: &[PublicJwk], client: &ClientAuth, at: usize) {
        if keys.iter().any(|key| key.kid().is_none()) {
            self.fault(at, "a key for requests has no `kid`; the log names it by that");
        }
        if keys.iter().any(|key| client.keys.iter().any(|other| other.material() == key.material())) {
            self.fault(at, "a key for requests is also one of [client_auth]; whoever has one must not have the other, so make another");
        }
    }

    fn needs_a_key(&mut self, file: &AgencyFile, required: bool, none: bool, at: usize) {
        const MISSING: &str =
            "signatures are wanted, but there is no key: add [[request_signing.key]], or NAME.request-jwks.json beside this";
        let by_grant = file.grants.iter().flat_map(|grant| &grant.must_give).find(|duty| duty.get_ref() == "signature");
        let wanted = by_grant.map(|duty| duty.span().start).or(required.then_some(at));
        if let Some(at) = wanted.filter(|_| none) {
            self.fault(at, MISSING);
        }
    }

    /// What a demo alone may leave open.
    fn outside_a_demo(&mut self, file: &AgencyFile, demo_optional: bool, none: bool, at: usize) {
        let scopes = file.scopes.get_ref().iter();
        let guarded = scopes.clone().find(|scope| Scope::parse(scope.get_ref()).is_some_and(Scope::wants_signature));
        if demo_optional {
            self.demo_only(at, "`demo_optional` is for a demo (`demo = true` in estelam.toml); remove it, and register a key for requests");
        }
        if let Some(scope) = guarded.filter(|_| none) {
            let message = format!(
                "the scope `{}` is used by signed requests alone: add [[request_signing.key]], or NAME.request-jwks.json beside this file",
                scope.get_ref()
            );
            self.demo_only(scope.span().start, message);
        }
    }
}
