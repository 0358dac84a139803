//! A web server that gives one file away, as an authority publishes its revocation list; with a validator, so that most answers are empty.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running source.
pub struct ListSource {
    pub url: String,
    /// How often it was asked.
    pub asked: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl ListSource {
    /// Gives `file` away.
    pub async fn of(file: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/list.crl", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU64::new(0));
        let count = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, file.clone(), count.clone()));
            }
        });
        Self { url, asked, task }
    }
}

impl Drop for ListSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut socket: TcpStream, file: PathBuf, count: Arc<AtomicU64>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        count.fetch_add(1, Ordering::SeqCst);
        let body = std::fs::read(&file).unwrap();
        let tag: String = digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let known = String::from_utf8_lossy(&head).contains(&tag);
        let (status, body) = if known { ("304 Not Modified", Vec::new()) } else { ("200 OK", body) };
        let reply = format!("HTTP/1.1 {status}\r\netag: \"{tag}\"\r\ncontent-length: {}\r\n\r\n", body.len());
        if socket.write_all(&[reply.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}
