//! One list of attacks, tried wherever a JWT is read: of several hundred mutations with the best signature that an attacker could have,
//! exactly the good one passes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use estelam::core::token::ClientAuth;
use serde_json::{Value, json};

use crate::client_assertion::Door;
use crate::foreign_keys::ForeignKey;
use crate::outside_token::Federation;
use crate::token::{Gate, NOW};

/// What an attack starts from: a good token whose signer signs whatever it is given.
struct Target<'a> {
    header: Value,
    claims: Value,
    required_header: &'a [&'a str],
    required_claims: &'a [&'a str],
    /// The claims in the order in which they are read: a list of their values is no set of claims.
    claims_in_order: &'a [&'a str],
    sign: &'a dyn Fn(&str, &str) -> String,
}

type Attacks = Vec<(String, String)>;

impl Target<'_> {
    fn good(&self) -> String {
        (self.sign)(&self.header.to_string(), &self.claims.to_string())
    }

    fn all(&self) -> Attacks {
        let mut attacks = Vec::new();
        self.header_attacks(&mut attacks);
        self.claim_attacks(&mut attacks);
        self.form_attacks(&mut attacks);
        self.encoding_attacks(&mut attacks);
        self.signature_attacks(&mut attacks);
        attacks
    }

    /// The same for a header field: a space before the token is one of those after `Bearer`, of which RFC 6750 §2.1 has one or more.
    fn all_in_a_header(&self) -> Attacks {
        self.all().into_iter().filter(|(name, _)| name != "part 0: space before").collect()
    }

    fn with_header(&self, attacks: &mut Attacks, name: impl Into<String>, header: &str) {
        attacks.push((name.into(), (self.sign)(header, &self.claims.to_string())));
    }

    fn with_claims(&self, attacks: &mut Attacks, name: impl Into<String>, claims: &str) {
        attacks.push((name.into(), (self.sign)(&self.header.to_string(), claims)));
    }

    fn header_attacks(&self, attacks: &mut Attacks) {
        for member in self.required_header {
            let without = without(&self.header, member);
            self.with_header(attacks, format!("header without `{member}`"), &without.to_string());
        }
        for member in ["alg", "typ", "kid"] {
            for value in odd_values() {
                self.with_header(attacks, format!("header `{member}` = {value}"), &with(&self.header, member, value.clone()).to_string());
            }
            let twice = twice(&self.header, member);
            self.with_header(attacks, format!("header `{member}` twice"), &twice);
        }
        for alg in [
            "none", "None", "nOnE", "HS256", "HS512", "RS256", "RS512", "PS384", "PS512", "ES384", "ES512", "ES256K", "Ed448", "eddsa",
            "es256", "ps256",
        ] {
            self.with_header(attacks, format!("alg {alg}"), &with(&self.header, "alg", json!(alg)).to_string());
        }
        for kid in [
            "other",
            "../keys/tokens.pem",
            "/dev/null",
            "a' OR '1'='1",
            "a;ls",
            "a\u{0}",
            "a\n",
            "%61",
            "https://evil.test/key",
            &"k".repeat(200),
        ] {
            self.with_header(attacks, format!("kid {kid:?}"), &with(&self.header, "kid", json!(kid)).to_string());
        }
        let jwk = ForeignKey::es256().jwk("x");
        for (member, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!(["b64"])),
            ("crit", json!([])),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("zip", json!("DEF")),
            ("enc", json!("A128GCM")),
            ("jku", json!("https://evil.test/jwks")),
            ("jku", json!("http://169.254.169.254/")),
            ("jwk", jwk),
            ("jwk", json!({})),
            ("x5u", json!("https://evil.test/chain")),
            ("x5u", json!("file:///etc/passwd")),
            ("x5c", json!(["AAAA"])),
            ("x5c", json!([])),
        ] {
            self.with_header(attacks, format!("header with `{member}`"), &with(&self.header, member, value).to_string());
        }
        for text in ["", "null", "[]", "\"x\"", "1", "{", "{}{}", "{} x"] {
            self.with_header(attacks, format!("header is {text:?}"), text);
        }
        let padded = with(&self.header, "filler", json!("x".repeat(2000)));
        self.with_header(attacks, "long header", &padded.to_string());
    }

    fn claim_attacks(&self, attacks: &mut Attacks) {
        for claim in self.required_claims {
            self.with_claims(attacks, format!("without `{claim}`"), &without(&self.claims, claim).to_string());
            for value in odd_values() {
                self.with_claims(attacks, format!("`{claim}` = {value}"), &with(&self.claims, claim, value.clone()).to_string());
            }
            self.with_claims(attacks, format!("`{claim}` twice"), &twice(&self.claims, claim));
            let value = &self.claims[claim];
            let other = if value.is_number() { json!(value.to_string()) } else { json!(7) };
            self.with_claims(attacks, format!("`{claim}` of another type"), &with(&self.claims, claim, other).to_string());
            let wrapped = json!({ "value": value });
            self.with_claims(attacks, format!("`{claim}` in an object"), &with(&self.claims, claim, wrapped).to_string());
        }
        for claim in ["iss", "sub", "aud"] {
            let value = self.claims[claim].as_str().unwrap().to_owned();
            for other in [
                format!("{value}/"),
                format!(" {value}"),
                format!("{value} "),
                value.to_uppercase(),
                format!("{value}\u{200c}"),
                format!("{value}\u{0}"),
                "evil".into(),
            ] {
                self.with_claims(attacks, format!("`{claim}` = {other:?}"), &with(&self.claims, claim, json!(other)).to_string());
            }
            let list = json!([value, value]);
            self.with_claims(attacks, format!("`{claim}` as a list of two"), &with(&self.claims, claim, list).to_string());
            self.with_claims(attacks, format!("`{claim}` as a list of one"), &with(&self.claims, claim, json!([value])).to_string());
        }
        for (claim, at) in [
            ("exp", NOW),
            ("exp", NOW - 1),
            ("exp", 0),
            ("exp", -1),
            ("exp", NOW + 3600),
            ("exp", i64::MAX),
            ("exp", i64::MIN),
            ("nbf", NOW + 11),
            ("nbf", NOW + 59),
            ("nbf", NOW + 61),
            ("nbf", i64::MAX),
            ("iat", NOW + 11),
            ("iat", NOW + 59),
            ("iat", NOW + 61),
            ("iat", i64::MAX),
            ("iat", i64::MIN),
        ] {
            self.with_claims(attacks, format!("`{claim}` = {at}"), &with(&self.claims, claim, json!(at)).to_string());
        }
        for text in ["", "null", "[]", "\"x\"", "1", "{", "{}", "{}{}"] {
            self.with_claims(attacks, format!("payload is {text:?}"), text);
        }
    }

    /// The same said in another form.
    fn form_attacks(&self, attacks: &mut Attacks) {
        for (name, text) in other_forms(&self.header, &["alg", "typ", "kid"]) {
            self.with_header(attacks, format!("header as {name}"), &text);
        }
        for (name, text) in other_forms(&self.claims, self.claims_in_order) {
            self.with_claims(attacks, format!("payload as {name}"), &text);
        }
    }

    /// The same bytes, signed as they stand, but written otherwise.
    fn encoding_attacks(&self, attacks: &mut Attacks) {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let joined = |index: usize, part: String| {
            let mut parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            parts[index] = part;
            parts.join(".")
        };
        for (index, part) in parts.iter().enumerate() {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
            for (name, text) in [
                ("padded", URL_SAFE.encode(&bytes) + "="),
                ("padded twice", format!("{part}==")),
                ("space before", format!(" {part}")),
                ("space after", format!("{part} ")),
                ("line end", format!("{part}\n")),
                ("split", format!("{}\r\n{}", &part[..4], &part[4..])),
                ("a plus", format!("{part}+")),
                ("a slash", format!("{part}/")),
                ("a byte more", format!("{part}A")),
                ("a byte less", part[..part.len() - 1].to_owned()),
                ("empty", String::new()),
                ("standard alphabet", STANDARD_NO_PAD.encode(&bytes) + "+/"),
                ("doubled", format!("{part}{part}")),
                ("percent", part.replacen(&part[..1], "%41", 1)),
                ("not ASCII", format!("{part}ي")),
                ("encoded twice", URL_SAFE_NO_PAD.encode(part)),
            ] {
                attacks.push((format!("part {index}: {name}"), joined(index, text)));
            }
        }
        for (name, text) in [
            ("a part more", format!("{good}.{}", parts[2])),
            ("an empty part more", format!("{good}.")),
            ("an empty part before", format!(".{good}")),
            ("five parts", format!("{good}.AA.AA")),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("header twice", format!("{}.{}.{}", parts[0], parts[0], parts[2])),
            ("swapped", format!("{}.{}.{}", parts[1], parts[0], parts[2])),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            ("JSON serialisation", json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string()),
            ("very long", format!("{good}{}", "A".repeat(100_000))),
        ] {
            attacks.push((name.to_owned(), text));
        }
    }

    fn signature_attacks(&self, attacks: &mut Attacks) {
        let good = self.good();
        let (input, signature) = good.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut forged: Vec<Vec<u8>> =
            vec![vec![0; bytes.len()], vec![255; bytes.len()], bytes.iter().rev().copied().collect(), vec![0], Vec::new()];
        forged.extend((0..bytes.len()).step_by(2).map(|index| {
            let mut bytes = bytes.clone();
            bytes[index] ^= 0x10;
            bytes
        }));
        forged.push(bytes[1..].to_vec());
        forged.push(bytes[..bytes.len() - 1].to_vec());
        forged.push([&[0], &bytes[..]].concat());
        forged.push([&bytes[..], &[0]].concat());
        forged.push([&bytes[bytes.len() / 2..], &bytes[..bytes.len() / 2]].concat());
        for (number, bytes) in forged.into_iter().enumerate() {
            attacks.push((format!("signature {number}"), format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))));
        }
        let stranger = ForeignKey::eddsa();
        attacks.push(("another's key".to_owned(), stranger.signed_text(&self.header.to_string(), &self.claims.to_string())));
        let other = (self.sign)(&self.header.to_string(), "{\"a\":1}");
        attacks.push(("the signature of another token".to_owned(), format!("{input}.{}", other.rsplit_once('.').unwrap().1)));
    }
}

/// What an object says, said in a form that is no object, or no JSON.
fn other_forms(object: &Value, order: &[&str]) -> [(&'static str, String); 12] {
    let at = json!(NOW);
    let values: Vec<&Value> = order.iter().map(|member| object.get(*member).unwrap_or(&at)).collect();
    let backwards: Vec<&Value> = values.iter().rev().copied().collect();
    let pairs: Vec<Value> = object.as_object().unwrap().iter().map(|(member, value)| json!([member, value])).collect();
    let text = object.to_string();
    let open = text.strip_suffix('}').unwrap();
    [
        ("a list of its values", json!(values).to_string()),
        ("a list of its values backwards", json!(backwards).to_string()),
        ("a list of pairs", json!(pairs).to_string()),
        ("a list of one", json!([object]).to_string()),
        ("a member of another", json!({ "value": object }).to_string()),
        ("text", json!(text).to_string()),
        ("JSON after a byte order mark", format!("\u{feff}{text}")),
        ("JSON and a NUL", format!("{text}\u{0}")),
        ("JSON with a comma more", format!("{open},}}")),
        ("JSON with a comment", format!("{open}/**/}}")),
        ("JSON with other quotes", text.replace('"', "'")),
        ("JSON in UTF-16", text.chars().flat_map(|char| [char, '\u{0}']).collect()),
    ]
}

/// Values that no member of a header and none of the claims may have.
fn odd_values() -> [Value; 7] {
    [json!(null), json!(true), json!([]), json!({}), json!(1.5), json!([null]), json!({"": ""})]
}

fn with(object: &Value, member: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[member] = value;
    object
}

fn without(object: &Value, member: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(member);
    object
}

fn twice(object: &Value, member: &str) -> String {
    format!("{{{}:{},{}", json!(member), object[member], object.to_string().strip_prefix('{').unwrap())
}

const ACCESS_CLAIMS: [&str; 9] = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"];
const ACCESS_CLAIMS_IN_ORDER: [&str; 10] = ["iss", "sub", "client_id", "aud", "iat", "nbf", "exp", "jti", "scope", "cnf"];

#[test]
fn of_several_hundred_mutations_of_our_token_exactly_the_good_one_passes() {
    let gate = Gate::new();
    let sign = |header: &str, payload: &str| {
        use estelam::core::signing::Signer;
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = gate.ring.tokens().sign(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let target = Target {
        header: gate.header(),
        claims: crate::token::claims(),
        required_header: &["alg", "typ", "kid"],
        required_claims: &ACCESS_CLAIMS,
        claims_in_order: &ACCESS_CLAIMS_IN_ORDER,
        sign: &sign,
    };
    let attacks = target.all_in_a_header();
    assert!(attacks.len() >= 300, "{}", attacks.len());
    for (name, token) in attacks {
        assert_ne!(gate.refusal(&token, NOW), None, "{name}");
    }
    assert_eq!(gate.verifier.remembered(), 0);
    assert_eq!(gate.refusal(&target.good(), NOW), None);
}

#[test]
fn the_same_holds_for_an_outside_issuer_with_every_algorithm() {
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        let other = ForeignKey::eddsa();
        let federation = Federation::new(&[(&key, "o"), (&other, "p")]);
        let sign = |header: &str, payload: &str| key.signed_text(header, payload);
        let target = Target {
            header: crate::outside_token::header(&key),
            claims: crate::outside_token::claims(),
            required_header: &["alg", "typ", "kid"],
            required_claims: &ACCESS_CLAIMS,
            claims_in_order: &ACCESS_CLAIMS_IN_ORDER,
            sign: &sign,
        };
        let attacks = target.all_in_a_header();
        assert!(attacks.len() >= 300, "{}", attacks.len());
        for (name, token) in attacks {
            // Only the agency's own claim must be its name; what `sub` says of a client differs from issuer to issuer.
            let harmless = name.starts_with("`sub` = \"");
            assert!(harmless || federation.gate.refusal(&token, NOW).is_some(), "{}: {name}", key.alg());
        }
        assert_eq!(federation.gate.refusal(&target.good(), NOW), None);
        if let Some(pkcs1) = key.signed_by_rs256(&target.header, &target.claims) {
            assert!(federation.gate.refusal(&pkcs1, NOW).is_some(), "the padding of RS256 under the name of PS256");
        }
    }
}

#[tokio::test]
async fn the_same_holds_for_client_assertions_with_every_algorithm() {
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        let (door, other) = (Door::new(), ForeignKey::eddsa());
        let mut keys = key.public("a");
        keys.extend(other.public("b"));
        let auth = ClientAuth { certificate: false, keys };
        let sign = |header: &str, payload: &str| key.signed_text(header, payload);
        let target = Target {
            header: crate::client_assertion::header(&key),
            claims: crate::client_assertion::claims("one"),
            required_header: &["alg", "kid"],
            required_claims: &["iss", "sub", "aud", "exp", "jti"],
            claims_in_order: &["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
            sign: &sign,
        };
        let attacks = target.all();
        assert!(attacks.len() >= 300, "{}", attacks.len());
        for (name, token) in attacks {
            // `iat` is optional there and only bounds the future.
            let harmless = name == format!("`iat` = {}", i64::MIN);
            // The form itself would change what is percent-encoded; the assertion is handed over as the client wrote it.
            let form = form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>();
            assert!(harmless || door.ask(Some(&form), &auth, NOW).await.is_err(), "{}: {name}", key.alg());
        }
        assert_eq!(door.ask(Some(&target.good()), &auth, NOW).await, Ok(()));
    }
}

#[test]
fn mac_keyed_with_a_public_key_is_refused_everywhere() {
    use aws_lc_rs::hmac;
    for key in [ForeignKey::ps256(), ForeignKey::es256(), ForeignKey::eddsa()] {
        let federation = Federation::new(&[(&key, "o")]);
        for alg in ["HS256", key.alg()] {
            let header = with(&crate::outside_token::header(&key), "alg", json!(alg));
            let claims = crate::outside_token::claims().to_string();
            let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.public_bytes()), input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac));
            assert!(federation.gate.refusal(&token, NOW).is_some(), "{alg} with the public key of {}", key.alg());
        }
    }
}
