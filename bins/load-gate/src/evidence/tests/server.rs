//! A server that says exactly what it is told, byte by byte, to every question.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::mutate::Answer;

pub(super) struct Server {
    port: u16,
    said: Arc<Mutex<Vec<u8>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let says = Arc::clone(&said);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&says)));
            }
        });
        Self { port, said, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn serve(&self, answer: &Answer) {
        let mut bytes = format!("HTTP/1.1 {} Whatever\r\n", answer.status);
        if let Some(content_type) = &answer.content_type {
            write!(bytes, "Content-Type: {content_type}\r\n").unwrap();
        }
        if answer.status != 204 {
            write!(bytes, "Content-Length: {}\r\n", answer.body.len()).unwrap();
        }
        let mut bytes = format!("{bytes}\r\n").into_bytes();
        if answer.status != 204 {
            bytes.extend_from_slice(&answer.body);
        }
        *self.said.lock().unwrap() = bytes;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends with the connection, whoever closes it.
async fn serve(mut stream: TcpStream, said: Arc<Mutex<Vec<u8>>>) {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        while let Some(length) = whole_request(&read) {
            read.drain(..length);
            let bytes = said.lock().unwrap().clone();
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(length) => read.extend_from_slice(&chunk[..length]),
        }
    }
}

/// Length of the first request, if all of it is there.
fn whole_request(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let whole = head + length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
    (read.len() >= whole).then_some(whole)
}
