//! Slots of attempts on SQLite.

use apiflow_core::ports::{StoreError, SubmitLimits, SubmitSlotRequest, SubmitSlots};
use async_trait::async_trait;
use rusqlite::params;

use super::connection::Connection;
use super::creations::{Delivery, perform_delivery};
use super::errors::QueryError;
use super::{SqliteStore, now};
use crate::job_rows::{self, to_json_text};
use crate::submit_slots::{
    self, Waiter, WaiterKind, WaitingColumns, free_slots, message_key, owner_of_call, window_ms,
};

const IS_LOOK_DUE: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM submit_slots WHERE look_at <= ",
    now!(),
    ") OR EXISTS (SELECT 1 FROM submit_slots WHERE expires_at <= ",
    now!(),
    ")"
);
const ADD_WAITING_CALL: &str = submit_slots::add_waiting_call!(now!());
const RENEW_LEASE: &str = submit_slots::renew_lease!(now!());
const END_LOST: &str = concat!(
    "UPDATE submit_slots SET state = 'over', expires_at = NULL, look_at = ",
    now!(),
    " WHERE key = $1 AND expires_at <= ",
    now!()
);
const DUE_KEYS: &str = submit_slots::due_keys!(now!());
const NOTE_LOOK: &str = submit_slots::note_look!(now!());
const REMOVE_OVER: &str = submit_slots::remove_over!(now!());
const COUNTS: &str = submit_slots::counts!(now!());
const GRANT: &str = submit_slots::grant!(now!());
const LOOK_LATER: &str = submit_slots::look_later!(now!());
const LOOK_NOW: &str =
    concat!("UPDATE submit_slots SET look_at = ", now!(), " WHERE job_id = $1 AND step = $2 AND state = 'waiting'");

type Outcome<T> = Result<T, QueryError<StoreError>>;

#[async_trait]
impl SubmitSlots for SqliteStore {
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError> {
        self.write(move |connection| request_slot(connection, &request)).await
    }

    async fn holds_submit_slot(&self, call: &str) -> Result<bool, StoreError> {
        let owner = owner_of_call(call);
        let held = self.read(move |connection| Ok(connection.fetch_one(submit_slots::HOLDS_SLOT, params![owner])?));
        held.await.map(|(held,): (bool,)| held)
    }

    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError> {
        // Read first: an idle worker does not write.
        let (is_due,): (bool,) = self.read(|connection| Ok(connection.fetch_one(IS_LOOK_DUE, &[])?)).await?;
        if !is_due {
            return Ok(Vec::new());
        }
        self.write(|connection| {
            let keys: Vec<(String,)> = connection.fetch_all(DUE_KEYS, &[])?;
            let mut woken = Vec::new();
            for (key,) in keys {
                woken.extend(give_slots_of_key(connection, &key)?);
            }
            Ok(woken)
        })
        .await
    }
}

fn request_slot(connection: &Connection, request: &SubmitSlotRequest) -> Outcome<bool> {
    let SubmitSlotRequest { key, limits, waiter } = request;
    let Waiter { owner: job, step, kind } = Waiter::of_request(waiter);
    let window = window_ms(limits);
    if let WaiterKind::Call { lease_ms, .. } = &kind {
        connection.execute(RENEW_LEASE, params![job, lease_ms])?;
    }
    let state: Option<(String,)> = connection.fetch_optional(submit_slots::SLOT_STATE, params![job, step, key])?;
    if state.as_ref().is_some_and(|(state,)| state == "held") {
        return Ok(true);
    }
    connection.execute(submit_slots::PUT_LIMITS, params![key, to_json_text(limits)])?;
    if state.is_none() {
        match kind {
            WaiterKind::Step { message } => {
                connection.execute(submit_slots::ADD_WAITING, params![job, step, key, message])?
            }
            WaiterKind::Call { user, lease_ms } => {
                connection.execute(ADD_WAITING_CALL, params![job, key, user, lease_ms])?
            }
        };
    }
    let free = free_slots(limits, connection.fetch_one(COUNTS, params![key, window])?);
    if free > 0 {
        let next: Option<WaitingColumns> = connection.fetch_optional(submit_slots::NEXT_WAITING, params![key, 1])?;
        if let Some((id, _, _, user, _)) = next.filter(|(_, owner, place, ..)| (owner, *place) == (&job, step)) {
            grant_slot(connection, key, id, &user)?;
            return Ok(true);
        }
        connection.execute(LOOK_NOW, params![job, step])?;
    } else if window > 0 {
        connection.execute(LOOK_LATER, params![key, window])?;
    }
    Ok(false)
}

fn grant_slot(connection: &Connection, key: &str, id: i64, user: &str) -> rusqlite::Result<()> {
    connection.execute(GRANT, params![id])?;
    connection.execute(submit_slots::NOTE_TURN, params![key, user]).map(drop)
}

/// Gives the free slots of a key; returns the jobs that got a message.
fn give_slots_of_key(connection: &Connection, key: &str) -> Outcome<Vec<String>> {
    let limits: Option<(String,)> = connection.fetch_optional(submit_slots::LIMITS, params![key])?;
    let limits: SubmitLimits = limits.map(|(body,)| job_rows::parse_json(&body)).transpose()?.unwrap_or_default();
    let window = window_ms(&limits);
    connection.execute(END_LOST, params![key])?;
    connection.execute(NOTE_LOOK, params![key])?;
    connection.execute(REMOVE_OVER, params![key, window])?;
    let mut woken = Vec::new();
    loop {
        let free = free_slots(&limits, connection.fetch_one(COUNTS, params![key, window])?);
        let next: Vec<WaitingColumns> = connection.fetch_all(submit_slots::NEXT_WAITING, params![key, free])?;
        if next.is_empty() {
            break;
        }
        for (id, job, step, user, payload) in next {
            grant_slot(connection, key, id, &user)?;
            if payload.is_empty() {
                // A call asks by itself.
                continue;
            }
            let delivery = Delivery { job, key: message_key(id, step), payload, finished_poll: None };
            perform_delivery(connection, &delivery)?;
            woken.push(delivery.job);
        }
    }
    if window > 0 {
        connection.execute(LOOK_LATER, params![key, window])?;
    }
    connection.execute(submit_slots::FORGET_TURNS, params![key])?;
    connection.execute(submit_slots::FORGET_LIMITS, params![key])?;
    Ok(woken)
}
