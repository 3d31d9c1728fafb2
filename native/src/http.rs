//! HTTP and HTTPS, for those who tell others of a run.
//!
//! Whom the system trusts is trusted, certificates of a company's own included (on Linux `SSL_CERT_FILE` names others).
//! Answers are not: redirects are not followed, and bodies are read up to a limit.

use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// To reach a host at all.
const CONNECT: Duration = Duration::from_secs(2);

/// What sends requests, each of which may take so long in all.
#[must_use]
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT.min(timeout)))
        .max_redirects(0)
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .http_status_as_error(false)
        .user_agent(concat!("crucible/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}
