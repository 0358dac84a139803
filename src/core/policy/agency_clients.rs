//! The client of an agency's file: how it proves at the token endpoint who it is, with which keys, and for which role it may get tokens.

use serde::Deserialize;
use toml::Spanned;

use super::agency_file::AgencyFile;
use super::agency_rules::{KEYS_SUFFIX, Reader, listed};
use crate::core::domain::agency::Scope;
use crate::core::domain::jwk::{self, JwkMembers, JwkRejected, PublicJwk};
use crate::core::token::{ClientAuth, PRIVATE_KEY_JWT, TLS_CLIENT_AUTH};

const METHODS: [&str; 2] = [TLS_CLIENT_AUTH, PRIVATE_KEY_JWT];

/// `[client_auth]` of an agency's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientAuthFile {
    /// The accepted methods; the client chooses among them.
    pub methods: Spanned<Vec<Spanned<String>>>,
    /// Public keys, as JWKs; `agencies/NAME.jwks.json` may hold them instead.
    #[serde(default, rename = "key")]
    pub keys: Vec<Spanned<JwkMembers>>,
}

impl Reader<'_> {
    /// What the file and the key set beside it say together.
    pub(super) fn client_auth(&mut self, file: &AgencyFile) -> ClientAuth {
        let beside = self.keys_beside(KEYS_SUFFIX);
        let Some(said) = &file.client_auth else {
            if beside.is_some() {
                self.fault(0, "there are keys for `private_key_jwt` beside this file; add [client_auth] with `methods`, or remove them");
            }
            return ClientAuth::by_certificate();
        };
        for method in said.methods.get_ref().iter().filter(|method| !METHODS.contains(&method.get_ref().as_str())) {
            let message = format!("no such way to authenticate `{}`; use {}", method.get_ref(), listed(METHODS));
            self.fault(method.span().start, message);
        }
        let accepts = |name: &str| said.methods.get_ref().iter().any(|method| method.get_ref() == name);
        let at = said.methods.span().start;
        if said.methods.get_ref().is_empty() {
            self.fault(at, "`methods` is empty; to bar the agency, write `suspended = true`");
        }
        let keys = self.keys(&said.keys, beside, KEYS_SUFFIX, at);
        match (accepts(PRIVATE_KEY_JWT), keys.is_empty()) {
            (true, true) => {
                self.fault(at, "`private_key_jwt` needs a key: add [[client_auth.key]], or a key set in NAME.jwks.json beside this file")
            }
            (false, false) => self.fault(at, "there are keys, but `private_key_jwt` is not among the methods; add it or remove the keys"),
            _ => {}
        }
        ClientAuth { certificate: accepts(TLS_CLIENT_AUTH), keys }
    }

    /// Registered keys: those in the file, and the set beside it.
    pub(super) fn keys(
        &mut self,
        inline: &[Spanned<JwkMembers>],
        beside: Option<Result<Vec<PublicJwk>, JwkRejected>>,
        suffix: &str,
        at: usize,
    ) -> Vec<PublicJwk> {
        let mut keys = Vec::new();
        for members in inline {
            match PublicJwk::try_from(members.get_ref().clone()) {
                Ok(key) => keys.push(key),
                Err(JwkRejected(why)) => self.fault(members.span().start, why),
            }
        }
        match beside {
            Some(Ok(more)) => keys.extend(more),
            Some(Err(JwkRejected(why))) => self.fault(at, format!("the key set beside this file (NAME{suffix}): {why}")),
            None => {}
        }
        if keys.is_empty() {
            return keys;
        }
        jwk::together(keys).unwrap_or_else(|JwkRejected(why)| {
            self.fault(at, why);
            Vec::new()
        })
    }

    /// Scopes go by role, and nobody has two: whoever asks about people does not read the log, whoever reads patterns opens no person's
    /// trail, and whoever operates the gateway does neither (domain §8).
    pub(super) fn one_role(&mut self, file: &AgencyFile) {
        let wanted = role_of_kind(file.kind.get_ref());
        let written = file.scopes.get_ref().iter().filter_map(|written| Some((Scope::parse(written.get_ref())?, written)));
        for (scope, written) in written.filter(|(scope, _)| role(*scope) != wanted && !at_the_counter(*scope, file.kind.get_ref())) {
            let message = format!(
                "the scope `{}` is not for an agency of kind `{}`: that role has {}; enrol an agency of its own for the other role",
                scope.code(),
                file.kind.get_ref(),
                listed(Scope::ALL.into_iter().filter(|scope| role(*scope) == wanted).map(Scope::code))
            );
            self.fault(written.span().start, message);
        }
    }
}

/// A holder's view is opened where the holder is: at the counter of a Kefalat office.
fn at_the_counter(scope: Scope, kind: &str) -> bool {
    scope == Scope::LogHolder && kind == "kefalat"
}

/// Who needs a scope.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Relying,
    Auditor,
    DataProtection,
    Operator,
}

const fn role(scope: Scope) -> Role {
    match scope {
        Scope::Verify => Role::Relying,
        Scope::LogPatterns => Role::Auditor,
        Scope::LogPerson | Scope::LogHolder => Role::DataProtection,
        Scope::Ops => Role::Operator,
    }
}

fn role_of_kind(kind: &str) -> Role {
    match kind {
        "security-auditor" => Role::Auditor,
        "data-protection-officer" => Role::DataProtection,
        "operator" => Role::Operator,
        _ => Role::Relying,
    }
}
