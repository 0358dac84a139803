//! The configuration that a new installation starts with.

use std::net::SocketAddr;

/// A commented `estelam.toml` for these addresses. The demo writes it; an operator edits it.
pub fn template(gateway: SocketAddr, public: SocketAddr, ops: SocketAddr, registry_port: u16, checkpoint_every_s: u64) -> String {
    let (gateway_port, registry, ledger) = (gateway.port(), registry(registry_port), ledger(checkpoint_every_s));
    format!(
        r#"# Configuration of an estelam installation. Paths are relative to this file; unknown keys are refused.

# URL of the gateway: issuer of tokens and statements, audience of tokens.
issuer = "https://localhost:{gateway_port}"
# Trust domain of the agencies' certificates (spiffe://<trust-domain>/agency/<name>).
trust_domain = "estelam.test"
demo = true # rules take effect unsigned; an installation removes this line, and two officials sign (`estelam officials`)
policies = "policies"
# Every policy version and decree set ever in force is kept here, so that old answers can be explained and decided again.
archive = "archive"
# What is cut off at once (`estelam agency suspend`), whatever policies and revocation lists say.
cutoff = "cutoff/list.json"
# Registers of the agencies' certificates (`estelam agency enrol`, `rotate`).
enrolment = "enrolment"
keys = "keys"

[signing]
# The secret that unlocks the key files. Keep it away from their disk: leave this out and give the service a credential `estelam-keys`.
unlock = "keys.unlock"
# Algorithm of new keys (`EdDSA` or `ES256`); days until they are replaced by themselves (0: by command only).
algorithm = "EdDSA"
rotate_days = 90

[listen]
gateway = "{gateway}"
public = "{public}"
ops = "{ops}" # health and metrics; loopback only

[tls]
certificate = "pki/gateway/cert.pem"
key = "pki/gateway/key.pem"
client_ca = "pki/ca.pem"
client_intermediates = "pki/intermediate.pem"
# Root of `certificate` above, where it is another than the agencies' `client_ca`: agencies get it in their kit.
# server_ca = "pki/server-ca.pem"
# Certificate revocation lists. Without a current list of every issuer nobody is let in.
crls = "pki/crl"
# Where newer lists are fetched from, in PEM or DER: name two or more. The highest number wins, whichever source it comes from.
# crl_urls = ["http://crl1.example/agencies.crl", "http://crl2.example/agencies.crl"]
# Hours that a list may be overdue before everything but life-critical services (services.toml) is refused.
crl_grace_h = 24

{registry}
{ledger}
[audit]
cases = "cases" # the register of cases (`estelam log case`)
trails_per_day = 50 # trails that one officer of data protection may open
officer_key = "pki/dpo/trail.key" # a demo alone takes this; an installation removes the line, and the officer opens trails from elsewhere

[holder]
# The holder's own view: trail keys are sealed to the registry's desk too, which opens them only for a code from the holder's SIM.
public_key = "pki/holder/trail.pub"
codes_per_office = 100

[limits]
# Largest body of a query in bytes, and the grid in milliseconds on which `not-established` leaves.
body_bytes = 8192
grid_ms = 50
# Token requests a second from one address (500 if left out). In a demo everybody has the same address.
tokens_per_address = 100000
"#
    )
}

fn ledger(checkpoint_every_s: u64) -> String {
    format!(
        r#"[ledger]
dir = "ledger"
origin = "localhost/estelam-demo"
# The data-protection officer's public key: only its private half opens the trail keys.
dpo_public_key = "pki/dpo/trail.pub"
checkpoint_every_s = {checkpoint_every_s}
# MiB of the disk that answers have for themselves, and MiB that are free at least before reads of the log, then refusals stop.
# An installation leaves both out (256 and 512).
reserve_mib = 8
floor_mib = 64
"#
    )
}

fn registry(port: u16) -> String {
    format!(
        r#"[registry]
url = "https://localhost:{port}"
# Further addresses of the same register, asked when the first fails or is slow.
# further_urls = ["https://registry2.example"]
ca = "pki/ca.pem"
intermediates = "pki/intermediate.pem"
# Without a current list of every issuer the registry is not asked.
crls = "pki/crl"
# The name that the registry's certificate must bear.
identity = "spiffe://estelam.test/server/registry"
certificate = "pki/gateway-client/cert.pem"
key = "pki/gateway-client/key.pem"
timeout_ms = 800

[events]
# The registry pushes what changed (POST /v1/events) beside the poll: the name of its client certificate, `iss` and keys of its events.
# Without this section nobody's events are taken.
sender = "spiffe://estelam.test/service/registry"
issuer = "spiffe://estelam.test/server/registry"
keys = "pki/registry/events.jwks.json"

# People in a social-protection registry (SPDCI) instead; decrees still come from `url` above. See the manual, `spdci`.
# [registry.people]
# protocol = "spdci"
# url = "https://social.example"
# identity = "spiffe://…" # if its certificate is pinned; `ca`, `intermediates`, `crls`, `certificate`, `key`: those above if left out
# sender_id = "estelam.example"
# receiver_id = "social.example"
# signing_key = "pki/spdci/sign.key" # signs what is asked (`openssl genpkey -algorithm ed25519`)
# registry_keys = "pki/spdci/registry.jwks.json" # keys that sign its answers
# token = "pki/spdci/token" # access token, where it wants one
# reg_type = "…" # as are reg_event_type, reg_record_type, response_entity, authorize: where it wants them
# [registry.people.identifiers] # scheme = identifier type there
# yekta = "UIN"
"#
    )
}
