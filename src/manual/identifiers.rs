//! Identifiers, second factors, names and dates: what is compared with what.
//!
//! # Identifiers
//!
//! An identifier is a scheme and a value. `policies/schemes.toml` lists the schemes, each with its pattern; values are compared after marks
//! are stripped, digits and letters folded and Latin letters capitalised. In this order:
//!
//! | what was sent | what comes of it |
//! |---|---|
//! | a scheme that is not listed | `unknown-scheme` |
//! | `household`, `pan`, `iban`, `unhcr-case`; `msisdn` for any service but `sim` | `wrong-scheme`, before the value is read; `hint` says what to use |
//! | a value that fails its pattern and has another scheme's telling shape (`looks`) | `wrong-scheme` with that scheme as `hint` |
//! | a value that fails its pattern otherwise, a telephone number that no operator gives out | `malformed-identifier` |
//! | a valid national code of Iran | `wrong-population` |
//! | a passport with an `mrz` line that names another number or fails a check digit | `malformed-identifier` |
//! | anything else | a look-up |
//!
//! Nothing of this asks the registry, so none of it tells whether anybody has the number.
//!
//! An agency that numbers its document types writes its map into its file; then `identifier.scheme` may be that number, as a string:
//!
//! ```toml
//! [scheme_numbers]
//! 0 = "passport"
//! 3 = "amayesh-no"
//! ```
//!
//! `series` and `country` describe the paper that was shown. They are compared with the papers that bear the number; if all of these are known
//! to be others, the number leads to nobody (`not-established`). What the registry does not know contradicts nothing, and neither is a second
//! factor.
//!
//! # Second factor
//!
//! `birth_year`, `birth_date` and `document_expires` are read in the calendar that `calendar` names; it is never guessed. A year or a month is
//! the interval of its days, and two dates match when their intervals share a day. Everything given must match. Jalali months may be named in
//! Persian (اسفند) or Dari (حوت).
//!
//! `document_expires` is compared with the documents that bear the number asked for; where none of these has a printed date, or the registry does not
//! say which they are, with all of the person's. Where the policy wants a second factor, not everything that matches proves somebody:
//!
//! | `second_factors` of the agency's file takes | what proves |
//! |---|---|
//! | `birth` | the year, the month or the day of birth |
//! | `document-expires` | the printed expiry date, as a whole day, of a document that has a day of its own |
//! | `shared-expires` beside it | the same of cards of rounds (Amayesh, Hoviat, temporary) and census slips, on which a whole series has one day: who has seen one card knows it of every other |
//!
//! Left out, all three are taken; the files that ship take the first two. A check that could prove nobody under its agency's file (the year of expiry
//! alone, say) is `check-required`, whoever it is about. A day that is shared, of which only the look-up can tell, comes to `not-established` like
//! every second factor that does not match: ask for the birth year.
//!
//! # Names
//!
//! `check.name` is a hint. It matches (the same letters, in any order, titles aside), is close (another spelling: حسینی, Hussaini, Hosseini) or
//! different. It changes no answer and is told to nobody who asks; the access log keeps the one word. The gateway holds no names: the registry
//! sends fingerprints and sounds of consonants.
//!
//! # One person, several records
//!
//! `estelam registry merge FIRST SECOND --because WHY` makes two records one person from now on, under the first; `split RECORD --because WHY` parts
//! them again, and takes back what had come with the record. `registry records RECORD` shows the history. Both reach the gateway through the change
//! feed at once. Nothing is deleted: `registry lookup SCHEME VALUE --known-at INSTANT` says what the registry knew then, merges, splits and corrected
//! documents included, so an answer that was given before a split can still be explained.
//!
//! # A card that another one replaces
//!
//! An old card ends when the new one is handed over, not when it is made (domain §3, inferred). The register says so: whoever keeps it writes `superseded` or
//! `replaced` on the old card on the day of delivery. The gateway does not conclude it from a delivered card beside an older one:
//!
//! - No record says which card took the place of which. A smart card does not end an Amayesh card (rounds 18 and 19 followed it, and that is published), and
//!   several documents of one person are valid at once.
//! - Whether a holder has one valid document decides the answer. A conclusion of ours would turn away somebody whose paper the register holds to be
//!   active, as soon as the newer one is suspended or lost; and a "no" rests on a fact, not on an inference.
//!
//! So a suspended smart card beside an Amayesh card that is still `active` leaves the holder entitled by the Amayesh card. Where that is wrong the register
//! is corrected, and the correction reaches answers through the change feed at once.
