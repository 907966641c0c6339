//! Addresses: what they mean, and what is refused without showing a password.

use super::*;

fn none(_: &str) -> Option<String> {
    None
}

fn ok(text: &str) -> Address {
    read(text, &none).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn refused(text: &str) -> String {
    read(text, &none).expect_err(text)
}

fn modes(text: &str) -> Vec<SslMode> {
    ok(text).hosts.iter().map(|host| host.mode).collect()
}

#[test]
fn other_machines_are_verified_unless_the_address_says_otherwise() {
    use SslMode::*;
    assert_eq!(modes("postgres://u@db.example"), [VerifyFull]);
    assert_eq!(modes("postgres://u@10.0.0.1"), [VerifyFull]);
    assert_eq!(
        modes("postgres://u@localhost,127.0.0.2,[::1],LOCALHOST"),
        [Prefer, Prefer, Prefer, Prefer]
    );
    assert_eq!(modes("host=localhost hostaddr=10.0.0.1 user=u"), [VerifyFull]);
    assert_eq!(modes("host=db.example hostaddr=127.0.0.1 user=u"), [VerifyFull]);
    assert_eq!(modes("hostaddr=127.0.0.1 user=u"), [Prefer]);
    assert_eq!(modes("host=/tmp,db.example user=u"), [Disable, VerifyFull]);
    assert_eq!(modes("host=/tmp user=u sslmode=verify-full"), [Disable]);
    assert_eq!(modes("postgres://u@h?sslmode=disable"), [Disable]);
    assert_eq!(modes("postgres://u@h?sslmode=prefer"), [Prefer]);
    assert_eq!(modes("postgres://u@h?sslmode=require"), [Require]);
    assert_eq!(modes("postgres://u@h?sslmode=require&sslrootcert=ca.pem"), [VerifyCa]);
    assert_eq!(modes("postgres://u@h?sslmode=verify-ca"), [VerifyCa]);
    assert_eq!(modes("postgres://u@h?sslrootcert=system"), [VerifyFull]);
    assert_eq!(modes("postgres://u@localhost?sslrootcert=ca.pem"), [VerifyFull]);
}

#[test]
fn everything_is_read() {
    let address = ok(
        "host=a,/run/pg port=1,2 user=u password='p w' dbname=d sslmode=verify-full sslrootcert=r sslcert=c \
                      sslkey=k channel_binding=require connect_timeout=3 target_session_attrs=primary application_name=x \
                      options='-c a=b' sslnegotiation=direct gssencmode=disable keepalives=1",
    );
    assert_eq!(address.hosts[0].shown(), "a:1");
    assert_eq!(address.hosts[1].shown(), "/run/pg:2");
    assert_eq!((address.user.as_str(), address.database.as_str()), ("u", "d"));
    assert_eq!(address.password.as_ref().map(Secret::expose), Some("p w"));
    assert_eq!(address.roots, Roots::File("r".into()));
    assert_eq!((address.cert, address.key), (Some("c".into()), Some("k".into())));
    assert_eq!(address.channel_binding, ChannelBinding::Require);
    assert_eq!(address.negotiation, SslNegotiation::Direct);
    assert_eq!(address.timeout, Duration::from_secs(3));
    assert_eq!(address.role, Role::Primary);
    assert_eq!(address.options.as_deref(), Some("-c a=b"));
}

#[test]
fn defaults() {
    let address = ok("postgres://u@[2001:db8::1]");
    assert_eq!(address.hosts[0].shown(), "[2001:db8::1]:5432");
    assert_eq!(address.database, "u");
    assert_eq!(address.timeout, DEFAULT_TIMEOUT);
    assert_eq!(address.password, None);
    assert_eq!(address.role, Role::Any);
}

#[test]
fn the_environment_stands_in() {
    let env = |name: &str| match name {
        "PGPASSWORD" => Some("from env".to_owned()),
        "PGSSLROOTCERT" => Some("env.pem".to_owned()),
        _ => None,
    };
    let address = read("postgres://u@h", &env).expect("address");
    assert_eq!(address.password.as_ref().map(Secret::expose), Some("from env"));
    assert_eq!(address.roots, Roots::File("env.pem".into()));
    let address = read("postgres://u:own@h?sslrootcert=system", &env).expect("address");
    assert_eq!(address.password.as_ref().map(Secret::expose), Some("own"));
    assert_eq!(address.roots, Roots::Machine);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let cases = [
        "postgres://u@h?sslmode=allow",
        "postgres://u@h?sslmodus=require",
        "postgres://u@h?wibble=1",
        "postgres://u:p@h?wibble=1",
        "postgres://u@h?sslcrl=x",
        "postgres://u:p@h?service=x",
        "postgres://u@h?channel_binding=maybe",
        "postgres://u@h?connect_timeout=0",
        "postgres://u@h?target_session_attrs=prefer-standby",
        "postgres://u@h?sslrootcert=system&sslmode=require",
        "postgres://u@h?gssencmode=require",
        "postgres://u@h?sslnegotiation=x",
        "postgres://u@h?user=v",
        "postgres://h/db",
        "postgres:///db?user=u",
        "postgres://u@a,b:1,c:99999",
        "host=a,b port=1,2,3 user=u",
        "host=a,b hostaddr=::1 user=u",
        "hostaddr=a user=u",
        "host=a,,b user=u",
        "dbname=postgres://u:p@h/db user=u host=h",
        "host=h user=u password=my secret=1",
    ];
    let said: Vec<_> = cases
        .iter()
        .map(|case| format!("{case}\n  {}", refused(case)))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn no_message_and_no_debug_text_shows_the_password() {
    let bad = [
        "host=h user=u password=x canary=1",
        "host=h user=u password=canary wibble=1",
        "postgres://u@h?password=x&canary=1",
        "postgres://u@h?password=canary&sslmode=canary",
        "postgres://u:canary@h?sslmode=canary",
        "postgres://u:canary@h:99999",
        "postgres://u:canary@a:1,b:2,c?port=canary",
        "dbname=postgres://u:canary@h/db user=u host=h",
        "host=h user=u password=canary connect_timeout=canary",
        "host=h user=u password=canary channel_binding=canary sslnegotiation=canary",
        "host=h user=u password=canary target_session_attrs=canary",
        "host=h user=u password=canary gssencmode=canary",
        "hostaddr=canary user=u",
        "password=canary host=h",
        "user=u password=canary",
    ];
    for text in bad {
        let why = refused(text);
        assert!(!why.contains("canary"), "{text}: {why}");
    }
    let debug = format!("{:?}", ok("postgres://u:canary@h/db"));
    assert!(!debug.contains("canary"), "{debug}");
}
