//! What the scripted registry says: what the real one says, or something else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use estelam::core::registry::version::version_of;
use estelam::core::registry::wire::{DecreesAnswer, QUESTION};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::doing::{Doing, Feed, List};
use super::speech::{Asked, Reply, in_chunks, json, json_with, reply};
use super::{Place, Shared};

/// A poll that is told nothing is held for so long.
const HELD: Duration = Duration::from_millis(300);

/// The reply to a request.
pub async fn to(asked: Asked, shared: &Shared, place: &Place) -> Reply {
    if place.closed_now() {
        return Reply::Close;
    }
    let script = *place.script.borrow();
    let end = asked.path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    match end {
        "lookup" => {
            place.look_ups.fetch_add(1, Ordering::SeqCst);
            look_up(asked, shared, script.doing).await
        }
        "changes" => {
            shared.polls.fetch_add(1, Ordering::SeqCst);
            changes(asked, shared, script.feed).await
        }
        "decrees" => {
            shared.lists.fetch_add(1, Ordering::SeqCst);
            decrees(asked, shared, script.list).await
        }
        _ => real(&asked, shared).await.map_or(Reply::Close, |said| json(&said, &asked.mark)),
    }
}

/// What the real one says.
async fn real(asked: &Asked, shared: &Shared) -> Option<Value> {
    let url = format!("{}{}", shared.real_url.lock().unwrap(), asked.path);
    let request = match asked.method.as_str() {
        "POST" => shared.real.post(url).header("content-type", "application/json").body(asked.body.clone()),
        _ => shared.real.get(url),
    };
    request.send().await.ok()?.json().await.ok()
}

async fn look_up(asked: Asked, shared: &Shared, doing: Doing) -> Reply {
    match doing {
        Doing::Slow(late) => tokio::time::sleep(late).await,
        Doing::Hang => std::future::pending().await,
        Doing::Close => return Reply::Close,
        Doing::Fail => return Reply::Whole(reply("500 Internal Server Error", "application/json", b"{}")),
        Doing::Redirect => {
            return Reply::Whole(
                b"HTTP/1.1 307 Temporary Redirect\r\nlocation: https://localhost:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
            );
        }
        Doing::NotModified => return Reply::Whole(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".to_vec()),
        Doing::Huge => return Reply::Whole(reply("200 OK", "application/json", &vec![b' '; 8 << 20])),
        Doing::Gzip => {
            return Reply::Whole(with_field(
                &reply("200 OK", "application/json", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]),
                "content-encoding: gzip",
            ));
        }
        Doing::OtherSchema => return json(&json!({"contract": 2, "answer": {"people": []}}), &asked.mark),
        Doing::NotJson => return Reply::Whole(reply("200 OK", "text/html", b"<html>a proxy's page</html>")),
        _ => {}
    }
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let asked = if doing == Doing::Swapped {
        Asked { body: somebody_elses_question(&question), mark: "somebody-elses".to_owned(), ..asked }
    } else {
        asked
    };
    let Some(mut said) = real(&asked, shared).await else { return Reply::Close };
    if shared.hold_next.swap(false, Ordering::SeqCst) {
        shared.held.notify_one();
        shared.go.notified().await;
    }
    alter(&mut said, doing);
    if let Some(as_of) = said["as_of"].as_str().and_then(|at| at.parse().ok()) {
        shared.said.answer(question["value"].as_str().unwrap_or_default(), as_of);
    }
    let mark = asked.mark.as_str();
    match doing {
        // A length that fits, so that it is the JSON that ends too soon.
        Doing::Truncated => {
            let body = said.to_string();
            Reply::Whole(reply("200 OK", "application/json", &body.as_bytes()[..body.len() - 20]))
        }
        Doing::Twice => Reply::Whole([json_with(&said, mark, ""), json_with(&said, mark, "")].concat()),
        Doing::HalfCloses => Reply::Last(json_with(&said, mark, "")),
        Doing::Http10 => {
            let head = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n{QUESTION}: {mark}\r\n\r\n{said}");
            Reply::Last(head.into_bytes())
        }
        Doing::Continues => Reply::Whole([b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), json_with(&said, mark, "")].concat()),
        Doing::ChunkExtensions => Reply::Whole(in_chunks(&said, mark, &format!(";x={}", "y".repeat(1000)), "")),
        Doing::Trailers => {
            Reply::Whole(in_chunks(&said, mark, "", &(0..100_000).map(|n| format!("x-{n}: {n:020}\r\n")).collect::<String>()))
        }
        Doing::Trickle => Reply::Drops(json_with(&said, mark, "")),
        Doing::HeaderFlood => {
            let fields: String = (0..10_000).map(|number| format!("x-{number}: {number}\r\n")).collect();
            Reply::Whole(json_with(&said, mark, &fields))
        }
        Doing::WrongPerson => Reply::Whole(json_with(&said, mark, &format!("etag: \"{}\"\r\n", said["version"]))),
        _ => json(&said, mark),
    }
}

fn alter(said: &mut Value, doing: Doing) {
    match doing {
        Doing::WrongPerson => said["persons"] = json!([somebody_else()]),
        Doing::NewMembers => {
            said["colour"] = json!("green");
            said["persons"].as_array_mut().into_iter().flatten().for_each(|person| person["colour"] = json!({"is": ["green"]}));
        }
        Doing::Old => said["version"] = json!(0),
        Doing::Ahead => said["version"] = json!(u64::MAX),
        Doing::Duplicate => {
            let persons = said["persons"].as_array().cloned().unwrap_or_default();
            said["persons"] = persons.iter().chain(&persons).cloned().collect();
        }
        Doing::Clock(wrong_by) => {
            let as_of = said["as_of"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).unwrap_or_default();
            said["as_of"] = json!((as_of + SignedDuration::from_secs(wrong_by)).to_string());
        }
        _ => {}
    }
}

/// A reply with one more header field.
fn with_field(reply: &[u8], field: &str) -> Vec<u8> {
    let first_line = reply.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
    [&reply[..first_line], field.as_bytes(), b"\r\n", &reply[first_line..]].concat()
}

/// Nobody's birth year in the questions, and a card that is long over.
fn somebody_else() -> Value {
    json!({"birth": {"date": "1300", "calendar": "jalali"}, "nationality": "AF", "province": null, "household_role": null,
        "documents": [{"kind": "census-slip", "series": null, "state": "revoked", "issued": null, "expires": null, "legal_status": null}]})
}

/// A number of somebody of whom nobody asks here.
fn somebody_elses_question(question: &Value) -> Vec<u8> {
    let mut other = question.clone();
    (other["scheme"], other["value"]) = (json!("amayesh-no"), json!("A160000002"));
    other.to_string().into_bytes()
}

async fn changes(asked: Asked, shared: &Shared, feed: Feed) -> Reply {
    let query = |name: &str| {
        let pairs = asked.path.split('?').nth(1).unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let after = query("after").and_then(|after| after.parse::<u64>().ok()).unwrap_or(0);
    let nothing = |cursor: u64| json!({"cursor": cursor, "subjects": [], "decrees": false, "everything": false});
    let told = match feed {
        Feed::Stuck => std::future::pending().await,
        Feed::Endless => {
            return Reply::Endless(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: identity\r\n\r\n{\"cursor\": ".to_vec(),
            );
        }
        Feed::Page => return Reply::Whole(reply("200 OK", "text/html", b"<html>a proxy's page</html>")),
        Feed::Fail => return Reply::Whole(reply("500 Internal Server Error", "application/json", b"{}")),
        Feed::Pass => real(&asked, shared).await,
        Feed::LeavesOut => real(&asked, shared).await.map(|told| {
            let mut emptied = nothing(told["cursor"].as_u64().unwrap_or(after));
            emptied["history"] = told["history"].clone();
            emptied
        }),
        Feed::Repeats | Feed::Jumps | Feed::GoesBack => {
            tokio::time::sleep(HELD).await;
            let cursor = match feed {
                Feed::Repeats => after,
                Feed::Jumps => after.max(1_000_000) + 1000,
                _ => 1,
            };
            Some(nothing(cursor))
        }
        Feed::Everything => Some(json!({"cursor": after + 1, "subjects": [], "decrees": false, "everything": true})),
        Feed::Again => {
            Some(json!({"cursor": after, "subjects": ["somebody"], "decrees": false, "everything": false, "history": query("history")}))
        }
        Feed::LongNames => {
            let name = "x".repeat(2 << 20);
            Some(json!({"cursor": after + 1, "subjects": [name, format!("{after}{name}")], "decrees": false, "everything": false}))
        }
        Feed::Kinds => real(&asked, shared).await.map(|mut told| {
            (told["policies"], told["kinds"]) = (json!(true), json!([{"kind": "weather", "of": ["somebody"]}]));
            told
        }),
        Feed::Decrees => {
            tokio::time::sleep(HELD).await;
            Some(json!({"cursor": after, "subjects": [], "decrees": true, "everything": false, "history": query("history")}))
        }
    };
    let Some(told) = told else { return Reply::Close };
    shared.said.told();
    json(&told, &asked.mark)
}

async fn decrees(asked: Asked, shared: &Shared, list: List) -> Reply {
    if list == List::Hang {
        return std::future::pending().await;
    }
    if list == List::Huge {
        return Reply::Whole(reply("200 OK", "application/json", &vec![b' '; 50 << 20]));
    }
    let Some(mut said) = real(&asked, shared).await else { return Reply::Close };
    match list {
        List::Shrunk | List::Altered => {
            let mut answer: DecreesAnswer = serde_json::from_value(said).unwrap();
            let last = answer.decrees.pop().expect("a decree");
            if list == List::Altered {
                answer.decrees.push(estelam::core::registry::wire::WireDecree { authority: "somebody else".to_owned(), ..last });
            }
            answer.version = version_of(&answer.decrees).unwrap();
            said = serde_json::to_value(&answer).unwrap();
        }
        List::Forged => forge(&mut said["signatures"]),
        List::NotOfItsVersion => said["version"] = json!(format!("sha256:{}", "0".repeat(64))),
        List::Pass | List::Hang | List::Huge => {}
    }
    json(&said, &asked.mark)
}

fn forge(signatures: &mut Value) {
    for (_, signed) in signatures.as_object_mut().into_iter().flatten() {
        signed["approval"][0]["signature"] = signed["approval"][1]["signature"].clone();
    }
}
