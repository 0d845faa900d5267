//! Credentials that people write into a connector itself.

use apiflow_core::catalog::{Connector, literal_credentials};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{SecretBook, host_of};
use crate::auth::token::hex;
use crate::problem::Problem;

/// Credentials that were taken out of a connector. Has no `Debug`: it holds them.
pub(crate) struct Literals {
    host: String,
    values: Vec<(String, String)>,
}

/// Takes the literal credentials out of a connector; `body` is its JSON, whose headers then name generated secrets.
pub(crate) fn take_literals(connector: &Connector, body: &mut Value) -> Result<Literals, Problem> {
    let host = host_of(&connector.base_url)
        .ok_or_else(|| Problem::fault("/base_url", "base_url must be an absolute http or https URL"))?;
    let mut values = Vec::new();
    for literal in literal_credentials(connector) {
        let name = name(&connector.id, &literal.pointer);
        let place = body
            .pointer_mut(&literal.pointer)
            .ok_or_else(|| Problem::internal(format!("no header at {}", literal.pointer)))?;
        *place = Value::String(format!("{}${name}", literal.prefix));
        values.push((name, literal.value));
    }
    Ok(Literals { host, values })
}

impl Literals {
    /// Keeps the credentials as secrets that may go to the connector's host alone.
    pub(crate) async fn keep(self, book: &SecretBook) -> Result<(), Problem> {
        for (name, value) in self.values {
            book.keep_literal(&name, &value, self.host.clone()).await?;
        }
        Ok(())
    }
}

/// The generated secret of a header: the same for the same connector and header, so that writing it again replaces
/// it; the hash keeps it apart from names that people choose.
fn name(connector: &str, pointer: &str) -> String {
    let header = pointer.rsplit('/').next().unwrap_or_default();
    let plain = |text: &str| -> String {
        let letters = text.chars().take(40);
        letters.map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
    };
    let digest = hex(&Sha256::digest(format!("{connector}\n{pointer}").as_bytes()));
    format!("CONNECTOR_{}_{}_{}", plain(connector), plain(header), digest[..8].to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_apart() {
        let first = name("replicate", "/header/Authorization");
        assert_eq!(first, name("replicate", "/header/Authorization"));
        assert!(first.starts_with("CONNECTOR_REPLICATE_AUTHORIZATION_"), "{first}");
        assert!(crate::secrets::is_name(&first));
        assert_ne!(name("a.b", "/header/x-key"), name("a_b", "/header/x-key"));
    }
}
