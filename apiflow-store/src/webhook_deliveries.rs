//! Statements and conversions of webhooks and deliveries, for both databases.

use apiflow_core::ports::{
    AfterTry, DeliveryState, DeliveryTry, JobWebhook, StoreError, Timestamp, WebhookDelivery, WebhookEvent,
};

use crate::job_rows::{backend_error, duration_ms, from_int, parse_json, to_json_text};

/// The columns of [`DeliveryColumns`].
macro_rules! delivery_columns {
    () => {
        "id, job_id, event, step, at, url, host, signer, state, queued_at, earlier_tries, tries, due_at, last_try"
    };
}
pub(crate) use delivery_columns;

/// The lanes with messages that are still to be delivered, then a null. Takes one index lookup per lane.
macro_rules! lanes {
    () => {
        "lane (name) AS (SELECT (SELECT MIN(lane) FROM webhook_deliveries WHERE ready_at IS NOT NULL) \
         UNION ALL SELECT (SELECT MIN(lane) FROM webhook_deliveries \
             WHERE ready_at IS NOT NULL AND webhook_deliveries.lane > lane.name) \
             FROM lane WHERE lane.name IS NOT NULL)"
    };
}
pub(crate) use lanes;

/// Chooses among the candidates `found (id, host, signer, ready_at, in_lane)`: `$1` in all, `$2` per host, `$3` per user.
macro_rules! chosen {
    () => {
        "host_turn AS (SELECT id, signer, ready_at, \
             row_number() OVER (PARTITION BY host ORDER BY in_lane, ready_at, id) AS in_host FROM found), \
         user_turn AS (SELECT id, ready_at, \
             row_number() OVER (PARTITION BY signer ORDER BY ready_at, id) AS of_user FROM host_turn \
             WHERE in_host <= $2), \
         chosen AS (SELECT id FROM user_turn WHERE of_user <= $3 ORDER BY of_user, ready_at, id LIMIT $1)"
    };
}
pub(crate) use chosen;

/// Records the outcome `$3` of try `$2` of a delivery: its state is `$4` then, and it is due after `$5` milliseconds.
macro_rules! record_try {
    ($now:expr) => {
        concat!(
            "UPDATE webhook_deliveries SET last_try = $3, state = $4, due_at = ",
            $now,
            " + $5, ready_at = ",
            $now,
            " + $5 WHERE id = $1 AND tries = $2 AND state = 'pending'"
        )
    };
}
pub(crate) use record_try;

/// Queues a message again.
macro_rules! resend {
    ($now:expr) => {
        concat!(
            "UPDATE webhook_deliveries SET state = 'pending', earlier_tries = tries, queued_at = ",
            $now,
            ", due_at = ",
            $now,
            ", ready_at = ",
            $now,
            " WHERE id = $2 AND job_id = $1"
        )
    };
}
pub(crate) use resend;

pub(crate) const JOB_WEBHOOK: &str = "SELECT url, host, events, signer FROM job_webhooks WHERE job_id = $1";
pub(crate) const DELIVERIES: &str =
    concat!("SELECT ", delivery_columns!(), " FROM webhook_deliveries WHERE job_id = $1 ORDER BY at, id LIMIT $2");
pub(crate) const COUNT_PENDING: &str = "SELECT COUNT(*) FROM webhook_deliveries WHERE ready_at IS NOT NULL";
pub(crate) const SECRET_GENERATION: &str = "SELECT generation, rotated_at FROM webhook_secrets WHERE user_id = $1";
/// The first generation has no row.
pub(crate) const ROTATE_SECRET: &str = "INSERT INTO webhook_secrets (user_id, generation, rotated_at) \
     VALUES ($1, 2, $2) ON CONFLICT (user_id) DO UPDATE SET generation = webhook_secrets.generation + 1, \
     rotated_at = excluded.rotated_at RETURNING generation, rotated_at";

/// A delivery: the columns of [`delivery_columns`].
pub(crate) type DeliveryColumns = (
    String,
    String,
    String,
    Option<i64>,
    i64,
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<String>,
);

/// Converts a delivery.
pub(crate) fn delivery(columns: DeliveryColumns) -> Result<WebhookDelivery, StoreError> {
    let (id, job, event, step, at, url, host, signer, state, queued_at, earlier_tries, tries, due_at, last_try) =
        columns;
    Ok(WebhookDelivery {
        event: parse_event(&event)?,
        step: step.map(from_int),
        at: Timestamp(at),
        state: DeliveryState::parse(&state).ok_or_else(|| backend_error(format!("delivery `{id}` is `{state}`")))?,
        queued_at: Timestamp(queued_at),
        earlier_tries: u32::try_from(earlier_tries).unwrap_or(u32::MAX),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        due_at: due_at.map(Timestamp),
        last_try: last_try.as_deref().map(parse_json::<DeliveryTry>).transpose()?,
        id,
        job,
        url,
        host,
        signer,
    })
}

fn parse_event(word: &str) -> Result<WebhookEvent, StoreError> {
    WebhookEvent::parse(word).ok_or_else(|| backend_error(format!("`{word}` is no event of a webhook")))
}

/// Converts `url`, `host`, `events` and `signer` of a webhook.
pub(crate) fn job_webhook(columns: (String, String, String, String)) -> Result<JobWebhook, StoreError> {
    let (url, host, events, signer) = columns;
    let events = events.split_ascii_whitespace().map(parse_event).collect::<Result<_, _>>()?;
    Ok(JobWebhook { url, host, events, signer })
}

/// Returns the events of a webhook as they are stored: each between spaces.
pub(crate) fn events_text(events: &[WebhookEvent]) -> String {
    events.iter().fold(" ".to_owned(), |text, event| text + event.as_str() + " ")
}

/// The outcome of a try, the state that follows, and the time until the next try in milliseconds.
pub(crate) fn try_values(outcome: &DeliveryTry, next: AfterTry) -> (String, &'static str, Option<i64>) {
    let (state, delay) = match next {
        AfterTry::Delivered => (DeliveryState::Delivered, None),
        AfterTry::GiveUp => (DeliveryState::Failed, None),
        AfterTry::Retry(delay) => (DeliveryState::Pending, Some(duration_ms(delay))),
    };
    (to_json_text(outcome), state.as_str(), delay)
}
