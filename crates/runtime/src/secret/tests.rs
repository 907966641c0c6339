//! Redaction, what is refused, and rotation as Kubernetes does it.

use super::*;

const NONE: Option<Secret> = None;

async fn get_file(path: &Path) -> Result<String, SecretError> {
    let source = SecretSource::from_args("MC_TOKEN", NONE, Some(path.to_owned()))?.expect("a file is set");
    source.get().await.map(|secret| secret.expose().to_owned())
}

#[test]
fn is_never_printed() {
    let secret = Secret::new("hunter2");
    let source = SecretSource::from_args("T", Some(secret.clone()), None).expect("usable");
    let printed = format!(
        "{secret} {secret:?} {source:?} {}",
        serde_json::json!({ "token": secret })
    );
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(printed.contains(REDACTED));
}

#[test]
fn compares_whole_values() {
    let secret = Secret::new("abc");
    assert!(secret.matches(b"abc"));
    assert!(!secret.matches(b"abd"));
    assert!(!secret.matches(b"ab"));
    assert!(!secret.matches(b""));
}

#[test]
fn both_empty_and_unusable_values_are_refused() {
    let both = SecretSource::from_args("MC_TOKEN", Some("a"), Some("/x".into())).expect_err("both");
    assert_eq!(
        both.to_string(),
        "MC_TOKEN and MC_TOKEN_FILE are both set; keep one of them"
    );
    let empty = SecretSource::from_args("MC_TOKEN", Some(""), None).expect_err("empty");
    assert_eq!(empty.to_string(), "MC_TOKEN is empty; give it a value or unset it");
    for bad in ["two\nlines", "tab\there", "é", " padded"] {
        let error = SecretSource::from_args("MC_TOKEN", Some(bad), None).expect_err(bad);
        assert!(matches!(error, SecretError::NotAToken { .. }));
        assert!(!error.to_string().contains(bad), "{error}");
    }
    assert!(SecretSource::from_args("MC_TOKEN", NONE, None).expect("none").is_none());
}

#[tokio::test]
async fn one_line_end_is_cut() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("token");
    for (content, expected) in [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc")] {
        std::fs::write(&path, content).expect("write");
        assert_eq!(get_file(&path).await.expect("readable"), expected);
    }
    std::fs::write(&path, "abc\n\n").expect("write");
    assert!(matches!(get_file(&path).await, Err(SecretError::NotAToken { .. })));
}

#[tokio::test]
async fn bad_files_are_named() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("token");
    let missing = get_file(&path).await.expect_err("missing");
    assert_eq!(
        missing.to_string(),
        format!("cannot read MC_TOKEN_FILE {}", path.display())
    );
    assert!(std::error::Error::source(&missing).is_some());

    std::fs::write(&path, "\n").expect("write");
    assert!(matches!(get_file(&path).await, Err(SecretError::EmptyFile { .. })));
    std::fs::write(&path, [0xff, 0xfe]).expect("write");
    assert!(matches!(get_file(&path).await, Err(SecretError::NotAToken { .. })));
    std::fs::write(&path, vec![b'a'; 70_000]).expect("write");
    assert!(matches!(get_file(&path).await, Err(SecretError::TooLong { .. })));
    assert!(matches!(
        get_file(dir.path()).await,
        Err(SecretError::Unreadable { .. })
    ));
}

/// What the kubelet does: a new folder, then `..data` is renamed over. Size and times are made equal, so that only
/// reading can tell the two apart.
#[tokio::test]
async fn a_kubernetes_rotation_is_seen_at_once() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    let write = |folder: &str, token: &str| {
        std::fs::create_dir(root.join(folder)).expect("folder");
        let path = root.join(folder).join("token");
        std::fs::write(&path, token).expect("write");
        std::fs::File::options()
            .write(true)
            .open(&path)
            .expect("open")
            .set_modified(std::time::UNIX_EPOCH)
            .expect("mtime");
    };
    write("..2026_01", "first");
    symlink("..2026_01", root.join("..data")).expect("link");
    symlink("..data/token", root.join("token")).expect("link");
    let source = SecretSource::from_args("MC_TOKEN", NONE, Some(root.join("token")))
        .expect("args")
        .expect("set");
    assert_eq!(source.get().await.expect("first").expose(), "first");

    write("..2026_02", "other");
    symlink("..2026_02", root.join("..data_tmp")).expect("link");
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swap");
    std::fs::remove_dir_all(root.join("..2026_01")).expect("old folder");
    assert_eq!(source.get().await.expect("second").expose(), "other");

    // Rewritten in place, same size.
    std::fs::write(root.join("..2026_02/token"), "third").expect("write");
    assert_eq!(source.get().await.expect("third").expose(), "third");
}

#[test]
fn messages_say_what_is_missing() {
    let empty = |name| {
        let path = PathBuf::from("f");
        SecretError::EmptyFile { name, path }.to_string()
    };
    assert_eq!(
        empty("DATABASE_URL"),
        "DATABASE_URL_FILE f is empty; it must hold the database's address"
    );
    assert_eq!(
        empty("RETENTION_LEDGER_KEY"),
        "RETENTION_LEDGER_KEY_FILE f is empty; it must hold the key"
    );
    assert_eq!(empty("MC_TOKEN"), "MC_TOKEN_FILE f is empty; it must hold the token");
    let path = PathBuf::from("f");
    let long = SecretError::TooLong {
        name: "DATABASE_URL",
        path,
    };
    assert!(
        long.to_string().ends_with("a file with only the database's address"),
        "{long}"
    );
}
