//! Statements about the slots of attempts that both databases accept.

use apiflow_core::ports::{SlotWaiter, SubmitLimits};

use crate::job_rows::{duration_ms, from_int, to_int};

/// Number of slots that are given together.
pub(crate) const GRANT_PAGE_SIZE: u64 = 64;

/// The limits of a key.
pub(crate) const LIMITS: &str = "SELECT body FROM submit_limits WHERE key = $1";
pub(crate) const PUT_LIMITS: &str =
    "INSERT INTO submit_limits (key, body) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET body = excluded.body";
/// The state of the slot of the step `$2` of the job `$1`, if it has not ended.
pub(crate) const SLOT_STATE: &str =
    "SELECT state FROM submit_slots WHERE job_id = $1 AND step = $2 AND key = $3 AND state <> 'over'";
/// Whether what stands for a call has a slot.
pub(crate) const HOLDS_SLOT: &str = "SELECT EXISTS (SELECT 1 FROM submit_slots WHERE job_id = $1 AND state = 'held')";
/// Makes a step wait, if its job has not ended.
pub(crate) const ADD_WAITING: &str = concat!(
    "INSERT INTO submit_slots (job_id, step, key, user_id, state, message) \
     SELECT id, $2, $3, coalesce(created_by, ''), 'waiting', $4 FROM jobs WHERE id = $1 AND status NOT IN ",
    crate::sql::ended!()
);
/// Makes a call wait: it has no job, no message, and a lease (`$4`, in milliseconds).
macro_rules! add_waiting_call {
    ($now:expr) => {
        concat!(
            "INSERT INTO submit_slots (job_id, step, key, user_id, state, message, expires_at) \
             VALUES ($1, 0, $2, $3, 'waiting', '', ",
            $now,
            " + $4)"
        )
    };
}
pub(crate) use add_waiting_call;

/// Extends the lease of a call's slot by `$2` milliseconds from now.
macro_rules! renew_lease {
    ($now:expr) => {
        concat!("UPDATE submit_slots SET expires_at = ", $now, " + $2 WHERE job_id = $1 AND state <> 'over'")
    };
}
pub(crate) use renew_lease;

/// Ends the slot of a call.
macro_rules! end_call_slot {
    ($now:expr) => {
        concat!(
            "UPDATE submit_slots SET state = 'over', expires_at = NULL, look_at = ",
            $now,
            " WHERE job_id = $1 AND state <> 'over'"
        )
    };
}
pub(crate) use end_call_slot;

/// The waiting steps that get the next `$2` slots of a key, in their order.
pub(crate) const NEXT_WAITING: &str = "SELECT id, job_id, step, user_id, message FROM ( \
         SELECT slot.id, slot.job_id, slot.step, slot.user_id, slot.message, \
             coalesce(held.count, 0) + row_number() OVER (PARTITION BY slot.user_id ORDER BY slot.id) AS place, \
             coalesce(turn.served_at, 0) AS served \
         FROM submit_slots AS slot \
         LEFT JOIN (SELECT user_id, COUNT(*) AS count FROM submit_slots WHERE key = $1 AND state = 'held' \
             GROUP BY user_id) AS held ON held.user_id = slot.user_id \
         LEFT JOIN submit_turns AS turn ON turn.key = $1 AND turn.user_id = slot.user_id \
         WHERE slot.key = $1 AND slot.state = 'waiting') AS waiting \
     ORDER BY place, served, id LIMIT $2";
/// Notes that a user got a slot.
pub(crate) const NOTE_TURN: &str = "INSERT INTO submit_turns (key, user_id, served_at) \
     SELECT $1, $2, coalesce(MAX(served_at), 0) + 1 FROM submit_turns WHERE key = $1 \
     ON CONFLICT (key, user_id) DO UPDATE SET served_at = excluded.served_at";
/// Forgets a key that no slot belongs to.
pub(crate) const FORGET_TURNS: &str =
    "DELETE FROM submit_turns WHERE key = $1 AND NOT EXISTS (SELECT 1 FROM submit_slots WHERE key = $1)";
pub(crate) const FORGET_LIMITS: &str =
    "DELETE FROM submit_limits WHERE key = $1 AND NOT EXISTS (SELECT 1 FROM submit_slots WHERE key = $1)";

/// The keys whose free slots are to be given.
macro_rules! due_keys {
    ($now:expr) => {
        concat!(
            "SELECT key FROM submit_slots WHERE look_at <= ",
            $now,
            " UNION SELECT key FROM submit_slots WHERE expires_at <= ",
            $now,
            " LIMIT 64"
        )
    };
}
pub(crate) use due_keys;

/// Notes that a key was examined.
macro_rules! note_look {
    ($now:expr) => {
        concat!("UPDATE submit_slots SET look_at = NULL WHERE key = $1 AND look_at <= ", $now)
    };
}
pub(crate) use note_look;

/// Removes slots of a key that count no more (`$2`: its window, in milliseconds).
macro_rules! remove_over {
    ($now:expr) => {
        concat!("DELETE FROM submit_slots WHERE key = $1 AND state = 'over' AND coalesce(granted_at, 0) + $2 <= ", $now)
    };
}
pub(crate) use remove_over;

/// The number of held slots of a key, and of those that were given within its window (`$2`, in milliseconds).
macro_rules! counts {
    ($now:expr) => {
        concat!(
            "SELECT COUNT(*) FILTER (WHERE state = 'held'), COUNT(*) FILTER (WHERE granted_at + $2 > ",
            $now,
            ") FROM submit_slots WHERE key = $1"
        )
    };
}
pub(crate) use counts;

/// Gives the slot `$1`.
macro_rules! grant {
    ($now:expr) => {
        concat!("UPDATE submit_slots SET state = 'held', granted_at = ", $now, ", look_at = NULL WHERE id = $1")
    };
}
pub(crate) use grant;

/// Lets a waiting step of a key be looked at when the first grant of its window (`$2`, in milliseconds) counts no more.
macro_rules! look_later {
    ($now:expr) => {
        concat!(
            "UPDATE submit_slots SET look_at = (SELECT MIN(granted_at) + $2 FROM submit_slots WHERE key = $1 \
             AND granted_at + $2 > ",
            $now,
            ") WHERE id = (SELECT MIN(id) FROM submit_slots WHERE key = $1 AND state = 'waiting')"
        )
    };
}
pub(crate) use look_later;

/// `id`, `job_id`, `step`, `user_id` and `message` of a waiting step; the message of a call is empty.
pub(crate) type WaitingColumns = (i64, String, i64, String, String);

/// Returns the length of the window, in milliseconds; 0 if there is none.
pub(crate) fn window_ms(limits: &SubmitLimits) -> i64 {
    to_int(limits.window_ms().unwrap_or_default())
}

/// Returns how many more slots of a key may be given, if these have been ([`counts`]).
pub(crate) fn free_slots(limits: &SubmitLimits, (held, recent): (i64, i64)) -> i64 {
    to_int(limits.free_slots(from_int(held), from_int(recent)).min(GRANT_PAGE_SIZE))
}

/// Returns the key of the message that announces a slot.
pub(crate) fn message_key(id: i64, step: i64) -> String {
    format!("slot-{step}-{id}")
}

/// What a slot is requested for, as columns.
pub(crate) struct Waiter {
    /// The id of the job, or what stands for a call.
    pub(crate) owner: String,
    pub(crate) step: i64,
    pub(crate) kind: WaiterKind,
}

pub(crate) enum WaiterKind {
    /// A step, with the message for its job.
    Step { message: String },
    /// A call, with its user and the length of its lease, in milliseconds.
    Call { user: String, lease_ms: i64 },
}

impl Waiter {
    pub(crate) fn of_request(waiter: &SlotWaiter) -> Self {
        match waiter {
            SlotWaiter::Step { job, step, message } => {
                let kind = WaiterKind::Step { message: message.to_string() };
                Self { owner: job.clone(), step: to_int(*step), kind }
            }
            SlotWaiter::Call { id, user, lease } => {
                let kind = WaiterKind::Call { user: user.clone(), lease_ms: duration_ms(*lease) };
                Self { owner: owner_of_call(id), step: 0, kind }
            }
        }
    }
}

/// Returns what stands for a call in columns that name a job; no job has such an id.
pub(crate) fn owner_of_call(id: &str) -> String {
    format!("call/{id}")
}
