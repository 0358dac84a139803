"""Messy exports as offices send them, imported by the real binary and by a second implementation of the contract."""
import csv
import io
import json
import pathlib
import random
import re
import subprocess

from reference_import import COLUMNS, OPTIONAL, icao, national_digit_fits, normal, rows_of_csv, rows_of_ndjson, summary

KINDS = {"yekta": "smart-card", "fida": "amayesh", "amayesh-no": "amayesh", "hoviat-no": "hoviat", "census-tracking": "census-slip",
         "passport": "passport-residence", "temporary-card-no": "temporary-card", "laissez-passer-no": "laissez-passer",
         "e-tazkira": "passport-visa", "msisdn": "smart-card", "residence-booklet-no": "residence-booklet", "refugee-no": "refugee-booklet"}
MARKS = ["\u200c", "\u200e", "\u200f", "\u0640", "\u202b", "\u202c", "\u2067", "\u2069", "\u061c"]
NAMES = ["مریم حسینی", "عبدالكريم نوري", "فاطمة", 'Ali "the" Kazemi', "نجیب‌الله", "a,b", "دو\nسطر", ""]
SLIPS = [
    ("person", ["", " ", "\u200c"]), ("scheme", ["", "fidaa", "YEKTA2", "کد"]), ("value", ["", "\u200f \u200e", "12 34", "آ1", "-", "Z" * 30]),
    ("kind", ["", "green-card", "کارت", "passport"]), ("state", ["ACTIVE1", "فعال"]), ("household_role", ["boss", "سرپرست"]),
    ("series", ["هفده", "17a", "-3", "1.5", "0x11"]), ("calendar", ["hijri", "shamsi", ""]),
    *[(column, ["1402/07/31", "1402/12/30", "1402/13/01", "1402/0/1", "02/03/1402", "1402.03.31", "14020331", "1402//1", "402/3/1", "/",
                "1402/03-1", "1402/", "نامشخص", "1402/123/1", "1403/12/30", "1399/12/30", "1402", "1402/3", "۱۴۰۲/۶/۳۱", "1402-06-31", "1402-06"])
      for column in ("issued", "expires", "birth")],
]
NEVER_KEYS = [("pan", "5892101234567895"), ("iban", "IR240150000000000000000001"), ("household", "12345"), ("unhcr-case", "123-45C12345")]


class Office:
    """An office with bad habits; the same seed has the same ones."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def digits(self, count):
        return "".join(self.random.choice("0123456789") for _ in range(count))

    def number(self, scheme):
        body, fits = "9" + self.digits(8), self.random.random() < 0.9
        yekta = next(body + last for last in "0123456789" if national_digit_fits(body + last) == fits)
        return {"yekta": yekta, "fida": "1" + self.digits(11), "amayesh-no": "A" + self.digits(9), "hoviat-no": "h" + self.digits(8),
                "census-tracking": self.digits(12), "passport": "P" + self.digits(8), "temporary-card-no": "T" + self.digits(9),
                "laissez-passer-no": "LP" + self.digits(8), "msisdn": "0912" + self.digits(7), "residence-booklet-no": self.digits(9),
                "e-tazkira": "-".join([self.digits(4), self.digits(4), self.digits(5)]), "refugee-no": "r" + self.digits(7)}[scheme]

    def date(self, first, last):
        form = self.random.choice(["{}/{:02}/{:02}", "{}/{}/{}", "{}-{}-{}", "{}-{:02}-{:02}"])
        return form.format(self.random.randint(first, last), self.random.randint(1, 12), self.random.randint(1, 28))

    def line(self, number):
        line = number.ljust(9, "<") + icao(number.ljust(9, "<")) + "AFG900101" + icao("900101") + "M300101" + icao("300101") + "<" * 14 + "0"
        line += icao(line[:10] + line[13:20] + line[21:43])
        return line if self.random.random() < 0.6 else line[:43] + str((int(line[43]) + 1) % 10)

    def row(self, people):
        pick, scheme = self.random.choice, self.random.choice(list(KINDS))
        jalali = self.random.random() < 0.8
        row = dict.fromkeys(COLUMNS + OPTIONAL, "")
        row.update(
            person=f"KH-{self.random.randrange(people):06}", scheme=scheme, value=self.number(scheme), kind=KINDS[scheme],
            series=pick(["", "17", "18", "3"]), calendar="jalali" if jalali else "gregorian", birth_calendar="jalali",
            issued=self.date(1398, 1405) if jalali else self.date(2019, 2026), expires=self.date(1400, 1408) if jalali else self.date(2021, 2029),
            state=pick(["active", "", "lost", "suspended", "delivered", "revoked"]), birth=pick(["1371", "1370/5", self.date(1320, 1403)]),
            nationality=pick(["AF", "IQ", ""]), province=pick(["", "IR-07", "IR-30"]), legal_status="amayesh" if scheme == "yekta" else "",
            name=pick(NAMES), father_name="علی", household=str(self.random.randint(10000, 10050)), household_role=pick(["head", "member", ""]))
        if scheme == "passport" and self.random.random() < 0.5:
            row["mrz"] = self.line(row["value"])
        for _ in range(pick([0, 0, 0, 1, 1, 2])):
            column, wrong = pick(SLIPS)
            row[column] = pick(wrong)
        if self.random.random() < 0.04:
            row["scheme"], row["value"] = pick(NEVER_KEYS)
        return {column: text if column == "name" else self.typed(text) for column, text in row.items()}

    def typed(self, text):
        if self.random.random() < 0.25:
            text = text.translate({48 + digit: self.random.choice([0x6F0, 0x660]) + digit for digit in range(10)})
        if self.random.random() < 0.12:
            text = self.random.choice([*MARKS, " ", "\t"]) + text
        if self.random.random() < 0.12 and len(text) > 3:
            place = self.random.randrange(1, len(text))
            text = text[:place] + self.random.choice(MARKS) + text[place:]
        return text

    def spelt(self, column, text):
        """The same in another spelling, where there is one."""
        if column in ("issued", "expires", "birth"):
            return re.sub(r"([/-])(\d)(?!\d)", r"\g<1>0\2", normal(text), flags=re.A)
        if column == "state" and normal(text) in ("", "active"):
            return "active" if normal(text) == "" else ""
        return text

    def rows(self, count, people):
        rows = []
        for _ in range(count):
            row = self.row(people)
            rows.append(row)
            if self.random.random() < 0.05:
                rows.append({column: normal(text) if column in ("person", "value", "issued") else text for column, text in row.items()})
            if self.random.random() < 0.05:
                rows.append({column: self.spelt(column, text) for column, text in row.items()})
            if self.random.random() < 0.03:
                rows.append({**row, "person": f"KH-X{self.random.randrange(people):06}"})
        self.random.shuffle(rows)
        return rows


def as_csv(rows, columns, **form):
    out = io.StringIO(newline="")
    writer = csv.writer(out, **form)
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    return out.getvalue().encode()


def without_empty_ends(rows):
    """As exporters write that leave out the empty fields at the end of a row; all up to the legal status are there."""
    whole = COLUMNS.index("legal_status")
    lines = as_csv(rows, COLUMNS + OPTIONAL, lineterminator="\n")
    cut = csv.reader(io.StringIO(lines.decode(), newline=""))
    out = io.StringIO(newline="")
    for fields in cut:
        last = max(place for place, field in enumerate(fields) if field or place <= whole)
        csv.writer(out, lineterminator="\n").writerow(fields[:last + 1])
    return out.getvalue().encode()


def as_ndjson(rows):
    def person(row):
        documents = [{name: row[name] for name in "scheme value kind series issued expires calendar state legal_status mrz".split()}]
        return {"person": row["person"], "birth": {"date": row["birth"], "calendar": row["birth_calendar"]}, "nationality": row["nationality"],
                "province": row["province"], "name": row["name"], "father_name": row["father_name"], "documents": documents,
                "household": {"id": row["household"], "role": row["household_role"]}}
    return "".join(json.dumps(person(row), ensure_ascii=index % 2 == 0) + "\n" for index, row in enumerate(rows)).encode()


def imported(binary, file, store):
    done = subprocess.run([binary, "registry", "import", str(file), "--json", "--dir", str(store)], capture_output=True, text=True)
    assert done.returncode == 0, (file.name, done.stderr)
    rejects = pathlib.Path(f"{file}.rejects.csv")
    lines = csv.DictReader(io.StringIO(rejects.read_text("utf-8"), newline="")) if rejects.exists() else []
    return json.loads(done.stdout), [(int(row["line"]), row["reason"]) for row in lines]


def messy_exports_are_counted_as_the_contract_says(binary, folder):
    """Every habit at once, in every form; then each file once more, which changes nothing."""
    office, store = Office(1402), folder / "store"
    shuffled = COLUMNS + OPTIONAL
    office.random.shuffle(shuffled)
    files = {
        "plain.csv": as_csv(office.rows(500, 200), COLUMNS + OPTIONAL, lineterminator="\n"),
        "windows.csv": b"\xef\xbb\xbf" + as_csv(office.rows(300, 60), shuffled, lineterminator="\r\n"),
        "quoted.csv": as_csv(office.rows(300, 300), COLUMNS, quoting=csv.QUOTE_ALL).rstrip(b"\r\n"),
        "cut.csv": without_empty_ends(office.rows(300, 100)),
        "people.ndjson": as_ndjson(office.rows(400, 100)),
    }
    for name, data in files.items():
        file = folder / name
        file.write_bytes(data)
        expected = summary(rows_of_ndjson(data) if name.endswith("ndjson") else rows_of_csv(data))
        assert expected[0]["rejected"].keys() >= {"missing-field", "unknown-scheme", "not-a-key", "bad-value", "unknown-kind", "bad-date", "bad-field"}
        assert expected[0]["duplicates"] and expected[0]["ambiguous"] and expected[0]["warned"], expected
        for _ in range(2):
            counted, rejects = imported(binary, file, store)
            assert counted == expected[0], (name, counted, expected[0])
            assert sorted(rejects) == sorted(expected[1]), name


def refused_files_leave_nothing(binary, folder):
    """A header or an encoding that is not the contract's refuses the whole file."""
    good = as_csv(Office(7).rows(20, 5), COLUMNS, lineterminator="\n")
    text = good.decode()
    wrong = {
        "empty": b"", "utf-16": text.encode("utf-16"), "cp1256": text.encode("cp1256", "replace"), "late": good + b"KH-9,\xff\n",
        "column-missing": text.replace(",kind,", ",", 1).encode(), "column-twice": text.replace("person,", "person,person,", 1).encode(),
        "column-unknown": text.replace("person,", "person,phone,", 1).encode(), "semicolons": text.replace(",", ";").encode(),
        "quote-open": good + b'"KH-1,yekta', "headless": text.split("\n", 1)[1].encode(),
    }
    for name, data in wrong.items():
        file = folder / f"{name}.csv"
        file.write_bytes(data)
        done = subprocess.run([binary, "registry", "import", str(file), "--dir", str(folder / "untouched")], capture_output=True, text=True)
        assert done.returncode == 1 and "line " in done.stderr.splitlines()[-1], (name, done.stderr)
        assert not pathlib.Path(f"{file}.rejects.csv").exists(), name
        assert not (folder / "untouched").exists(), name
