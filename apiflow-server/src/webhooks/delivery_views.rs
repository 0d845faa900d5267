//! Deliveries as the API shows them.

use apiflow_core::ports::{JobRow, Timestamp, WebhookDelivery};

use crate::api::{WebhookDeliveryInfo, WebhookTry};
use crate::users::Caller;

/// Whether a caller may send a message about a job again, and see where it is sent: its signer, the job's creator and
/// admins. The URL of a receiver may contain credentials.
pub(crate) fn may_manage_delivery(caller: &Caller, job: &JobRow, delivery: &WebhookDelivery) -> bool {
    let user = &caller.user;
    user.is_admin || user.id == delivery.signer || job.created_by.as_ref() == Some(&user.id)
}

/// Returns a delivery as a caller may see it: others see only the origin of its URL.
pub(crate) fn delivery_view(delivery: WebhookDelivery, shows_url: bool) -> WebhookDeliveryInfo {
    let WebhookDelivery { id, event, step, at, url, host, state, tries, due_at, last_try, .. } = delivery;
    let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
    let url = if shows_url { url } else { format!("{scheme}://{host}/…") };
    WebhookDeliveryInfo {
        id,
        event,
        step,
        url,
        state,
        tries,
        created_at: at.to_rfc3339(),
        next_try_at: due_at.map(Timestamp::to_rfc3339),
        last_try: last_try.map(|last| WebhookTry {
            at: last.at.to_rfc3339(),
            status: last.status,
            error: last.error,
            reply: last.reply.filter(|_| shows_url),
        }),
    }
}
