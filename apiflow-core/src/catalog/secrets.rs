//! Secret references and literal credentials in declarations.

use std::collections::BTreeSet;

use super::{Connector, Node};

/// A credential that stands in a declaration as it is, where a secret's name should.
#[derive(Clone, PartialEq, Eq)]
pub struct LiteralCredential {
    /// JSON Pointer of the header's value in the connector.
    pub pointer: String,
    /// What stands before it (`Bearer `, `Key `), so that the mended header is `{prefix}${name}`.
    pub prefix: String,
    /// The credential itself.
    pub value: String,
}

/// Finds credentials in auth-like headers that are no secret reference.
pub fn literal_credentials(_connector: &Connector) -> Vec<LiteralCredential> {
    unimplemented!()
}

impl Connector {
    /// Names of all secrets that its templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        unimplemented!()
    }
}

impl Node {
    /// Names of all secrets that its templates refer to.
    pub fn secret_names(&self) -> BTreeSet<String> {
        unimplemented!()
    }
}
