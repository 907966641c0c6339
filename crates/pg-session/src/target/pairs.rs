//! Owns how the two notations of an address become names and values: a URL (`postgres://...`) or words (`host=... user=...`),
//! as libpq's manual describes them.
//!
//! No message shows what was read: whatever stands in the wrong place may be a piece of the password.

use std::borrow::Cow;

/// One setting.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
}

const ENCODE: &str = "the characters / ? @ # % : of a password must be percent-encoded (%2F %3F %40 %23 %25 %3A)";

/// Reads either notation.
pub(super) fn read(address: &str) -> Result<Vec<Pair>, String> {
    let address = address.trim();
    if address.is_empty() {
        return Err("it is empty".to_owned());
    }
    if address.contains('\0') {
        return Err("it holds a NUL character".to_owned());
    }
    for scheme in ["postgres://", "postgresql://"] {
        if let Some(rest) = address.strip_prefix(scheme) {
            return url(rest);
        }
    }
    if address.contains("://") && !address.contains('=') {
        return Err("its scheme is neither postgres:// nor postgresql://".to_owned());
    }
    words(address)
}

fn url(rest: &str) -> Result<Vec<Pair>, String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('@') {
        return Err(format!("an @ stands after the host; {ENCODE}"));
    }
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: &str| -> Result<(), String> {
        if !value.is_empty() {
            pairs.push(Pair {
                name: name.to_owned(),
                value: decode(value)?.into_owned(),
            });
        }
        Ok(())
    };
    let hosts = match authority.split_once('@') {
        None => authority,
        Some((_, hosts)) if hosts.contains('@') => return Err(format!("it holds more than one @; {ENCODE}")),
        Some((login, hosts)) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            add("user", user)?;
            add("password", password)?;
            hosts
        }
    };
    let (names, ports) = split_hosts(hosts)?;
    add("host", &names)?;
    add("port", &ports)?;
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('/') {
        return Err(format!("it has a second / after the host; {ENCODE}"));
    }
    add("dbname", database)?;
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let Some((name, value)) = piece.split_once('=') else {
            return Err("a parameter after the ? has no value: expected name=value".to_owned());
        };
        pairs.push(Pair {
            name: decode(name)?.into_owned(),
            value: decode(value)?.into_owned(),
        });
    }
    Ok(pairs)
}

/// `a:1,[::1],c:3` becomes `a,::1,c` and `1,,3`; no port at all becomes nothing.
fn split_hosts(hosts: &str) -> Result<(String, String), String> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = if let Some(rest) = host.strip_prefix('[') {
            let (name, after) = rest
                .split_once(']')
                .ok_or("a host begins with [ and has no ]".to_owned())?;
            let port = match after.strip_prefix(':') {
                Some(port) => port,
                None if after.is_empty() => "",
                None => return Err("something other than a port follows the ] of a host".to_owned()),
            };
            (name, port)
        } else {
            host.split_once(':').unwrap_or((host, ""))
        };
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("a port is no number; {ENCODE}"));
        }
        names.push(name);
        ports.push(port);
    }
    let ports = if ports.iter().all(|port| port.is_empty()) {
        String::new()
    } else {
        ports.join(",")
    };
    Ok((names.join(","), ports))
}

fn decode(text: &str) -> Result<Cow<'_, str>, String> {
    let bytes = text.as_bytes();
    let damaged = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%'
            && !bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if damaged {
        return Err(format!("a % is not followed by two hexadecimal digits; {ENCODE}"));
    }
    let text = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| "what is percent-encoded is not UTF-8".to_owned())?;
    if text.contains('\0') {
        return Err("it holds a NUL character".to_owned());
    }
    Ok(text)
}

/// `name = value`, values with spaces in `'...'`; `\` before `'` and `\`.
fn words(address: &str) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    let mut rest = address.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| no_assignment(&pairs))?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(no_assignment(&pairs));
        }
        let (value, after) = word(after.trim_start())?;
        pairs.push(Pair {
            name: name.to_owned(),
            value,
        });
        rest = after.trim_start();
    }
    Ok(pairs)
}

fn no_assignment(before: &[Pair]) -> String {
    if before.is_empty() {
        "expected postgres://user:password@host:port/database, or name=value words".to_owned()
    } else {
        format!(
            "word {} is not name=value; a value with spaces needs quotes: password='...'",
            before.len() + 1
        )
    }
}

/// The value at the start of `text`, and what follows it.
fn word(text: &str) -> Result<(String, &str), String> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None => return Err("a \\ stands at its end".to_owned()),
            },
            '\'' if quoted => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            c if !quoted && c.is_whitespace() => return Ok((value, text.get(at..).unwrap_or_default())),
            c => value.push(c),
        }
    }
    if quoted {
        Err("a ' is not closed".to_owned())
    } else {
        Ok((value, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(address: &str) -> Vec<(String, String)> {
        let pairs = read(address).expect(address);
        pairs.into_iter().map(|pair| (pair.name, pair.value)).collect()
    }

    fn same(address: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(pairs(address), expected, "{address}");
    }

    #[test]
    fn urls() {
        same("postgres://h", &[("host", "h")]);
        same("postgresql://", &[]);
        same(
            "postgres://u:p%40%2F@a:1,[::1],c:3/db%20x?sslmode=require&options=-c%20a%3Db",
            &[
                ("user", "u"),
                ("password", "p@/"),
                ("host", "a,::1,c"),
                ("port", "1,,3"),
                ("dbname", "db x"),
                ("sslmode", "require"),
                ("options", "-c a=b"),
            ],
        );
        same(
            "postgres://%2Fvar%2Frun/db?user=u+v",
            &[("host", "/var/run"), ("dbname", "db"), ("user", "u+v")],
        );
        same("postgres:///db?host=/tmp", &[("dbname", "db"), ("host", "/tmp")]);
        same(
            "postgres://u#:p#@h",
            &[("user", "u#"), ("password", "p#"), ("host", "h")],
        );
    }

    #[test]
    fn words_and_quotes() {
        same(
            r"host = h  user='a \'b\\' password=x\ y dbname=''",
            &[("host", "h"), ("user", r"a 'b\"), ("password", "x y"), ("dbname", "")],
        );
    }

    #[test]
    fn no_message_shows_what_was_read() {
        for address in [
            "",
            "   ",
            "canary",
            "mysql://u:canary@h/db",
            "postgres://u:ca/nary@h/db",
            "postgres://u:12/canary@h/db",
            "postgres://u:canary?x@h/db",
            "postgres://u:canary?x=1@h/db",
            "postgres://u:canary@x@h/db",
            "postgres://canary@x@h/db",
            "postgres://u:canary%zz@h",
            "postgres://u:canary%",
            "postgres://u:canary%ff@h",
            "postgres://u:canary%00@h",
            "postgres://u:canary\0@h",
            "postgres://u:canary",
            "postgres://u@h:canary/db",
            "postgres://u@[canary/db",
            "postgres://u@[::1]canary/db",
            "postgres://u@h/db/canary",
            "postgres://u@h/db?canary",
            "host=h password=x canary",
            "host=h password='canary",
            "host=h password=canary\\",
            "host=h a canary=b",
            "host=h =canary",
        ] {
            let error = read(address).err().unwrap_or_else(|| panic!("{address}"));
            assert!(
                !error.contains("canary") && !error.contains("nary"),
                "{address}: {error}"
            );
        }
    }
}
