//! Receipts: what a signed answer proves, to whom, and for how long.
//!
//! | paper | who has it | tells | `typ` |
//! |---|---|---|---|
//! | statement of an answer | the agency that asked (`statement`) | agency, service, purpose, outcome, reason, what of the document the policy discloses | `estelam-answer+jwt` |
//! | statement of a refusal | the same | status and code | `estelam-refusal+jwt` |
//! | printed receipt | the holder, on paper, and only if the holder wishes it | the day, and that this gateway answered somebody's query then | `estelam-receipt+jwt` |
//! | proof | the agency, or a log scope (`GET /v1/log/proof/{answer_id}`) | where the entry is in the log; nothing of its content | |
//!
//! **Genuine means: genuine when issued. It says nothing about today or about the bearer.** The card may have ended since, and whoever
//! carries a paper need not be the one it was given to. Ask a new query instead.
//!
//! # For holders
//!
//! Where the agency's policy allows it you may ask for a receipt when you are asked about. It has a QR code, a day and a code such as
//! `7Q2K-0M9D-XW4E`. It names neither you nor your card, neither the agency nor what it asked nor what it was told: whoever finds or takes
//! the paper learns that somewhere a query was answered on that day. With the code the agency finds its case, so you can contest it. It is no
//! identity document. Nobody may demand it, and not having one means nothing.
//!
//! # For agencies
//!
//! Send `"receipt": true` with the query, if the holder wishes it; `receipt = true` in a `[[grant]]` of your policy allows it (otherwise
//! `receipt-not-allowed`). The JSON answer then has `receipt.jwt`, for the QR code, and `receipt.code`. Keep the code with your case; whether
//! there is a receipt says nothing of the outcome, as every answer can have one.
//!
//! ```text
//! estelam receipt print answer.json                            a QR code on the terminal, and the words
//! estelam receipt print answer.json --format svg > paper.svg   a page of 80 × 120 mm; --lang fa or en
//! ```
//!
//! Nothing but a printed receipt goes on paper: the verb refuses a statement. The code is the first 60 bits of the receipt's SHA-256, so it stands in
//! no claim and opens nothing. Keep the statement as long as somebody may come back with the paper: it holds the whole SHA-256 (`receipt`), and
//! only it proves that the paper belongs to an answer in the log.
//!
//! # Checking
//!
//! In a browser: `https://PUBLIC/receipt`, in Persian, Dari and English. It fetches the public keys and nothing else, sends nothing, and works on
//! without a network once the keys are there; it also takes them from a file. On a machine without a network:
//!
//! ```text
//! curl -O https://PUBLIC/.well-known/estelam-keys.json         once, from time to time
//! estelam receipt check answer.json --keys estelam-keys.json
//! estelam receipt check answer.json --keys estelam-keys.json --proof proof.json --checkpoint kept.checkpoint
//! estelam receipt check paper.jwt   --keys estelam-keys.json --statement answer.json --proof proof.json
//! ```
//!
//! Proofs from a log that was sealed count too: the list of keys names every log of the installation (`origins`), the oldest first. An empty text, one that is too
//! large (a photo) or not in the form of a receipt is never called false: that cannot be told of it.
//!
//! Exit 0: genuine. 1: not genuine, or not to be told from what was given; which, and why, is printed (`--json`: `verdict` and `code`). 2: usage.
//! With a JWK set instead of the list of lives (`--issuer` says whose it is, `--checkpoint-key` the log's key) it is not known when a key was good.
//!
//! | checked | how |
//! |---|---|
//! | form | at most 8 KiB, three parts in canonical base64url, a header of `alg`, `typ` and `kid` alone, no member twice |
//! | kind | `typ` is one of the three above; a receipt is never read as a statement |
//! | signature | by the key that `kid` names, with that key's one algorithm; a key that is for tokens does not count |
//! | issuer | `iss` is exactly the issuer that the keys are of |
//! | time | `iat` lies between the key's first and last day of signing; two minutes are allowed for a running gateway to take up a change |
//! | the log | the entry's header commits to the statement, the path leads to the checkpoint (RFC 9162 §2.1.3.2), which a key of the log signed |
//! | the JSON around a statement | every member that the statement has too (outcome, reason's code, document, terms, instants, versions, `may_deny`, ids, receipt) says the same; else `answer-differs`, with the member's name. Words for people (`message`) are not signed |
//! | a kept checkpoint | the proof is of the very same tree; two trees of one size are called a fork |
//!
//! `exp` is not looked at: it says until when the agency could rely on the answer, not whether the paper is genuine.
//!
//! # When keys change
//!
//! | key | its statements | its printed receipts |
//! |---|---|---|
//! | rotated, lost, retired, published no more | genuine; the list of lives keeps every key | genuine |
//! | others may have it (`estelam keys compromised`) | genuine only with a proof that the entry is one of those under the checkpoint from before, or in an older log | genuine only with such a statement |
//! | others may have the key of the log | a proof counts only under that very checkpoint, or under one that the new key signed | |
//!
//! So fetch the proof of what must last (its agency can, as long as the entry's content is kept: 90 days, 30 for minors), and fetch the keys again before you rely on an old paper: an old list does not know of a later loss.
