//! Asking, from an integrator's chair.
//!
//! You make a key and a certificate signing request (`openssl req -new …`, see [`trust`](super::trust)), and send the request to the operator; the key never
//! leaves you. Back comes a kit: your certificate, the roots that you trust the gateway by, your policy in Persian and English with the services and purposes that
//! you may ask for, `ask.sh` (a token and a query with `curl`), `oauth.json` (the settings of an OAuth client), `sign.py`, and `client.json`, by which
//! `estelam verify --dir KIT --as NAME` works. Put your key beside them as `key.pem`. Then:
//!
//! 1. Get a token: `POST /oauth2/token` with `grant_type=client_credentials&client_id=<your agency>` over mutual TLS. It lives at
//!    most five minutes and works only together with the certificate that fetched it. Keep it until it expires.
//!    If your file at the operator names keys for `private_key_jwt`, sign a new assertion for each request and send it beside the certificate
//!    (`client_assertion`, RFC 7523): `iss` and `sub` your agency, `aud` the issuer as text (not the token endpoint, not a list), `exp` a minute
//!    ahead, a fresh `jti`; `typ`, if you set it, `client-authentication+jwt`; PS256, ES256 or EdDSA. `openid-client`, `oauth4webapi`,
//!    `authlib` and `requests-oauth2client` are tried with every build; the last two want `aud` and `typ` set by hand.
//!    No client has a secret: `Authorization: Basic` and `client_secret` get 401 `invalid_client`.
//! 2. Ask: `POST /v1/verify` with `Authorization: Bearer …` and a JSON body. Unknown fields are errors.
//! 3. Read `decision`, then `reason.code`. Follow `reason.next`.
//!
//! | decision | what it means at your counter |
//! |---|---|
//! | `entitled` | serve; re-date your record to `valid_until` or name the decree in `document.decree` |
//! | `not-entitled` | the fact in `reason` stands against it; say so politely and show the next step |
//! | `indeterminate` | nobody knows yet; `may_deny` is false: you may not refuse the service on this answer |
//! | `no-document-required` | serve; no identifier was looked up or recorded |
//!
//! `actor` and `reference` go into the access log, so neither may look like the number of a person: the submitted value must not be in it, whatever stands between its
//! letters and digits, and no word of eight digits, or of mostly digits; nor may it be the name or a date (more than the year) that you give in `check`. So personnel codes of eight digits and whole dates (`20261129`, and `2026-11-29` alone) are refused too: write
//! `desk-7`, `case-4711`, `day-2026-11-29`. UUIDs pass, also behind a word (`loan-018f3f0e-…`), and so do random ids of 16, 24, 32 hex characters and so on, but for
//! three in 1000 of those of 16. Ids of 12 hex characters are refused wherever nine of them happen to be digits, one in four: make longer ones.
//!
//! The printed expiry date is not the law: a decree may have extended the card. That is why you ask.
//!
//! Send a fresh `nonce` (128 random bits, base64url) with every query: then the signed statement commits to your very request (`req`). Where no document is
//! needed, leave `identifier` and `check` out: a body that has them is answered without a `req`, and neither they nor that you sent them is kept in any form.
//! An `Idempotency-Key` makes a retry after a broken connection safe: the recorded answer comes once more with
//! `"redelivered": true` and the header `Idempotency-Replayed: true`, in the format of the first reply. Another body under the same key is
//! `409 key-reused`, after a crash too. If the gateway crashed in between, the reply is gone and you get a new answer under a new `answer_id`, decided on what is
//! known now; the log ties it to the first (`retry_of`) and it does not count against your quota again; so it is after a 503 whose record may have come late, and
//! where so many answers were given since that the first is not at hand any more ([`operating`](super::operating), Retries). A key that looks like the number of a
//! person is not remembered across a crash. A key is kept for ten minutes, and only once it was answered (or perhaps recorded): after a refusal it is free
//! again. No other agency's keys push yours out. In the first seconds after a start a key that nobody knows yet may be 503: ask again with it.
//!
//! A 503 always means the same: rely on nothing, it may be on record all the same, ask again with the same key and body after `Retry-After`. That differs at random
//! from call to call (1 to 4 s; 30 to 45 where the disk is full), so that all who were turned away at once do not come back at once; it says nothing about what you
//! asked. Wait as long as it says, each of your clients for itself.
//!
//! # Signing requests
//!
//! Where your policy says so (`[request_signing] required`, or `signature` among a grant's duties), and always for `log:person`, `log:holder`
//! and `ops`, sign each request in the header field `Estelam-Signature`. Elsewhere you may; a signature that does not count is refused either
//! way (`signature-invalid`, 401). The key is one of its own: not the certificate's, not that of `private_key_jwt`. You make it, and the
//! operator registers its public half (`estelam agency enrol NAME --request-key PUB.pem`). Then any JOSE library signs:
//!
//! ```python
//! key = ECKey.import_key(open("request-key.pem").read())                       # joserfc
//! digest = urlsafe_b64encode(sha256(body).digest()).rstrip(b"=").decode()      # of the bytes that you send; b"" for GET
//! claims = {"iss": "bank", "aud": issuer, "iat": int(time()), "jti": token_urlsafe(16), "htm": "POST", "path": "/v1/verify", "body_sha256": digest}
//! header = {"alg": "ES256", "typ": "estelam-request+jwt", "kid": key.thumbprint()}
//! headers["Estelam-Signature"] = jwt.encode(header, claims, key)
//! ```
//!
//! `path` has the query string too, as you send it: `/v1/log/epochs?from=2026-11-23`. A signature is good for a minute and counts once: a
//! retry, under an `Idempotency-Key` too, is signed anew. `kid` is that under which the key was
//! registered; from a PEM it is the RFC 7638 thumbprint. Keep what you signed for as long as you may have to show it: the log, and our
//! signed answer or refusal (`request_signature`), hold HMAC-SHA-256 over the JWS, keyed by its `jti`, so that the JWS proves itself and nothing else
//! can be found out from it. Your kit has a script (`sign.py`); `estelam verify --sign-with KEY` signs too.
//!
//! Libraries find everything at `/.well-known/oauth-protected-resource` (RFC 9728; every 401 for want of a good token names it) and
//! `/.well-known/oauth-authorization-server` (RFC 8414). Send each header field once and bodies as they are, without `Content-Encoding`.
//!
//! `Accept: application/jwt` gets the signed statement alone, also among other types if none that takes JSON (`application/json`, `*/*`) has more weight or as much and
//! stands before it; the keys that verify it are at `/.well-known/jwks.json` on both listeners.
//! `max_age` is the oldest acceptable age of the facts and decrees in seconds, within what your policy allows; 0 asks the registry now.
//!
//! `reason.next` says who acts next, and how. Where a decree asks something of the holder besides, `reason.next.then` has its words: pass them on.
//! With `lapsed-renewable`, `reason.next.window` has the renewal window that is open for the holder's document, else the next one announced: `from` and
//! `to` (days in Tehran, both included; no `to` is until further notice), `decree`, and a `message` with the days in the Jalali calendar to read out. There
//! is none where no window is known. You are told of it only if your policy tells you lapsed documents from lost ones (the class `card`), and of its decree only
//! if it tells you of decrees; the statement has it as `renewal_window`.
//!
//! `terms`, with `entitled`, is what the service's rule asks of you: `at_most` so many for each holder, `cycle_months` after which it is given anew,
//! `ends_with_document` where it is valid no longer than the document. You keep count: the gateway does not know what you gave to whom, and must not. `last_day` is the
//! last day on which one of the holder's documents carries the service, by printed dates and decrees, where your policy shows it (`end`); without one that is until
//! further notice, or it is not shown to you. A decree may move it later: ask again then.
//!
//! `record-incomplete` is no "no" either: the answer hangs on something that nobody wrote down, the status that a smart card carries, or what a decree asks about (the
//! day of issue where the paper shows the year alone, a nationality, a province). The holder can have it recorded.
//!
//! `pending-propagation` has no date. How long a new permit may take is the service's rule (`propagation_hours`); when one was issued is the holder's affair.
//!
//! For `travel`, `province` (ISO 3166-2:IR) names the province that the question is about; without it, the registered one. Provinces have the numbers that the register
//! uses: those before the renumbering of November 2020, in which `IR-07` is Tehran and `IR-14` Fars. Since then the same codes mean other provinces (`IR-07` Fars, `IR-23`
//! Tehran), and we cannot tell which list you meant: translate codes of the newer one before you ask.
//!
//! Refusals are problems (RFC 9457). `code` is stable; `detail` says what to do and never repeats what you sent. A 503 is no refusal: we could not answer, and
//! `advice` says what your policy wants meanwhile. `proceed`: serve the holder and ask again later; `try-later`: ask again before you act. After 429 wait
//! as many seconds as `Retry-After` says. Where `RateLimit-Policy` names `enumeration`, your queries looked like a search for people: ask about
//! those before you. What you asked before is answered meanwhile. If you have to go through a list of your own, agree with the operator on a
//! batch: a certificate of a branch of its own, `"priority": "background"`, and so many numbers a day. Ask nothing else with that certificate.
//!
//! `"receipt": true` asks for a printed receipt that the holder may carry away; see [`receipts`](super::receipts). Only if the holder wishes it.
//!
//! A client that goes on being refused, hundreds of times a second, gets no reply any more: its connections close, later each second, until it is quieter, and what it
//! may ask is answered after what others ask. Stop at the first refusal that says what to mend. Keep connections open: from one address 100 new ones a second are begun, further ones wait.
//!
//! A statement is for its `aud` until its `exp`. It names no holder and is nobody's credential.
//!
//! # When an auditor asks why
//!
//! `GET /v1/log/samples` lists the entries of yours that an auditor drew at random, until when you are asked (`due`), and what you said. They say no more of a holder
//! than your answers did: no exact reason, no decree, no latency. Entries whose content was deleted meanwhile are named in `gone`, those that nobody can read in `damaged`. Follow `next` as long as there is one: a page may be empty. Answer each by `POST /v1/log/samples/{sample_id}/justification` with `{"index": …, "ground": "holder-present", "reference": "file-77"}`: a
//! ground from the list of the API description, and your own file in which the papers are. There is no free text, since it would hold names. You may correct
//! yourself four times; the last answer counts, and all of them stay in the log.
