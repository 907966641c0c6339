//! Owns what must hold of the proof after every fault: counts, chains, receipts.

use pg_session::Target;
use pg_session::target::SessionOptions;
use retention_proof::ChainHash;
use retention_store::audit;
use serde_json::Value;

use crate::World;

impl World {
    /// Follows the chain of a run's audit rows; gives how many there are.
    ///
    /// # Panics
    /// A row does not follow the one before.
    #[track_caller]
    pub fn chain(&self, run_id: &str) -> u64 {
        let followed = self.handle().block_on(async {
            let target = Target::parse(&self.url()).unwrap();
            let session = target.connect(&SessionOptions::new("chain")).await.unwrap();
            let (mut seq, mut link) = (0, ChainHash::start(run_id));
            audit::for_each(&session, run_id, |line| {
                seq += 1;
                link = line.row.link(link);
                assert_eq!(line.row.seq, seq, "a row of run {run_id} is missing");
                assert_eq!(line.link, link, "row {seq} of run {run_id} does not follow");
                Ok::<(), pg_session::DbError>(())
            })
            .await
            .map(|()| seq)
        });
        followed.unwrap()
    }

    /// Exports everything into a folder and verifies it, against the newest receipt. Gives the receipts, oldest first.
    ///
    /// # Panics
    /// It is not sound.
    #[track_caller]
    pub fn verified(&self, folder: &str) -> Vec<Value> {
        let dir = self.path(folder);
        self.ends(self.job(["receipts", "export"]).arg(&dir), 0);
        let head = self
            .value("SELECT sha256 FROM retention.receipt ORDER BY number DESC LIMIT 1")
            .expect("a receipt");
        let ended = self.ends(&mut self.verification(folder, &head), 0);
        let report = ended.json();
        let receipts = self
            .open()
            .column("SELECT convert_from(decode(envelope::jsonb ->> 'payload', 'base64'), 'UTF8') FROM retention.receipt ORDER BY number");
        assert_eq!(report["receipts"], receipts.len(), "{report}");
        receipts
            .into_iter()
            .map(|text| serde_json::from_str(&text.unwrap()).unwrap())
            .collect()
    }

    /// `receipts verify` of an exported folder.
    pub fn verification(&self, folder: &str, head: &str) -> std::process::Command {
        let mut key = self.signing_key().as_os_str().to_owned();
        key.push(".pub");
        let mut command = self.job(["receipts", "verify", "--expect-head", head, "--key"]);
        command.arg(key).arg(self.path(folder));
        command
    }
}
