//! Provider keys from the environment, or given by the program.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::ports::{Secret, Secrets};

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Environment variables that the operator listed as secrets. Read when asked for, so that none lies in memory twice.
pub struct EnvSecrets {
    hosts: BTreeMap<String, Vec<String>>,
    lookup: Box<Lookup>,
}

impl EnvSecrets {
    /// Reads a list such as `REPLICATE_API_TOKEN,FAL_KEY@queue.fal.run`: names by commas, each with the one host
    /// (`host[:port]`) that it may go to, if any; a name with several hosts is listed several times. `lookup` gives
    /// a variable's value.
    ///
    /// # Errors
    /// Says which entry is not a name or has an empty host.
    pub fn from_list(
        list: &str,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, host) = match entry.split_once('@') {
                Some((name, host)) => (name, Some(host)),
                None => (entry, None),
            };
            if !is_name(name) {
                return Err(format!("`{name}` is not a name of an environment variable; write `NAME` or `NAME@host`"));
            }
            if host.is_some_and(|host| host.is_empty() || host.contains(['@', '/', ' '])) {
                return Err(format!("`{entry}` names no host; write `NAME@host` or `NAME@host:port`"));
            }
            let known = hosts.entry(name.to_owned()).or_default();
            known.extend(host.map(str::to_ascii_lowercase));
        }
        Ok(Self { hosts, lookup: Box::new(lookup) })
    }

    /// The listed names, in order, with their hosts.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.hosts.iter().map(|(name, hosts)| (name.as_str(), hosts.as_slice()))
    }
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EnvSecrets").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[async_trait]
impl Secrets for EnvSecrets {
    async fn get(&self, name: &str) -> Result<Option<Secret>, String> {
        let Some(hosts) = self.hosts.get(name) else { return Ok(None) };
        // An empty variable is how shells and compose files say "not set".
        let value = (self.lookup)(name).filter(|value| !value.is_empty());
        Ok(value.map(|value| Secret { value, hosts: hosts.clone() }))
    }
}

/// Secrets that the embedding program gives.
#[derive(Debug, Clone, Default)]
pub struct StaticSecrets(BTreeMap<String, Secret>);

impl StaticSecrets {
    /// No secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more; `hosts` empty: the credential hosts of each request.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        self.0.insert(name.into(), Secret { value: value.into(), hosts });
        self
    }
}

#[async_trait]
impl Secrets for StaticSecrets {
    async fn get(&self, name: &str) -> Result<Option<Secret>, String> {
        Ok(self.0.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "TOKEN" => "t0ken",
            "KEY" => "k3y",
            "EMPTY" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    async fn check(list: &str, name: &str, expected: Option<(&str, &[&str])>) {
        let secrets = EnvSecrets::from_list(list, environment).expect("the list is well formed");
        let secret = secrets.get(name).await.expect("the environment can be read");
        let found = secret.map(|secret| (secret.value, secret.hosts));
        let expected = expected
            .map(|(value, hosts)| (value.to_owned(), hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()));
        assert_eq!(found, expected, "{list}: {name}");
    }

    #[tokio::test]
    async fn only_listed_variables_are_secrets() {
        check("TOKEN", "TOKEN", Some(("t0ken", &[]))).await;
        check("TOKEN", "KEY", None).await;
        check("", "TOKEN", None).await;
        check(" TOKEN , KEY@API.example ,", "KEY", Some(("k3y", &["api.example"]))).await;
        check("KEY@a.example,KEY@b.example:8443", "KEY", Some(("k3y", &["a.example", "b.example:8443"]))).await;
        check("EMPTY,ABSENT", "EMPTY", None).await;
        check("EMPTY,ABSENT", "ABSENT", None).await;
    }

    #[test]
    fn a_wrong_list_names_the_entry() {
        for (list, culprit) in [("9LIVES", "9LIVES"), ("A B", "A B"), ("TOKEN@", "TOKEN@"), ("T@https://x", "https")] {
            let error = EnvSecrets::from_list(list, environment).expect_err("the list is wrong");
            assert!(error.contains(culprit), "{error}");
        }
    }

    #[tokio::test]
    async fn no_debug_output_shows_a_value() {
        let given = StaticSecrets::new().with("TOKEN", "t0ken", &["a.example"]);
        let listed = EnvSecrets::from_list("TOKEN", environment).expect("the list is well formed");
        let secret = given.get("TOKEN").await;
        for text in [format!("{given:?}"), format!("{listed:?}"), format!("{secret:?}")] {
            assert!(text.contains("TOKEN") || text.contains("a.example"), "{text}");
            assert!(!text.contains("t0ken"), "{text}");
        }
    }
}
