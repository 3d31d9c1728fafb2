//! A server of a few files to programs on this machine: GET and HEAD of what is in memory, nothing else.
//!
//! Every request is small, soon over, and names this very address: a page of somebody else's, whose name was made to lead
//! here, gets nothing.

use crate::web_assets;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a request that are read, at most.
const MOST_BYTES: usize = 8 << 10;
/// Time that a request may take to arrive, and a piece of an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at one time; browsers open a handful.
const MOST_CONNECTIONS: usize = 64;

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A file, by name.
    File(&'static str),
    /// A status, and words for people.
    Refused(&'static str, &'static str),
}

const BAD: Answer = Answer::Refused("400 Bad Request", "This is no request that is understood here.\n");

/// Answers in threads of its own, as long as the program lives.
///
/// # Errors
/// No thread can be started.
pub(super) fn start(listener: TcpListener, port: u16) -> io::Result<()> {
    let open = Arc::new(());
    std::thread::Builder::new().name("serve".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Over the limit the connection is closed unanswered: a browser asks again.
            if Arc::strong_count(&open) > MOST_CONNECTIONS {
                continue;
            }
            let held = Arc::clone(&open);
            // Whatever becomes of one connection, the next one is answered.
            let _ = std::thread::Builder::new().spawn(move || {
                let _held = held;
                let _ = converse(stream, port);
            });
        }
    })?;
    Ok(())
}

/// One request and its answer.
fn converse(mut stream: TcpStream, port: u16) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&mut stream)?;
    let Some(head) = head else {
        return write(&mut stream, &Answer::Refused("431 Request Header Fields Too Large", "Too long.\n"), true);
    };
    let (answer, body) = judge(&head, port);
    write(&mut stream, &answer, body)
}

/// The request up to its empty line; none where it is too long.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let end = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > MOST_BYTES {
            return Ok(None);
        }
        // The whole of it has one time: bytes that drop in singly win none.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&buffer[..count]),
        }
        if Instant::now() >= end {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(Some(head))
}

/// What a request gets, and whether with a body.
fn judge(head: &[u8], port: u16) -> (Answer, bool) {
    let Ok(head) = std::str::from_utf8(head) else { return (BAD, true) };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return (BAD, true);
    };
    let body = method != "HEAD";
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return (BAD, body);
    }
    let mut hosts = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    let (Some((_, host)), None) = (hosts.next(), hosts.next()) else { return (BAD, body) };
    if !is_own(host.trim(), port) {
        let words = "This address is for programs on this machine only.\n";
        return (Answer::Refused("421 Misdirected Request", words), body);
    }
    if !matches!(method, "GET" | "HEAD") {
        return (Answer::Refused("405 Method Not Allowed", "Only GET and HEAD are answered.\n"), body);
    }
    let Some(path) = target.strip_prefix('/') else { return (BAD, body) };
    let name = path.split(['?', '#']).next().unwrap_or_default();
    let name = if name.is_empty() { web_assets::INDEX } else { name };
    match web_assets::names().find(|known| *known == name) {
        Some(name) => (Answer::File(name), body),
        None => (Answer::Refused("404 Not Found", "There is no such file.\n"), body),
    }
}

/// Whether a request's `Host` is this address.
fn is_own(host: &str, port: u16) -> bool {
    let (name, given) = host.rsplit_once(':').unwrap_or((host, "80"));
    given.parse() == Ok(port) && (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost"))
}

fn write(stream: &mut TcpStream, answer: &Answer, with_body: bool) -> io::Result<()> {
    let (status, kind, body) = match answer {
        Answer::File(name) => ("200 OK", web_assets::media_type(name), web_assets::asset(name).unwrap_or_default()),
        Answer::Refused(status, words) => (*status, "text/plain; charset=utf-8", words.as_bytes()),
    };
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let policy = web_assets::policy().unwrap_or("default-src 'none'");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}\
         Content-Security-Policy: {policy}; frame-ancestors 'none'\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if with_body {
        stream.write_all(body)?;
    }
    stream.flush()?;
    // What the other side still sends is read to its end for a moment: closing on unread bytes would reset the answer.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(request: &str) -> String {
        match judge(request.as_bytes(), 80).0 {
            Answer::File(name) => name.to_owned(),
            Answer::Refused(status, _) => status.to_owned(),
        }
    }

    #[test]
    fn only_files_of_the_page_are_handed_out() {
        let get = |target: &str| answer(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        if web_assets::required().is_ok() {
            assert_eq!(get("/"), "index.html");
            assert_eq!(get("/page.js?x=1"), "page.js");
        }
        for target in ["/../Cargo.toml", "/%2e%2e/x", "/etc/passwd", "//index.html", "/page.js/", "/.", "/nothing"] {
            assert_eq!(get(target), "404 Not Found", "{target}");
        }
        for target in ["index.html", "http://localhost/", "*"] {
            assert_eq!(get(target), "400 Bad Request", "{target}");
        }
    }

    #[test]
    fn requests_that_are_none_are_refused() {
        for request in [
            "",
            "\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET /\r\nHost: localhost\r\n\r\n",
            "GET / HTTP/2\r\nHost: localhost\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        ] {
            assert_eq!(answer(request), "400 Bad Request", "{request:?}");
        }
        assert_eq!(judge(b"\xff\xfe HTTP/1.1\r\n\r\n", 80), (BAD, true));
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            assert_eq!(answer(&format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n")), "405 Method Not Allowed");
        }
        assert!(!judge(b"HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 80).1, "HEAD has no body");
    }

    #[test]
    fn a_foreign_name_gets_nothing() {
        for (host, port, own) in [
            ("127.0.0.1:4000", 4000, true),
            ("localhost:4000", 4000, true),
            ("LOCALHOST:4000", 4000, true),
            ("localhost", 80, true),
            ("localhost", 4000, false),
            ("localhost:4001", 4000, false),
            ("evil.example:4000", 4000, false),
            ("127.0.0.1.evil.example:4000", 4000, false),
            ("localhost:4000.evil.example", 4000, false),
            ("", 80, false),
        ] {
            assert_eq!(is_own(host, port), own, "{host}");
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let refused =
                Answer::Refused("421 Misdirected Request", "This address is for programs on this machine only.\n");
            assert!(own || judge(request.as_bytes(), port).0 == refused, "{host}");
        }
    }
}
