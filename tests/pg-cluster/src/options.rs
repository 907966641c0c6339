//! Owns how a server is set up: its settings and access rules, as text.

use std::fmt::Write as _;
use std::path::Path;

use crate::tls::Tls;

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Settings for postgresql.conf; a later one wins.
    pub settings: Vec<(String, String)>,
    /// Keep data safe from a power cut (slow); tests do not need it.
    pub fsync: bool,
    /// Lines for pg_hba.conf, before our own, but after the one that always lets the superuser in by socket.
    pub hba: Vec<String>,
    /// The password of `postgres`; with one, TCP asks for it (SCRAM-SHA-256).
    pub password: Option<String>,
    /// Offer TLS, with a certificate made for it.
    pub tls: Option<Tls>,
    /// More arguments for `initdb`.
    pub initdb: Vec<String>,
    /// A file system of so many MiB of its own, for a tablespace that runs full: [`crate::Cluster::small_disk`].
    pub small_disk_mib: Option<u32>,
}

impl Options {
    /// Adds a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a line to pg_hba.conf.
    #[must_use]
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// Asks for a password over TCP.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Offers TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds an argument for `initdb`, such as `--data-checksums`.
    #[must_use]
    pub fn initdb(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// Gives it a small disk.
    #[must_use]
    pub fn small_disk(mut self, mib: u32) -> Self {
        self.small_disk_mib = Some(mib);
        self
    }
}

/// The whole postgresql.conf. What `ALTER SYSTEM` sets goes to another file, as ever, and wins.
pub(crate) fn configuration(options: &Options, port: u16, folder: &Path, upstream: Option<&str>) -> String {
    let mut text = String::from("# Written at each start.\n");
    let folder = folder.display();
    let mut set = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''"));
    };
    set("listen_addresses", "127.0.0.1");
    set("port", &port.to_string());
    set("unix_socket_directories", &folder.to_string());
    set("unix_socket_permissions", "0700");
    set("max_connections", "50");
    set("shared_buffers", "64MB");
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    set("log_min_messages", "warning");
    set("log_line_prefix", "%m [%p] %q%d ");
    // A replica that is away for a while finds what it missed.
    set("wal_keep_size", "512MB");
    if !options.fsync {
        set("fsync", "off");
        set("full_page_writes", "off");
    }
    if options.tls.is_some() {
        set("ssl", "on");
        set("ssl_cert_file", &format!("{folder}/server.pem"));
        set("ssl_key_file", &format!("{folder}/server.key"));
    }
    if let Some(upstream) = upstream {
        set("primary_conninfo", upstream);
    }
    for (name, value) in &options.settings {
        set(name, value);
    }
    text
}

/// The whole pg_hba.conf.
pub(crate) fn access(options: &Options) -> String {
    // First of all, so that a test that locks everybody out can still look.
    let mut text = String::from("local all postgres trust\nlocal replication postgres trust\n");
    for line in &options.hba {
        let _ = writeln!(text, "{line}");
    }
    let method = if options.password.is_some() {
        "scram-sha-256"
    } else {
        "trust"
    };
    let _ = writeln!(text, "local all all {method}");
    for database in ["all", "replication"] {
        let _ = writeln!(text, "host {database} all 127.0.0.1/32 {method}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_a_later_one_comes_later() {
        let options = Options::default().set("search_path", "a'b\\c").set("fsync", "on");
        let text = configuration(&options, 5432, Path::new("/t"), Some("host=/p"));
        assert!(text.contains("search_path = 'a''b\\\\c'\n"), "{text}");
        assert!(text.find("fsync = 'off'") < text.find("fsync = 'on'"), "{text}");
        assert!(text.contains("primary_conninfo = 'host=/p'\n"), "{text}");
    }

    #[test]
    fn the_superuser_is_let_in_before_all_other_rules() {
        let text = access(&Options::default().hba("local all all reject").password("x"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "local all postgres trust");
        assert_eq!(lines[2], "local all all reject");
        assert_eq!(
            *lines.last().unwrap(),
            "host replication all 127.0.0.1/32 scram-sha-256"
        );
        assert!(!access(&Options::default()).contains("scram"));
    }
}
