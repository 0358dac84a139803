//! The configuration that a demo or a new installation starts with.

use std::net::SocketAddr;

/// What an installation is called, and where it listens.
#[derive(Clone, Debug)]
pub struct Names {
    /// URL of the `gateway` listener, without a slash at its end.
    pub issuer: String,
    /// Trust domain of every certificate's name.
    pub trust_domain: String,
    /// Origin line of the access log.
    pub origin: String,
    /// URL of the registry.
    pub registry: String,
    /// Address for agencies.
    pub gateway: SocketAddr,
    /// Address for anyone.
    pub public: SocketAddr,
    /// Address for the operator, on loopback.
    pub ops: SocketAddr,
}

/// Lines in which a demo and an installation differ.
struct Differing<'a> {
    demo: &'a str,
    officer: &'a str,
    holder: &'a str,
    events: &'a str,
    checkpoint_every_s: u64,
    room: &'a str,
    audit: &'a str,
    limits: &'a str,
}

/// A commented `estelam.toml` of a demo on these addresses. The demo writes it at each start.
pub fn template(gateway: SocketAddr, public: SocketAddr, ops: SocketAddr, registry_port: u16, checkpoint_every_s: u64) -> String {
    let names = Names {
        issuer: format!("https://localhost:{}", gateway.port()),
        trust_domain: "estelam.test".to_owned(),
        origin: "localhost/estelam-demo".to_owned(),
        registry: format!("https://localhost:{registry_port}"),
        gateway,
        public,
        ops,
    };
    let demo = Differing {
        demo: "demo = true # rules take effect unsigned; an installation removes this line, and two officials sign (`estelam officials`)",
        officer: "pki/dpo/trail.pub",
        holder: "pki/holder/trail.pub",
        events: "pki/registry/events.jwks.json",
        checkpoint_every_s,
        room: "\
# MiB of the disk that answers have for themselves, and MiB that are free at least before reads of the log, then refusals stop.
# An installation leaves both out (256 and 512).
reserve_mib = 8
floor_mib = 64
",
        audit: "\
officer_key = \"pki/dpo/trail.key\" # a demo alone takes this; an installation removes the line, and the officer opens trails from elsewhere
",
        limits: "\
# Token requests a second from one address (500 if left out). In a demo everybody has the same address.
tokens_per_address = 100000
",
    };
    written(&names, &demo)
}

/// A commented `estelam.toml` of a new installation, which an operator goes on to edit (`estelam config new`).
pub fn installation(names: &Names) -> String {
    let own = Differing {
        demo: "demo = false # policies take effect only with the signatures of two officials (`estelam officials`)",
        officer: "pki/officer.pub",
        holder: "pki/holder.pub",
        events: "pki/events.jwks.json",
        checkpoint_every_s: 600,
        room: "\
# MiB of the disk that answers have for themselves, and MiB that are free at least before reads of the log, then refusals stop.
# reserve_mib = 256
# floor_mib = 512
# The witness, once there is one (`estelam log witness`); see the manual, `log`.
# witness_key = \"witness.key\"
# witness_checkpoint = \"witness.checkpoint\"
",
        audit: "",
        limits: "\
# Token requests a second from one address.
# tokens_per_address = 500
# MiB of memory for answers that a retry may ask for once more.
# retry_mib = 256
",
    };
    written(names, &own)
}

fn written(names: &Names, own: &Differing<'_>) -> String {
    [head(names, own), listeners(names), registry(names, own), log(names, own)].join("\n")
}

fn head(Names { issuer, trust_domain, .. }: &Names, Differing { demo, .. }: &Differing<'_>) -> String {
    format!(
        r#"# Configuration of an estelam installation. Paths are relative to this file; unknown keys are refused.

# URL of the gateway: issuer of tokens and statements, audience of tokens.
issuer = "{issuer}"
# Trust domain of the agencies' certificates (spiffe://<trust-domain>/agency/<name>).
trust_domain = "{trust_domain}"
{demo}
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
"#
    )
}

fn listeners(Names { gateway, public, ops, .. }: &Names) -> String {
    format!(
        r#"[listen]
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
"#
    )
}

fn registry(Names { registry, trust_domain, .. }: &Names, Differing { events, .. }: &Differing<'_>) -> String {
    format!(
        r#"[registry]
url = "{registry}"
# Further addresses of the same register, asked when the first fails or is slow.
# further_urls = ["https://registry2.example"]
ca = "pki/ca.pem"
intermediates = "pki/intermediate.pem"
# Without a current list of every issuer the registry is not asked.
crls = "pki/crl"
# The name that the registry's certificate must bear.
identity = "spiffe://{trust_domain}/server/registry"
certificate = "pki/gateway-client/cert.pem"
key = "pki/gateway-client/key.pem"
timeout_ms = 800
# One query with all its look-ups and waits; twice `timeout_ms` if left out.
# query_ms = 1600

[events]
# The registry pushes what changed (POST /v1/events) beside the poll: the name of its client certificate, `iss` and keys of its events.
# Without this section nobody's events are taken.
sender = "spiffe://{trust_domain}/service/registry"
issuer = "spiffe://{trust_domain}/server/registry"
keys = "{events}"

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

fn log(Names { origin, .. }: &Names, own: &Differing<'_>) -> String {
    let Differing { officer, holder, checkpoint_every_s, room, audit, limits, .. } = own;
    format!(
        r#"[ledger]
dir = "ledger"
origin = "{origin}"
# The data-protection officer's public key: only its private half opens the trail keys.
dpo_public_key = "{officer}"
checkpoint_every_s = {checkpoint_every_s}
# Folders of what two people sign: legal holds (`estelam log hold`) and purge orders (`estelam log purge-order`). Outside a demo nothing is
# deleted without an order in force.
holds = "holds"
purge_orders = "purge-orders"
{room}
[audit]
cases = "cases" # the register of cases (`estelam log case`)
trails_per_day = 50 # trails that one officer of data protection may open
{audit}
[holder]
# The holder's own view: trail keys are sealed to the registry's desk too, which opens them only for a code from the holder's SIM.
public_key = "{holder}"
codes_per_office = 100

[limits]
# Largest body of a query in bytes, and the grid in milliseconds on which `not-established` leaves.
body_bytes = 8192
grid_ms = 50
{limits}"#
    )
}
