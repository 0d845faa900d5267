//! What ties secrets to the connectors and nodes that use them: they come and go together.
//!
//! Both ties are kept beside the secrets, under names that no secret can have.

use std::collections::BTreeSet;

use apiflow_store::{DocumentKind, RecordError, SecretRow};

use super::{SecretBook, is_name};
use crate::problem::Problem;

/// Begins the name under which the hosts stand that admins' connectors gave to a secret.
const GRANTS: char = '@';

/// Begins the name under which the generated secrets of a declaration stand.
const OWNED: char = '+';

impl SecretBook {
    /// Follows a connector that an admin saved: `gained` are the secrets that may go to its host by this save, `used`
    /// those that it uses at all. Hosts are defaults: a secret that was given hosts of its own keeps to those.
    pub(crate) async fn grant(
        &self,
        connector: &str,
        host: &str,
        used: &BTreeSet<String>,
        gained: &BTreeSet<String>,
    ) -> Result<(), Problem> {
        let _one_at_a_time = self.ties.lock().await;
        self.withdraw(connector, |name| used.contains(name) && !gained.contains(name)).await?;
        for name in gained.iter().filter(|name| is_name(name)) {
            let row = format!("{GRANTS}{name}");
            let mut hosts = self.accounts.secret(&row).await?.map(|row| row.hosts).unwrap_or_default();
            hosts.push(format!("{host} {connector}"));
            self.put_tie(row, hosts).await?;
        }
        Ok(())
    }

    /// Forgets what a connector gave and owned, which is removed.
    pub(crate) async fn forget(&self, kind: DocumentKind, id: &str) -> Result<(), Problem> {
        let _one_at_a_time = self.ties.lock().await;
        if kind == DocumentKind::Connector {
            self.withdraw(id, |_| false).await?;
        }
        self.own_only(kind, id, &BTreeSet::new(), BTreeSet::new()).await
    }

    /// Records the secrets that were generated for a declaration, and removes those among the earlier ones that it no
    /// longer uses.
    pub(crate) async fn own(
        &self,
        kind: DocumentKind,
        id: &str,
        used: &BTreeSet<String>,
        new: BTreeSet<String>,
    ) -> Result<(), Problem> {
        let _one_at_a_time = self.ties.lock().await;
        self.own_only(kind, id, used, new).await
    }

    async fn own_only(
        &self,
        kind: DocumentKind,
        id: &str,
        used: &BTreeSet<String>,
        new: BTreeSet<String>,
    ) -> Result<(), Problem> {
        let row = format!("{OWNED}{}/{id}", kind.as_str());
        let before = self.accounts.secret(&row).await?.map(|row| row.hosts).unwrap_or_default();
        let mut owned = new;
        for name in before {
            if used.contains(&name) {
                owned.insert(name);
            } else if !owned.contains(&name) {
                self.accounts.remove_secret(&name).await?;
            }
        }
        if owned.is_empty() {
            self.accounts.remove_secret(&row).await?;
            return Ok(());
        }
        Ok(self.put_tie(row, owned.into_iter().collect()).await?)
    }

    /// Takes back the hosts that a connector gave, but those of the names to `keep`.
    async fn withdraw(&self, connector: &str, keep: impl Fn(&str) -> bool) -> Result<(), RecordError> {
        for row in self.accounts.secrets().await? {
            let Some(name) = row.name.strip_prefix(GRANTS).filter(|name| !keep(name)) else { continue };
            let is_anothers = |entry: &&String| entry.split_once(' ').is_none_or(|(_, giver)| giver != connector);
            let hosts: Vec<_> = row.hosts.iter().filter(is_anothers).cloned().collect();
            if hosts.is_empty() {
                self.accounts.remove_secret(&format!("{GRANTS}{name}")).await?;
            } else if hosts.len() < row.hosts.len() {
                self.put_tie(row.name, hosts).await?;
            }
        }
        Ok(())
    }

    /// The hosts that admins' connectors gave to a secret.
    pub(super) async fn granted(&self, name: &str) -> Result<Vec<String>, RecordError> {
        Ok(self.accounts.secret(&format!("{GRANTS}{name}")).await?.as_ref().map(hosts).unwrap_or_default())
    }

    async fn put_tie(&self, name: String, hosts: Vec<String>) -> Result<(), RecordError> {
        let updated_at = self.clock.now();
        self.accounts.put_secret(SecretRow { name, hosts, sealed: Vec::new(), updated_at }).await
    }
}

/// The same, out of all rows.
pub(super) fn granted(rows: &[SecretRow], name: &str) -> Vec<String> {
    rows.iter().find(|row| row.name.strip_prefix(GRANTS) == Some(name)).map(hosts).unwrap_or_default()
}

fn hosts(row: &SecretRow) -> Vec<String> {
    let hosts: Vec<_> = row.hosts.iter().filter_map(|entry| entry.split(' ').next()).map(str::to_owned).collect();
    let mut hosts = super::origins::shown(&hosts);
    hosts.sort();
    hosts.dedup();
    hosts
}
