//! Hints inside this process: what changed, who has mail. The store is the truth; a lost hint costs only time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast};

use super::due_times::{AT_ONCE, DueKind, DueTimes};
use super::job_ends::JobEnds;
use crate::ports::Timestamp;

/// Hints inside this process.
pub(super) struct Notifier {
    changes: broadcast::Sender<Change>,
    /// The jobs whose ends are waited for.
    pub(super) ends: Arc<JobEnds>,
    /// When something is due, as far as this process knows.
    pub(super) due: DueTimes,
    work: Notify,
    stop: tokio::sync::watch::Sender<bool>,
    /// The jobs that this process drives, and how to tell them of mail or of a lost lease.
    drives: Mutex<BTreeMap<String, Arc<Mailbox>>>,
}

/// What is said of a job that changed.
#[derive(Clone)]
struct Change {
    job: Arc<str>,
    /// Whether it may have ended.
    over: bool,
}

/// How a drive is told of mail or of a lost lease.
#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) changed: Notify,
    has_mail: AtomicBool,
    lost: AtomicBool,
}

impl Mailbox {
    /// Says that messages wait in the job's inbox.
    fn notify_mail(&self) {
        self.has_mail.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether messages came since this was last asked.
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

/// A drive's entry among those of this process.
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

    /// Says that a job has new events, and whether it may have ended.
    pub(super) fn notify_change(&self, job: &str, over: bool) {
        // Nobody may be watching.
        let _unwatched = self.changes.send(Change { job: Arc::from(job), over });
    }

    /// Says that a job may be due.
    pub(super) fn notify_work(&self) {
        self.notify_due(DueKind::Jobs, AT_ONCE);
    }

    /// Says that something is due at a moment.
    pub(super) fn notify_due(&self, kind: DueKind, at: Timestamp) {
        if self.due.add_moment(kind, at) {
            self.work.notify_one();
        }
    }

    /// Says that a drive, a poll or an erasure has ended, so that there is room for one that waits.
    pub(super) fn notify_room(&self, kind: DueKind, now: Timestamp) {
        if self.due.is_due(kind, now) {
            self.work.notify_one();
        }
    }

    /// Returns when a job may be due.
    pub(super) async fn wait_for_work(&self) {
        self.work.notified().await;
    }

    /// Says that a job has mail: to its drive where this process has it, else to the workers.
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

    /// A drive of a job begins; it ends when the entry is dropped, also half-way.
    pub(super) fn register_drive(&self, job: &str) -> RegisteredDrive<'_> {
        let mailbox = Arc::new(Mailbox::default());
        self.lock_mailboxes().insert(job.to_owned(), mailbox.clone());
        RegisteredDrive { notifier: self, job: job.to_owned(), mailbox }
    }

    pub(super) fn driven_jobs(&self) -> Vec<String> {
        self.lock_mailboxes().keys().cloned().collect()
    }

    /// Asks drives to take nothing new in.
    pub(super) fn request_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when drives are to take nothing new in.
    pub(super) async fn wait_for_stop(&self) {
        let mut stop = self.stop.subscribe();
        if stop.wait_for(|stopping| *stopping).await.is_err() {
            // The sender lives as long as this notifier: it cannot be gone.
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

/// Sees which jobs change in this process, from the moment it was made.
pub struct Watch {
    changes: broadcast::Receiver<Change>,
}

impl Watch {
    /// Returns when the job may have new events since this watch was made or last returned.
    pub async fn job_changed(&mut self, job: &str) {
        self.wait_for(|change| &*change.job == job).await;
    }

    /// Returns when the job may have ended since this watch was made or last returned.
    pub async fn job_finished(&mut self, job: &str) {
        self.wait_for(|change| change.over && &*change.job == job).await;
    }

    async fn wait_for(&mut self, is_meant: impl Fn(&Change) -> bool) {
        loop {
            match self.changes.recv().await {
                Ok(change) if !is_meant(&change) => {}
                // A watch that fell behind cannot know: it may have.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The runtime is gone, and nothing will change here any more.
                Err(broadcast::error::RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }
}
