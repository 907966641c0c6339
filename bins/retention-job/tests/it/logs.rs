//! What the log says: at its most talkative, neither keys nor whom rows are about.

use crate::world::World;

const POLICY: &str = "
rules:
- {name: references, table: transactions, action: {anonymise: {card_last4: hmac}}, age: {column: created_at, days: 90}}
erasure:
  subject: {table: people, key: mail, requested: [{column: asked, op: eq, value: true}]}
  tables:
  - {table: people, action: delete, reach: {column: mail}}
";
const HMAC_KEY: &str = "an hmac key of the test";
const LEDGER_KEY: &str = "a ledger key of the test";

#[test]
fn even_a_trace_shows_no_keys_and_no_subjects() {
    let world = World::new();
    world.own(
        "CREATE TABLE people (mail text PRIMARY KEY, asked boolean NOT NULL); \
         INSERT INTO people SELECT n || '-ada@example.invalid', n <= 2 FROM generate_series(1, 1000) AS n",
    );
    let ledger = world.file("ledger", "");
    for (name, mut command) in [
        ("run", world.with_policy(POLICY)),
        ("erase", {
            let mut command = world.job(["erase", "--subject", "7-ada@example.invalid"]);
            command.env("RETENTION_POLICY", world.file("policy.yaml", POLICY));
            command
        }),
    ] {
        let ended = program::run(
            command
                .env("RUST_LOG", "trace")
                .env("RETENTION_HMAC_KEY", HMAC_KEY)
                .env("RETENTION_LEDGER", &ledger)
                .env("RETENTION_LEDGER_KEY", LEDGER_KEY),
        );
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert!(ended.stderr.contains("\"level\":"), "{name}: {ended:?}");
        // HMAC binds its two padded keys, in hex.
        let padded: Vec<u8> = HMAC_KEY.bytes().take(8).map(|byte| byte ^ 0x36).collect();
        let padded = format!("{:016x}", u64::from_be_bytes(padded.try_into().unwrap()));
        for secret in ["ada@example", HMAC_KEY, LEDGER_KEY, padded.as_str()] {
            let shown = [&ended.stdout, &ended.stderr].map(|text| text.lines().find(|line| line.contains(secret)));
            assert_eq!(shown, [None, None], "{name}: {secret}");
        }
        world.said(&ended);
    }
    assert_eq!(world.value("SELECT count(*) FROM people"), "997");
}
