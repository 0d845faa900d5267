//! Links that expired are replaced by asking for the work again: many providers sign them anew.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Download;
use crate::call::{CallPlan, MediaLink, Operation, PendingDownloads, ReplyReading};
use crate::ports::{HttpReply, HttpRequest};
use crate::runtime::provider::attempt_exchange::{display_reply, note_link_expiry};

/// The newest links of a result.
pub(super) struct FreshLinks {
    plan: Arc<CallPlan>,
    operation: Operation,
    newest: Mutex<Newest>,
}

#[derive(Default)]
struct Newest {
    /// How often the links were replaced.
    generation: u32,
    /// The links of the last reply; empty as long as those of the result are valid.
    media: Vec<MediaLink>,
}

impl FreshLinks {
    pub(super) fn new(plan: Arc<CallPlan>, operation: Operation) -> Self {
        Self { plan, operation, newest: Mutex::default() }
    }

    /// Returns the newest link of a file, and its generation.
    pub(super) async fn link_of(&self, media: &MediaLink) -> (MediaLink, u32) {
        let newest = self.newest.lock().await;
        let fresh = newest.media.iter().find(|fresh| fresh.pointer == media.pointer);
        (fresh.unwrap_or(media).clone(), newest.generation)
    }

    /// Asks for the work again, unless that has happened since `generation`. If it fails, the known links are tried
    /// again.
    pub(super) async fn refresh(&self, download: &Download<'_>, generation: u32) {
        if !self.plan.can_ask_again(&self.operation) {
            return;
        }
        let mut newest = self.newest.lock().await;
        if newest.generation != generation {
            return;
        }
        if let Some(PendingDownloads { media, .. }) = self.ask(download).await {
            *newest = Newest { generation: generation + 1, media };
        }
    }

    async fn ask(&self, download: &Download<'_>) -> Option<PendingDownloads> {
        let reply = send(download, &self.plan.poll_request(&self.operation).ok()?).await?;
        let (plan, operation) = (Arc::clone(&self.plan), self.operation.clone());
        let mut reading = download.caller.read(reply, move |reply| plan.read_poll(&operation, reply)).await;
        if let ReplyReading::Fetch(operation) = reading {
            let reply = send(download, &self.plan.result_request(&operation).ok()?).await?;
            let plan = Arc::clone(&self.plan);
            reading = download.caller.read(reply, move |reply| plan.read_result(&operation, reply)).await;
        }
        if let ReplyReading::Download(mut operation) = reading {
            note_link_expiry(operation.downloads.as_deref_mut(), download.caller.now());
            operation.downloads.map(|downloads| *downloads)
        } else {
            None
        }
    }
}

async fn send(download: &Download<'_>, request: &HttpRequest) -> Option<HttpReply> {
    let at = download.caller.now();
    let masked = download.caller.with_masked_address(download.call, request);
    let reply = download.caller.http.send(&masked).await.ok()?;
    download.record(request, at, display_reply(&reply));
    Some(reply)
}
