//! The webhook of `guardrails.webhook`: findings from CRITICAL up, posted as JSON.
//!
//! A webhook tells; it never decides: whatever becomes of it, the result stays.

use crate::http;
use crate::progress::Reporter;
use crucible_core::guardrails::{Finding, Level};
use serde::Serialize;
use std::io::ErrorKind;
use std::time::Duration;

/// For everything together: a webhook must not hold up what it tells of.
const TIMEOUT: Duration = Duration::from_secs(5);

const UNTRUSTED: &str = "its certificate is not trusted";

/// What is posted.
#[derive(Debug, Serialize)]
struct Message<'a> {
    /// The command, such as `guardrail check`.
    command: &'a str,
    /// The program's version.
    crucible_version: &'static str,
    /// The worst level.
    level: Level,
    /// Whether the command stops.
    stops: bool,
    /// The findings from CRITICAL up.
    findings: Vec<&'a Finding>,
}

/// Posts what is CRITICAL or worse, if anything is and a webhook is set. A failure is a warning.
pub fn tell(webhook: Option<&str>, command: &str, findings: &[Finding], stops: bool, reporter: &Reporter) {
    let findings: Vec<&Finding> = findings.iter().filter(|f| f.level >= Level::Critical).collect();
    let (Some(url), Some(level)) = (webhook, findings.iter().map(|f| f.level).max()) else { return };
    let message = Message { command, crucible_version: env!("CARGO_PKG_VERSION"), level, stops, findings };
    if let Err(error) = post(url, &message) {
        // Not the address: it may hold a secret.
        reporter.warn(format!("the webhook was not told: {error}"));
    }
}

fn post(url: &str, message: &Message<'_>) -> Result<(), String> {
    let body = serde_json::to_vec(message).map_err(|e| e.to_string())?;
    let agent = http::agent(TIMEOUT);
    let response = agent.post(url).header("content-type", "application/json").send(&body[..]);
    match response {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("it answered {}", response.status())),
        // It may name the host, which may be the secret.
        Err(ureq::Error::Rustls(_) | ureq::Error::Tls(_)) => Err(UNTRUSTED.to_owned()),
        Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::InvalidData => Err(UNTRUSTED.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
