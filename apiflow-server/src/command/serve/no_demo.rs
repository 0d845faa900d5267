//! Stands for the demo in a program that was built without it.

use std::net::SocketAddr;

use crate::settings::Settings;
use crate::state::AppState;

/// A demo, which does not exist here.
pub(super) enum Demo {}

impl Demo {
    /// Refuses to start.
    #[expect(clippy::unused_async, reason = "as the demo has it")]
    pub(super) async fn prepare(_settings: &mut Settings) -> Result<Self, String> {
        Err("--demo: this program was built without the cargo feature `demo`; build it with `--features demo`"
            .to_owned())
    }

    #[expect(clippy::unused_async, reason = "as the demo has it")]
    pub(super) async fn add_documents(&self, _state: &AppState) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn describe(&self, _address: &SocketAddr, _settings: &Settings) -> String {
        match *self {}
    }
}
