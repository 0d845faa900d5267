//! Notifications within this process: which jobs changed, and which have messages. They are hints, since the store is
//! authoritative: losing one only costs time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast};

use super::due_times::{AT_ONCE, DueKind, DueTimes};
use super::job_ends::JobEnds;
use crate::ports::Timestamp;

/// Notifications within this process.
pub(super) struct Notifier {
    changes: broadcast::Sender<Change>,
    /// The jobs whose ends are waited for.
    pub(super) ends: Arc<JobEnds>,
    /// When something is due, as far as this process knows.
    pub(super) due: DueTimes,
    work: Notify,
    stop: tokio::sync::watch::Sender<bool>,
    /// The jobs that this process drives, with the means to notify their drives of messages and lost leases.
    drives: Mutex<BTreeMap<String, Arc<Mailbox>>>,
}

/// A notification of a change of a job.
#[derive(Clone)]
struct Change {
    job: Arc<str>,
    /// Whether the job may have ended.
    over: bool,
}

/// Notifies a drive of messages and of a lost lease.
#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) changed: Notify,
    has_mail: AtomicBool,
    lost: AtomicBool,
}

impl Mailbox {
    /// Notifies the drive that messages are waiting.
    fn notify_mail(&self) {
        self.has_mail.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Returns whether messages have arrived since the last call.
    pub(super) fn take_mail_flag(&self) -> bool {
        self.has_mail.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    fn mark_lost(&self) {
        self.lost.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// The registration of a drive in this process.
pub(super) struct RegisteredDrive<'a> {
    notifier: &'a Notifier,
    job: String,
    mailbox: Arc<Mailbox>,
}

impl RegisteredDrive<'_> {
    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }
}

impl Drop for RegisteredDrive<'_> {
    fn drop(&mut self) {
        let mut drives = self.notifier.lock_mailboxes();
        if drives.get(&self.job).is_some_and(|held| Arc::ptr_eq(held, &self.mailbox)) {
            drives.remove(&self.job);
        }
    }
}

impl Notifier {
    pub(super) fn new() -> Self {
        Self {
            changes: broadcast::Sender::new(1024),
            ends: Arc::default(),
            due: DueTimes::default(),
            work: Notify::new(),
            stop: tokio::sync::watch::Sender::new(false),
            drives: Mutex::default(),
        }
    }

    /// Notifies that a job has new events, and whether it may have ended.
    pub(super) fn notify_change(&self, job: &str, over: bool) {
        // There may be no watcher.
        let _unwatched = self.changes.send(Change { job: Arc::from(job), over });
    }

    /// Notifies that a job may be due.
    pub(super) fn notify_work(&self) {
        self.notify_due(DueKind::Jobs, AT_ONCE);
    }

    /// Notifies that something is due at a time.
    pub(super) fn notify_due(&self, kind: DueKind, at: Timestamp) {
        if self.due.add_moment(kind, at) {
            self.work.notify_one();
        }
    }

    /// Notifies that a drive, a poll or an erasure has ended, so that another one can start.
    pub(super) fn notify_room(&self, kind: DueKind, now: Timestamp) {
        if self.due.is_due(kind, now) {
            self.work.notify_one();
        }
    }

    /// Returns once a job may be due.
    pub(super) async fn wait_for_work(&self) {
        self.work.notified().await;
    }

    /// Notifies that a job has messages: its drive if this process has it, else the workers.
    pub(super) fn notify_mail(&self, job: &str) {
        let drive = self.lock_mailboxes().get(job).cloned();
        match drive {
            Some(mailbox) => mailbox.notify_mail(),
            None => self.notify_work(),
        }
    }

    pub(super) fn mark_lost(&self, job: &str) {
        if let Some(mailbox) = self.lock_mailboxes().get(job) {
            mailbox.mark_lost();
        }
    }

    /// Registers a drive of a job, until the registration is dropped, which also happens if the drive is cancelled.
    pub(super) fn register_drive(&self, job: &str) -> RegisteredDrive<'_> {
        let mailbox = Arc::new(Mailbox::default());
        self.lock_mailboxes().insert(job.to_owned(), mailbox.clone());
        RegisteredDrive { notifier: self, job: job.to_owned(), mailbox }
    }

    pub(super) fn driven_jobs(&self) -> Vec<String> {
        self.lock_mailboxes().keys().cloned().collect()
    }

    /// Asks drives to take no new work.
    pub(super) fn request_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns once drives have to take no new work.
    pub(super) async fn wait_for_stop(&self) {
        let mut stop = self.stop.subscribe();
        if stop.wait_for(|stopping| *stopping).await.is_err() {
            // The sender lives as long as this notifier, so it is not dropped.
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn watch_jobs(&self) -> Watch {
        Watch { changes: self.changes.subscribe() }
    }

    fn lock_mailboxes(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Mailbox>>> {
        self.drives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches which jobs change in this process, from its creation on.
pub struct Watch {
    changes: broadcast::Receiver<Change>,
}

impl Watch {
    /// Returns once the job may have new events since this watch was created or last returned.
    pub async fn job_changed(&mut self, job: &str) {
        self.wait_for(|change| &*change.job == job).await;
    }

    /// Returns once the job may have ended since this watch was created or last returned.
    pub async fn job_finished(&mut self, job: &str) {
        self.wait_for(|change| change.over && &*change.job == job).await;
    }

    async fn wait_for(&mut self, is_meant: impl Fn(&Change) -> bool) {
        loop {
            match self.changes.recv().await {
                Ok(change) if !is_meant(&change) => {}
                // A watch that has fallen behind cannot know, so the job may have changed.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The runtime is gone, so nothing will change in this process any more.
                Err(broadcast::error::RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }
}
