//! Hands a new job directly to a worker of this process that has a free seat.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// The drives of a worker, and the seats that they occupy.
pub(super) struct Intake {
    pub(super) seats: Arc<Semaphore>,
    /// `None` once the worker accepts no more.
    drives: Mutex<Option<JoinSet<()>>>,
}

impl Intake {
    /// Creates an intake; `seats` is the maximum number of concurrent drives.
    pub(super) fn new(seats: u32) -> Self {
        Self { seats: Arc::new(Semaphore::new(seats as usize)), drives: Mutex::new(Some(JoinSet::new())) }
    }

    /// Takes a free seat, if there is one.
    pub(super) fn take_seat(&self) -> Option<OwnedSemaphorePermit> {
        self.seats.clone().try_acquire_owned().ok()
    }

    /// Spawns the drive of a job.
    ///
    /// # Errors
    /// The job, if the worker accepts no more.
    pub(super) fn spawn_drive<J, D>(&self, job: J, drive: impl FnOnce(J) -> D) -> Result<(), J>
    where
        D: Future<Output = ()> + Send + 'static,
    {
        let mut drives = self.lock_drives();
        let Some(drives) = drives.as_mut() else { return Err(job) };
        while drives.try_join_next().is_some() {}
        drives.spawn(drive(job));
        Ok(())
    }

    /// Accepts no more jobs, and returns the remaining drives: dropping them ends them.
    pub(super) fn close(&self) -> JoinSet<()> {
        self.lock_drives().take().unwrap_or_default()
    }

    fn lock_drives(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.drives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
