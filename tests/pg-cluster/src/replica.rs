//! Owns copies of a server: replicas, and snapshots to go back to.

use std::fs;
use std::path::Path;

use crate::cluster::{Cluster, Stop};
use crate::copy::copy_tree;
use crate::error::{Error, file_error};
use crate::home::Home;
use crate::install::Install;
use crate::options::Options;
use crate::user;

/// A cold copy of a server's data.
#[derive(Debug)]
pub struct Snapshot {
    home: Home,
    install: Install,
    options: Options,
}

impl Cluster {
    /// A read-only replica that streams from this server. Its settings are this server's, then those of `options`;
    /// passwords and (unless it has its own) access rules and TLS are this server's.
    ///
    /// Made by hand, as `pg_basebackup` does it, because the archives of Maven Central have no such program.
    ///
    /// # Errors
    /// It does not start, or this server has tablespaces, whose places would be the same.
    pub async fn standby(&self, options: &Options) -> Result<Self, Error> {
        refuse_tablespaces(&self.data())?;
        // The backup lasts as long as this session.
        let session = self.connect("postgres").await?;
        let (start, stop) = if self.major() < 15 {
            (
                "SELECT pg_start_backup('standby', true, false)",
                "SELECT labelfile FROM pg_stop_backup(false, false)",
            )
        } else {
            (
                "SELECT pg_backup_start('standby', true)",
                "SELECT labelfile FROM pg_backup_stop(false)",
            )
        };
        session.batch_execute(start).await?;
        let home = Home::new()?;
        copy_tree(&self.data(), &home.data(), user::other())?;
        let label: String = session.query_one(stop, &[]).await?.get(0);
        // All WAL until the end of the backup; what comes later is streamed.
        let wal = home.data().join("pg_wal");
        fs::remove_dir_all(&wal).map_err(file_error("empty", &wal))?;
        copy_tree(&self.data().join("pg_wal"), &wal, user::other())?;
        // Slots are this server's own: in the copy, nobody would ever read from them.
        let slots = home.data().join("pg_replslot");
        for slot in fs::read_dir(&slots).map_err(file_error("read", &slots))?.flatten() {
            fs::remove_dir_all(slot.path()).map_err(file_error("remove", &slot.path()))?;
        }
        user::write_private(&home.data().join("backup_label"), &label)?;
        user::write_private(&home.data().join("standby.signal"), "")?;
        for name in ["postmaster.pid", "postmaster.opts"] {
            let _ = fs::remove_file(home.data().join(name));
        }
        let upstream = format!(
            "host={} port={} user=postgres application_name=standby",
            self.folder().display(),
            self.port()
        );
        Self::build(
            self.install.clone(),
            after(&self.options, options),
            Some(&upstream),
            |_, new| fs::rename(home.data(), new.data()).map_err(file_error("move a data folder to", new.path())),
        )
    }

    /// Stops the server, copies its data, and starts it again. [`Self::from_snapshot`] goes back to that moment.
    ///
    /// # Errors
    /// It does not stop or start, or it has tablespaces, which are elsewhere.
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        refuse_tablespaces(&self.data())?;
        let ran = self.server.is_some();
        self.stop(Stop::Fast)?;
        let home = Home::new()?;
        copy_tree(&self.data(), &home.data(), user::other())?;
        if ran {
            self.start_again()?;
        }
        Ok(Snapshot {
            home,
            install: self.install.clone(),
            options: self.options.clone(),
        })
    }

    /// A new server with a snapshot's data, as after the restore of a backup; the snapshot can be used again. Its
    /// settings are those of the server that the snapshot is of, then those of `options`.
    ///
    /// # Errors
    /// It does not start.
    pub fn from_snapshot(snapshot: &Snapshot, options: &Options) -> Result<Self, Error> {
        let options = after(&snapshot.options, options);
        Self::build(snapshot.install.clone(), options, None, |_, home| {
            copy_tree(&snapshot.home.data(), &home.data(), user::other())
        })
    }
}

fn after(first: &Options, then: &Options) -> Options {
    let mut merged = then.clone();
    merged.settings = [first.settings.clone(), merged.settings].concat();
    merged.fsync |= first.fsync;
    // Roles, and so passwords, are part of the data.
    merged.password.clone_from(&first.password);
    if merged.hba.is_empty() {
        merged.hba.clone_from(&first.hba);
    }
    if merged.tls.is_none() {
        merged.tls.clone_from(&first.tls);
    }
    merged
}

fn refuse_tablespaces(data: &Path) -> Result<(), Error> {
    let folder = data.join("pg_tblspc");
    let mut entries = fs::read_dir(&folder).map_err(file_error("read", &folder))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Error::Unsupported(
        "a server with tablespaces cannot be copied: the copy would use the same ones".to_owned(),
    ))
}
