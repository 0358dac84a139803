//! A registry that does as the bench says: it stands between the gateway and the real one, over mutual TLS, and passes on, delays, breaks
//! or falsifies what the real one says.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estelam::adapters::tls::material;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the registry does with look-ups. Its change feed and its decrees go on unless nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Says what the real one says.
    Pass,
    /// The same, but late by so much.
    Slow(Duration),
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and closes.
    Close,
    /// 500.
    Fail,
    /// Half of an answer.
    Truncated,
    /// Megabytes.
    Huge,
    /// A page of a proxy.
    NotJson,
    /// Somebody else.
    WrongPerson,
    /// An answer from before every change.
    Old,
    /// The same person twice.
    Duplicate,
    /// Everything closes, every other tenth of a second.
    Flapping,
    /// Bears a certificate of another server.
    WrongCertificate,
    /// Takes connections and says nothing at all, not even in the handshake.
    Partitioned,
}

/// The registry in the middle.
pub struct Scripted {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    doing: Mutex<Doing>,
    /// Counts changes of mind: connections from before end.
    mind: AtomicU64,
    right: TlsAcceptor,
    wrong: TlsAcceptor,
    look_ups: AtomicU64,
    real: reqwest::Client,
    real_url: String,
}

impl Scripted {
    /// Starts with the certificates of the installation in `dir`, in front of the registry at `real_url`.
    pub async fn start(dir: &Path, real: reqwest::Client, real_url: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = |name: &str| acceptor(&dir.join("pki").join(name));
        let shared = Arc::new(Shared {
            doing: Mutex::new(Doing::Pass),
            mind: AtomicU64::new(0),
            look_ups: AtomicU64::new(0),
            right: acceptor("registry"),
            wrong: acceptor("gateway"),
            real,
            real_url,
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared }
    }

    /// Look-ups so far.
    pub fn look_ups(&self) -> u64 {
        self.shared.look_ups.load(Ordering::SeqCst)
    }

    /// The cursor of the real registry's last change.
    pub async fn cursor(&self) -> u64 {
        let url = format!("{}/registry/v1/changes?after=0", self.shared.real_url);
        let said: Value = self.shared.real.get(url).send().await.unwrap().json().await.unwrap();
        said["cursor"].as_u64().unwrap()
    }

    /// From now on; connections from before end.
    pub fn set(&self, doing: Doing) {
        *self.shared.doing.lock().unwrap() = doing;
        self.shared.mind.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whatever the client shows: the real registry behind judges nobody but this bench.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let chain = material::certificates(&folder.join("cert.pem")).unwrap();
    let key = material::private_key(&folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key.clone_key()).unwrap()))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _ = serve(stream, &shared).await;
        });
    }
}

impl Shared {
    fn doing(&self) -> Doing {
        *self.doing.lock().unwrap()
    }

    fn closed_now(&self) -> bool {
        let tenths = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() / 100;
        self.doing() == Doing::Flapping && tenths.is_multiple_of(2)
    }
}

/// One connection, until it ends or the registry changes its mind.
async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mind = shared.mind.load(Ordering::SeqCst);
    let same = || shared.mind.load(Ordering::SeqCst) == mind;
    if shared.closed_now() {
        return Ok(());
    }
    while shared.doing() == Doing::Partitioned && same() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let acceptor = if shared.doing() == Doing::WrongCertificate { &shared.wrong } else { &shared.right };
    let mut stream = acceptor.accept(stream).await?;
    let mut seen = Vec::new();
    while same() {
        let waiting = tokio::time::timeout(Duration::from_millis(50), read(&mut stream, &mut seen));
        let request = match waiting.await {
            Ok(request) => request?,
            Err(_) => continue,
        };
        let Some((method, path, body)) = request else { return Ok(()) };
        let reply = match answer(shared, &method, &path, body, &same).await {
            Some(reply) => reply,
            None => return Ok(()),
        };
        stream.write_all(&reply).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// The next request: method, path, body; none at the end of the connection. What was read stays in `seen` if the wait is given up.
async fn read(stream: &mut (impl AsyncReadExt + Unpin), seen: &mut Vec<u8>) -> std::io::Result<Option<(String, String, Vec<u8>)>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(seen) {
            let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
            if seen.len() >= head + length {
                let (method, path) = (request.method.unwrap_or_default().to_owned(), request.path.unwrap_or_default().to_owned());
                let body = seen[head..head + length].to_vec();
                seen.drain(..head + length);
                return Ok(Some((method, path, body)));
            }
        }
        if stream.read_buf(seen).await? == 0 {
            return Ok(None);
        }
    }
}

/// The bytes of the reply; none where the connection is to be closed without one.
async fn answer(shared: &Shared, method: &str, path: &str, body: Vec<u8>, same: &impl Fn() -> bool) -> Option<Vec<u8>> {
    let doing = if path.ends_with("/lookup") { shared.doing() } else { Doing::Pass };
    if path.ends_with("/lookup") {
        shared.look_ups.fetch_add(1, Ordering::SeqCst);
    }
    if shared.closed_now() {
        return None;
    }
    match doing {
        Doing::Slow(late) => tokio::time::sleep(late).await,
        Doing::Hang => {
            while same() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            return None;
        }
        Doing::Close => return None,
        Doing::Fail => return Some(reply("500 Internal Server Error", "application/json", b"{}")),
        Doing::Huge => return Some(reply("200 OK", "application/json", &vec![b' '; 8 << 20])),
        Doing::NotJson => return Some(reply("200 OK", "text/html", b"<html>a proxy's page</html>")),
        _ => {}
    }
    let url = format!("{}{path}", shared.real_url);
    let request =
        if method == "POST" { shared.real.post(url).header("content-type", "application/json").body(body) } else { shared.real.get(url) };
    let mut said: Value = request.send().await.ok()?.json().await.ok()?;
    match doing {
        Doing::WrongPerson => said["persons"] = json!([somebody_else()]),
        Doing::Old => said["version"] = json!(0),
        Doing::Duplicate => {
            let persons = said["persons"].as_array().cloned().unwrap_or_default();
            said["persons"] = persons.iter().chain(&persons).cloned().collect();
        }
        _ => {}
    }
    let mut bytes = reply("200 OK", "application/json", said.to_string().as_bytes());
    if doing == Doing::Truncated {
        bytes.truncate(bytes.len() - 20);
        let half = String::from_utf8_lossy(&bytes).into_owned();
        // A length that fits, so that it is the JSON that ends too soon.
        let length = half.split("\r\n\r\n").nth(1).map_or(0, str::len);
        bytes = reply("200 OK", "application/json", &half.as_bytes()[half.len() - length..]);
    }
    Some(bytes)
}

/// Nobody's birth year in the questions, and a card that is long over.
fn somebody_else() -> Value {
    json!({"birth": {"date": "1300", "calendar": "jalali"}, "nationality": "AF", "province": null, "household_role": null,
        "documents": [{"kind": "census-slip", "series": null, "state": "revoked", "issued": null, "expires": null, "legal_status": null}]})
}

fn reply(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
