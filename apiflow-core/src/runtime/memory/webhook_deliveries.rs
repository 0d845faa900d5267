//! Announcements of the memory store.

use std::collections::BTreeMap;

use crate::ports::{
    AfterTry, Announcement, DeliveryState, DeliveryTry, DueDeliveries, JobWebhook, Timestamp, WebhookDelivery,
    webhook_message_id,
};

/// Where jobs are announced, and the messages about them.
#[derive(Default)]
pub(super) struct WebhookTable {
    webhooks: BTreeMap<String, JobWebhook>,
    /// The deliveries by their ids.
    deliveries: BTreeMap<String, Queued>,
}

struct Queued {
    delivery: WebhookDelivery,
    /// When it may be taken: when it is due, or the end of the lease of whoever took it.
    ready_at: Option<Timestamp>,
}

impl WebhookTable {
    pub(super) fn add_webhook(&mut self, job: &str, webhook: Option<JobWebhook>) {
        if let Some(webhook) = webhook {
            self.webhooks.insert(job.to_owned(), webhook);
        }
    }

    pub(super) fn find_webhook(&self, job: &str) -> Option<JobWebhook> {
        self.webhooks.get(job).cloned()
    }

    /// Adds messages about a job that are not known yet.
    pub(super) fn announce(&mut self, job: &str, announced: Vec<Announcement>, at: Timestamp, now: Timestamp) {
        let Some(webhook) = self.webhooks.get(job) else { return };
        for Announcement { key, event, step } in announced {
            if !webhook.events.contains(&event) {
                continue;
            }
            let id = webhook_message_id(job, &key);
            self.deliveries.entry(id.clone()).or_insert_with(|| Queued {
                delivery: WebhookDelivery {
                    id,
                    job: job.to_owned(),
                    event,
                    step,
                    at,
                    url: webhook.url.clone(),
                    host: webhook.host.clone(),
                    signer: webhook.signer.clone(),
                    state: DeliveryState::Pending,
                    queued_at: now,
                    earlier_tries: 0,
                    tries: 0,
                    due_at: Some(now),
                    last_try: None,
                },
                ready_at: Some(now),
            });
        }
    }

    pub(super) fn list_deliveries(&self, job: &str, limit: u32) -> Vec<WebhookDelivery> {
        let mut found: Vec<WebhookDelivery> =
            self.deliveries.values().map(|queued| &queued.delivery).filter(|row| row.job == job).cloned().collect();
        found.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        found.truncate(limit as usize);
        found
    }

    pub(super) fn take_due(
        &mut self,
        wanted: &DueDeliveries,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<WebhookDelivery> {
        let mut due: Vec<(Timestamp, &WebhookDelivery)> = self
            .deliveries
            .values()
            .filter_map(|queued| Some((queued.ready_at.filter(|at| *at <= now)?, &queued.delivery)))
            .filter(|(_, row)| !wanted.busy_hosts.contains(&row.host) && !wanted.busy_users.contains(&row.signer))
            .collect();
        due.sort_by(|one, other| (one.0, &one.1.id).cmp(&(other.0, &other.1.id)));
        let mut in_lane: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let mut turns: Vec<(u32, Timestamp, &WebhookDelivery)> =
            due.into_iter().map(|(at, row)| (count_up(&mut in_lane, (&row.signer, &row.host)), at, row)).collect();
        turns.sort_by(|one, other| (one.0, one.1, &one.2.id).cmp(&(other.0, other.1, &other.2.id)));
        let (mut in_host, mut of_user) = (BTreeMap::new(), BTreeMap::new());
        turns.retain(|(.., row)| count_up(&mut in_host, &row.host) <= wanted.per_host);
        let mut turns: Vec<_> =
            turns.into_iter().map(|(_, at, row)| (count_up(&mut of_user, &row.signer), at, row.id.clone())).collect();
        turns.retain(|(turn, ..)| *turn <= wanted.per_user);
        turns.sort();
        turns.truncate(wanted.limit as usize);
        turns.into_iter().filter_map(|(.., id)| self.take(&id, until)).collect()
    }

    fn take(&mut self, id: &str, until: Timestamp) -> Option<WebhookDelivery> {
        let queued = self.deliveries.get_mut(id)?;
        queued.ready_at = Some(until);
        queued.delivery.tries += 1;
        Some(queued.delivery.clone())
    }

    pub(super) fn record_try(
        &mut self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        (next, now): (AfterTry, Timestamp),
    ) -> bool {
        let is_last =
            |queued: &&mut Queued| queued.delivery.tries == tries && queued.delivery.state == DeliveryState::Pending;
        let Some(queued) = self.deliveries.get_mut(id).filter(is_last) else { return false };
        let (state, due_at) = match next {
            AfterTry::Delivered => (DeliveryState::Delivered, None),
            AfterTry::GiveUp => (DeliveryState::Failed, None),
            AfterTry::Retry(delay) => {
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                (DeliveryState::Pending, Some(now.plus_ms(delay_ms)))
            }
        };
        queued.ready_at = due_at;
        let delivery = &mut queued.delivery;
        (delivery.state, delivery.due_at, delivery.last_try) = (state, due_at, Some(outcome));
        true
    }

    pub(super) fn resend(&mut self, job: &str, id: &str, now: Timestamp) -> bool {
        let Some(queued) = self.deliveries.get_mut(id).filter(|queued| queued.delivery.job == job) else {
            return false;
        };
        queued.ready_at = Some(now);
        let delivery = &mut queued.delivery;
        (delivery.state, delivery.due_at, delivery.queued_at) = (DeliveryState::Pending, Some(now), now);
        delivery.earlier_tries = delivery.tries;
        true
    }

    pub(super) fn count_pending(&self) -> u64 {
        self.deliveries.values().filter(|queued| queued.ready_at.is_some()).count() as u64
    }

    pub(super) fn delete_job(&mut self, job: &str) {
        self.webhooks.remove(job);
        self.deliveries.retain(|_, queued| queued.delivery.job != job);
    }
}

/// Adds one to a count, and returns it.
fn count_up<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> u32 {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count
}
