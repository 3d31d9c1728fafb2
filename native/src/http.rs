//! Plain HTTP, for those who tell others of a run.
//!
//! A TLS stack would be the largest part of the program by far: for a service that asks for HTTPS, name a relay on this
//! machine or network. Answers are not to be trusted: redirects are not followed, and bodies are read up to a limit.

use std::time::Duration;

/// To reach a host at all.
const CONNECT: Duration = Duration::from_secs(2);

/// What sends requests, each of which may take so long in all.
#[must_use]
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT.min(timeout)))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("crucible/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}
