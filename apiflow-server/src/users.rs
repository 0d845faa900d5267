//! Users: who is calling, passwords, tokens and sessions.
//!
//! Everyone with an account may use and edit connectors, nodes, workflows and jobs, but for those that refer to secrets
//! of others ([`crate::secrets`]); only admins manage other users and shared secrets.

pub(crate) mod accounts;
mod authentication;
pub mod bootstrap_admin;
mod caller;
pub mod cookies;
pub(crate) mod login;
pub(crate) mod passwords;
pub(crate) mod scoped_caller;
pub(crate) mod scopes;
pub(crate) mod throttle;
pub mod tokens;
pub(crate) mod usernames;
pub(crate) mod views;

pub(crate) use self::authentication::bearer_token;
pub(crate) use self::caller::{Admin, Caller};
pub(crate) use self::scoped_caller::ScopedCaller;
