//! The house rules, read off the sources: layers, sizes, opening lines, routes and reasons without a gap.

use std::path::{Path, PathBuf};

use estelam::core::domain::reason::{ReasonCatalogue, ReasonCode, SHIPPED_REASONS};

const STAGES: [&str; 10] = ["identity", "limit", "watch", "token", "policy", "registry", "decision", "signing", "ledger", "reply"];
const LARGEST_FILE: usize = 400;
const LARGEST_FUNCTION: usize = 70;

struct Source {
    path: PathBuf,
    name: String,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push(Source { path, name, text });
            }
        }
    }
    assert!(!found.is_empty(), "no sources below `{folder}`");
    found
}

/// A file without what is compiled for tests alone: each `#[cfg(test)]` and the item behind it, wherever it stands.
fn shipped(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            // The item ends with the first line that stands as far to the left as it does and closes something.
            let ends = |line: &&str| line.len() - line.trim_start().len() == indent && line.ends_with([';', ',', '}']);
            lines.find(ends).unwrap_or_else(|| panic!("an item for tests has no end:\n{text}"));
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn what_follows_an_item_for_tests_is_looked_at_too() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nfn b() {}\nimpl C {\n    #[cfg(test)]\n    fn d() {\n        e();\n    }\n    fn f() {}\n}\n\
                #[cfg(test)]\n#[path = \"g.rs\"]\nmod h {\n    fn i() {}\n}\n";
    assert_eq!(shipped(text), "use a;\nfn b() {}\nimpl C {\n    fn f() {}\n}\n");
}

/// Every source file of the product without its unit tests: name and text.
pub fn shipped_sources() -> Vec<(String, String)> {
    let sources = sources("src").into_iter().filter(|source| !is_tests(source));
    sources.map(|source| (source.name, shipped(&source.text))).collect()
}

/// Every path below `crate::` that a file mentions, without comments; a group is taken apart, a visibility is no mention.
fn crate_paths(text: &str) -> Vec<String> {
    let shipped = shipped(text);
    let code: Vec<&str> = shipped.lines().map(|line| line.split("//").next().unwrap()).collect();
    let mut paths = Vec::new();
    for rest in code.join("\n").replace("(in crate::", "(in ").split("crate::").skip(1) {
        let path: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        match rest[path.len()..].strip_prefix('{') {
            Some(group) => members(group).into_iter().for_each(|member| paths.push(format!("{path}{member}"))),
            None => paths.push(path),
        }
    }
    paths
}

/// The first segments of a `use` group's members.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut member) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            c if depth == 0 && !c.is_whitespace() => member.push(c),
            _ => {}
        }
    }
    members.push(member);
    members.into_iter().filter(|member| !member.is_empty() && member != "self").collect()
}

/// Whether a file holds unit tests only.
fn is_tests(source: &Source) -> bool {
    let name = source.path.file_stem().unwrap().to_string_lossy();
    name.ends_with("tests") || name == "testing" || source.path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn every_file_opens_by_saying_what_lives_there_and_stays_small() {
    for source in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        assert!(source.text.starts_with("//!"), "`{}` must open with a `//!` line", source.name);
        let lines = source.text.lines().count();
        assert!(lines <= LARGEST_FILE, "`{}` has {lines} lines; split it", source.name);
    }
}

#[test]
fn every_function_can_be_seen_whole() {
    for source in sources("src") {
        let mut open: Option<(usize, String, String)> = None;
        for (number, line) in source.text.lines().enumerate() {
            let indent: String = line.chars().take_while(|c| *c == ' ').collect();
            let code = line.trim_start();
            if open.is_none() && (code.starts_with("fn ") || code.contains(" fn ")) && !code.starts_with("//") && line.ends_with('{') {
                open = Some((number, indent, code.to_owned()));
            } else if let Some((start, at, name)) = &open
                && line == format!("{at}}}")
            {
                assert!(number - start <= LARGEST_FUNCTION, "{}:{}: `{name}` is too long", source.name, start + 1);
                open = None;
            }
        }
    }
}

#[test]
fn the_core_knows_no_outside_thing() {
    let banned = [
        "actix",
        "reqwest",
        "moka",
        "rusqlite",
        "governor",
        "notify::",
        "std::fs",
        "std::net",
        "std::process",
        "tokio::net",
        "tokio::fs",
        "tokio::io",
        "Timestamp::now(",
        "SystemTime::now(",
        "Instant::now(",
    ];
    for source in sources("src/core") {
        for line in shipped(&source.text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in banned {
                assert!(!line.contains(word), "`{}` mentions `{word}`: {line}", source.name);
            }
        }
    }
}

#[test]
fn stages_import_only_earlier_stages() {
    for source in sources("src/core").into_iter().filter(|source| !is_tests(source)) {
        let own = own_stage(Path::new(&source.name));
        for path in crate_paths(&source.text) {
            let Some(inner) = path.strip_prefix("core::") else {
                panic!("`{}` reaches out of the core: crate::{path}", source.name);
            };
            let stage = inner.split("::").next().unwrap();
            let Some(theirs) = STAGES.iter().position(|name| *name == stage) else { continue };
            match own {
                // The ledger's port takes what signing made, and signing prepares the ledger's entry: the two share the entry type.
                Some(own) if STAGES[own] == "signing" && stage == "ledger" => {}
                Some(own) => assert!(theirs <= own, "`{}` is a stage before `{stage}` and imports it", source.name),
                None => panic!("`{}` is vocabulary and imports the stage `{stage}`", source.name),
            }
        }
    }
}

fn own_stage(path: &Path) -> Option<usize> {
    STAGES
        .iter()
        .position(|name| path.components().any(|part| part.as_os_str().to_string_lossy().trim_end_matches(".rs") == *name))
        .filter(|_| !path.components().any(|part| part.as_os_str() == "domain"))
}

#[test]
fn the_flow_knows_no_adapter_and_adapters_do_not_know_each_other() {
    for source in sources("src").into_iter().filter(|source| source.name.starts_with("src/flow")) {
        for path in crate_paths(&source.text) {
            assert!(path.starts_with("core::"), "`{}` reaches for crate::{path}", source.name);
        }
    }
    for source in sources("src/adapters").into_iter().filter(|source| !is_tests(source)) {
        let own = source.name.split('/').nth(2).unwrap().trim_end_matches(".rs").to_owned();
        for path in crate_paths(&source.text) {
            let mut parts = path.split("::");
            let allowed = match (parts.next().unwrap(), parts.next()) {
                ("core", _) => true,
                ("flow", _) => own == "http",
                // Plain handling of files, which is nobody's outside thing.
                ("files", _) => true,
                // How threads are scheduled, which is one rule for the whole process.
                ("threads", _) => true,
                // HTTP sits on the connection that TLS accepted: reading a body arms that connection's deadlines.
                ("adapters", Some("tls")) => own == "http" || own == "tls",
                ("adapters", Some(other)) => other == own,
                _ => false,
            };
            assert!(allowed, "`{}` reaches for crate::{path}", source.name);
        }
    }
}

#[test]
fn every_reason_has_persian_and_english_words() {
    let catalogue = ReasonCatalogue::parse(SHIPPED_REASONS).unwrap();
    for code in ReasonCode::ALL {
        let text = catalogue.get(*code).unwrap_or_else(|| panic!("`{}` has no words", code.code()));
        assert!(!text.fa.is_empty() && !text.en.is_empty() && !text.next_fa.is_empty() && !text.next_en.is_empty(), "`{}`", code.code());
    }
}

/// Officials own these files, not programmers: each says in its first lines, in Persian and English, whose it is and how to check it. NDJSON
/// knows no comment: a file of it is described by one beside it.
#[test]
fn every_policy_file_says_at_its_top_who_owns_it_and_how_to_check_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (mut folders, mut seen) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        let (inner, files): (Vec<_>, Vec<_>) =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
        folders.extend(inner);
        let texts: Vec<(PathBuf, String)> = files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect();
        for (file, _) in &texts {
            let name = file.file_name().unwrap().to_str().unwrap();
            let (of, ndjson) = (file.display(), name.ends_with(".ndjson"));
            seen.push(file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            let tops = texts.iter().filter(|(other, _)| if ndjson { other != file } else { other == file });
            let top: Vec<&str> = tops.flat_map(|(_, text)| text.lines().take_while(|line| line.starts_with(['#', '/']))).collect();
            assert!(!ndjson || top.iter().filter(|line| line.contains(name)).count() >= 2, "nothing beside `{of}` describes it");
            for (owner, check) in [("صاحب پرونده: ", "وارسی: estelam policy check"), ("Owner: ", "Check: `estelam policy check`")]
            {
                assert!(top.iter().any(|line| line.contains(owner) && line.contains(check)), "`{of}` does not say `{owner}` at its top");
            }
        }
    }
    for (path, _) in estelam::core::policy::shipped() {
        assert!(seen.iter().any(|seen| seen == path), "`{path}` is not in the folder");
    }
}
