//! Secrets from the environment, or provided by the program.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::origin::{Origin, SecretOrigin};
use crate::ports::{Secret, Secrets};

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Environment variables that the operator listed as secrets. Read on demand, so that memory holds no second copy.
pub struct EnvSecrets {
    origins: BTreeMap<String, Vec<SecretOrigin>>,
    lookup: Box<Lookup>,
}

impl EnvSecrets {
    /// Parses a list such as `REPLICATE_API_TOKEN,FAL_KEY@https://queue.fal.run`: comma-separated names, each with at
    /// most one origin that it may be sent to, also in its short form ([`SecretOrigin`]); a name with several origins
    /// is listed several times. `lookup` returns a variable's value.
    ///
    /// # Errors
    /// Which entry is not a name or has no origin after its `@`.
    pub fn from_list(
        list: &str,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let mut origins: BTreeMap<String, Vec<SecretOrigin>> = BTreeMap::new();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, origin) = match entry.split_once('@') {
                Some((name, origin)) => (name, Some(origin)),
                None => (entry, None),
            };
            if !is_name(name) {
                return Err(format!(
                    "`{name}` is not the name of an environment variable: write `NAME` or \
                     `NAME@https://api.example.com`"
                ));
            }
            let origin = origin.map(str::parse::<SecretOrigin>).transpose();
            let origin = origin.map_err(|error| format!("`{entry}`: {error}"))?;
            origins.entry(name.to_owned()).or_default().extend(origin);
        }
        Ok(Self { origins, lookup: Box::new(lookup) })
    }

    /// Returns the listed names, in order, with their origins.
    pub fn listed_names(&self) -> impl Iterator<Item = (&str, &[SecretOrigin])> {
        self.origins.iter().map(|(name, origins)| (name.as_str(), origins.as_slice()))
    }
}

/// Returns whether a secret may be sent to an origin; one without a list, to that of any connector that refers to it.
fn may_go_to(origins: Option<&[SecretOrigin]>, origin: &Origin) -> bool {
    origins.is_none_or(|origins| origins.iter().any(|permitted| permitted.permits_origin(origin)))
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EnvSecrets").field("origins", &self.origins).finish_non_exhaustive()
    }
}

#[async_trait]
impl Secrets for EnvSecrets {
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String> {
        let Some(origins) = self.origins.get(reference) else { return Ok(None) };
        // Shells and compose files set a variable to the empty string to unset it.
        let value = (self.lookup)(reference).filter(|value| !value.is_empty());
        let origins = (!origins.is_empty()).then(|| origins.clone());
        Ok(value.map(|value| Secret { value, origins }))
    }

    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        let permitted =
            self.origins.iter().filter(|(_, origins)| origins.is_empty() || may_go_to(Some(origins), origin));
        let values = permitted.filter_map(|(name, _)| Some((name.clone(), (self.lookup)(name)?)));
        Ok(values.filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// Secrets that the embedding program provides.
#[derive(Debug, Clone, Default)]
pub struct StaticSecrets(BTreeMap<String, Secret>);

impl StaticSecrets {
    /// Creates an empty set of secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret. If `origins` is empty, it may be sent to the origins of the connector of each request.
    ///
    /// # Panics
    /// If an entry is not a valid [`SecretOrigin`].
    #[must_use]
    pub fn with_secret(mut self, name: impl Into<String>, value: impl Into<String>, origins: &[&str]) -> Self {
        let parse = |entry: &&str| entry.parse().unwrap_or_else(|error| panic!("{error}"));
        let origins = (!origins.is_empty()).then(|| origins.iter().map(parse).collect());
        self.0.insert(name.into(), Secret { value: value.into(), origins });
        self
    }
}

#[async_trait]
impl Secrets for StaticSecrets {
    async fn get(&self, reference: &str) -> Result<Option<Secret>, String> {
        Ok(self.0.get(reference).cloned())
    }

    async fn at_origin(&self, origin: &Origin) -> Result<Vec<(String, String)>, String> {
        let permitted = self.0.iter().filter(|(_, secret)| may_go_to(secret.origins.as_deref(), origin));
        Ok(permitted.map(|(name, secret)| (name.clone(), secret.value.clone())).collect())
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
        let shown = |origins: Vec<SecretOrigin>| origins.iter().map(SecretOrigin::to_string).collect::<Vec<_>>();
        let found = secret.map(|secret| (secret.value, secret.origins.map(shown).unwrap_or_default()));
        let expected = expected.map(|(value, origins)| {
            (value.to_owned(), origins.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(found, expected, "{list}: {name}");
    }

    #[tokio::test]
    async fn only_listed_variables_are_secrets() {
        check("TOKEN", "TOKEN", Some(("t0ken", &[]))).await;
        check("TOKEN", "KEY", None).await;
        check("", "TOKEN", None).await;
        check(" TOKEN , KEY@API.example ,", "KEY", Some(("k3y", &["https://api.example"]))).await;
        let list = "KEY@https://a.example,KEY@b.example:8443,KEY@http://c:81,KEY@127.0.0.1:4010";
        let origins = ["https://a.example", "https://b.example:8443", "http://c:81", "127.0.0.1:4010"];
        check(list, "KEY", Some(("k3y", &origins))).await;
        check("EMPTY,ABSENT", "EMPTY", None).await;
        check("EMPTY,ABSENT", "ABSENT", None).await;
    }

    #[test]
    fn a_wrong_list_names_the_entry() {
        for (list, culprit) in [
            ("9LIVES", "9LIVES"),
            ("A B", "A B"),
            ("TOKEN@", "TOKEN@"),
            ("T@ftp://x", "ftp"),
            ("T@https://x/v1", "https://x/v1"),
            ("T@*.example", "without `*`"),
        ] {
            let error = EnvSecrets::from_list(list, environment).expect_err("the list is wrong");
            assert!(error.contains(culprit), "{error}");
        }
    }

    #[tokio::test]
    async fn no_debug_output_shows_a_value() {
        let given = StaticSecrets::new().with_secret("TOKEN", "t0ken", &["a.example"]);
        let listed = EnvSecrets::from_list("TOKEN", environment).expect("the list is well formed");
        let secret = given.get("TOKEN").await;
        for text in [format!("{given:?}"), format!("{listed:?}"), format!("{secret:?}")] {
            assert!(text.contains("TOKEN") || text.contains("a.example"), "{text}");
            assert!(!text.contains("t0ken"), "{text}");
        }
    }
}
