"""What an import must say of a file, read off the contract (§5.1, with domain §3, §5 and §9) and, where it says so, the manual: a second implementation."""
import collections
import csv
import io
import json
import re
import unicodedata

KINDS = set("""smart-card amayesh hoviat temporary-card census-slip laissez-passer exit-laissez-passer passport-residence passport-visa
    household-visa-electronic household-visa-manual residence-booklet special-booklet refugee-booklet student-pass pupil-card
    education-support-slip work-permit""".split())
STATES = set("""requested produced at-office delivered active suspended lost stolen damaged replaced revoked superseded expired
    holder-deceased holder-departed""".split())
CARD = r"[A-Z0-9]{6,20}"
SCHEMES = {
    "yekta": r"9\d{9}", "fida": r"1\d{11}", "old-fida": r"\d+", "shenasaei": r"\d+", "naja-faragir": r"\d+", "amayesh-no": CARD,
    "hoviat-no": CARD, "refugee-no": CARD, "temporary-card-no": CARD, "census-tracking": r"\d+", "smart-card-serial": CARD,
    "laissez-passer-no": CARD, "passport": r"[A-Z0-9<]{6,9}", "residence-booklet-no": r"\d{1,12}", "residence-permit-no": r"\d{1,12}",
    "e-tazkira": r"\d{4}-\d{4}-\d{5}", "msisdn": r"(09|\+989)\d{9}", "household": "", "pan": "", "iban": "", "unhcr-case": "",
}
NEVER_KEYS = {"household", "pan", "iban", "unhcr-case"}
COLUMNS = """person scheme value kind series issued expires calendar state birth birth_calendar nationality province legal_status name
    father_name household household_role""".split()
OPTIONAL = ["country", "mrz", "recorded_at"]
# Not the contract's but the manual's: a year that no paper has is a slip of the calendar.
CALENDARS = {"jalali": range(1200, 1601), "gregorian": range(1800, 2301)}
MARKS = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x061C, 0x0640, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
LETTERS = {0x064A: "ی", 0x0649: "ی", 0x0643: "ک", 0x0629: "ه"}
DIGITS = {base + digit: str(digit) for base in (0x06F0, 0x0660) for digit in range(10)}


def normal(text):
    return unicodedata.normalize("NFC", text or "").translate(MARKS).strip().translate({**LETTERS, **DIGITS})


def last_day(year, month, calendar):
    if calendar == "jalali":
        # The rule of 33 years, which holds for these centuries.
        return 31 if month <= 6 else 30 if month < 12 else 29 + (year % 33 in (1, 5, 9, 13, 17, 22, 26, 30))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]


def is_date(text, calendar):
    if calendar not in CALENDARS:
        return any(is_date(text, one) for one in CALENDARS)
    parts = date_parts(text)
    if not parts or parts[0] not in CALENDARS[calendar]:
        return False
    year, month, day = (*parts, 1, 1)[:3]
    return 1 <= month <= 12 and 1 <= day <= last_day(year, month, calendar)


def date_parts(text):
    """The numbers of `YYYY/M/D`, `YYYY-M-D`, `YYYY/M` or `YYYY`, or None."""
    parts = re.fullmatch(r"(\d{4})(?:/(\d{1,2})(?:/(\d{1,2}))?|-(\d{1,2})-(\d{1,2}))?", text, re.A)
    return parts and tuple(int(part) for part in parts.groups() if part)


def national_digit_fits(value):
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(value[:9])) % 11
    return int(value[9]) == (rest if rest < 2 else 11 - rest)


def icao(text):
    worth = {"<": 0, **{character: int(character, 36) for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}
    return str(sum(worth[character] * (7, 3, 1)[place % 3] for place, character in enumerate(text)) % 10)


def line_fits(line, number):
    if not re.fullmatch(r"[A-Z0-9<]{44}", line):
        return False
    optional = icao(line[28:42]) == line[42] or line[28:43] == "<" * 15
    return (line[:9].rstrip("<") == number.rstrip("<") and icao(line[:9]) == line[9] and icao(line[13:19]) == line[19]
            and icao(line[21:27]) == line[27] and optional and icao(line[:10] + line[13:20] + line[21:43]) == line[43])


def fault(row):
    """The first reason that applies, or None."""
    if not all(row[column] for column in ("person", "scheme", "value", "kind")):
        return "missing-field"
    if row["scheme"] not in SCHEMES:
        return "unknown-scheme"
    if row["scheme"] in NEVER_KEYS:
        return "not-a-key"
    if not re.fullmatch(SCHEMES[row["scheme"]], row["value"], re.A):
        return "bad-value"
    if row["kind"] not in KINDS:
        return "unknown-kind"
    dates = [("issued", "calendar"), ("expires", "calendar"), ("birth", "birth_calendar")]
    if any(row[date] and not is_date(row[date], row[calendar]) for date, calendar in dates):
        return "bad-date"
    calendars = all(row[calendar] in CALENDARS or not (row[calendar] or row[date]) for date, calendar in dates)
    series = not row["series"] or re.fullmatch(r"\d{1,3}", row["series"], re.A)
    if not (calendars and series and row["state"] in STATES | {""} and row["household_role"] in ("", "head", "member")):
        return "bad-field"
    return None


def said(row):
    """What a good row says, in whatever spelling."""
    same = {"state": row["state"] or "active", "series": row["series"].lstrip("0")}
    return tuple({**row, **same, **{date: date_parts(row[date]) for date in ("issued", "expires", "birth")}}.values())


def summary(rows):
    """`rows` are (line, raw row); gives the summary and the rejects as (line, reason)."""
    seen, people, holders = set(), set(), collections.defaultdict(set)
    counts, warned, rejects = collections.Counter(), collections.Counter(), []
    for line, raw in rows:
        row = {column: normal(raw.get(column)) for column in COLUMNS + OPTIONAL}
        row["value"], row["mrz"] = row["value"].upper(), row["mrz"].upper()
        counts["rows"] += 1
        if reason := fault(row):
            rejects.append((line, reason))
            continue
        if (whole := said(row)) in seen:
            counts["duplicates"] += 1
            continue
        seen.add(whole)
        people.add(row["person"])
        holders[row["scheme"], row["value"]].add(row["person"])
        counts["documents"] += 1
        odd = row["scheme"] == "yekta" and not national_digit_fits(row["value"])
        warned["check-digit"] += odd or bool(row["scheme"] == "passport" and row["mrz"] and not line_fits(row["mrz"], row["value"]))
    ambiguous = sum(len(persons) > 1 for persons in holders.values())
    return {**{name: counts[name] for name in ("rows", "documents", "duplicates")}, "persons": len(people), "identifiers": len(holders),
            "ambiguous": ambiguous, "warned": dict(+warned), "rejected": dict(collections.Counter(reason for _, reason in rejects))}, rejects


def rows_of_csv(data):
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    header, start = [normal(name) for name in next(reader)], reader.line_num + 1
    for fields in reader:
        if fields:
            yield start, dict(zip(header, fields))
        start = reader.line_num + 1


def rows_of_ndjson(data):
    for line, text in enumerate(data.decode("utf-8-sig").splitlines(), 1):
        person = json.loads(text)
        birth, household = person.get("birth") or {}, person.get("household") or {}
        common = {"birth": birth.get("date"), "birth_calendar": birth.get("calendar"), "household": household.get("id"),
                  "household_role": household.get("role"),
                  **{name: person.get(name) for name in ("person", "nationality", "province", "name", "father_name")}}
        for document in person["documents"]:
            yield line, {**common, **{name: None if value is None else str(value) for name, value in document.items()}}
