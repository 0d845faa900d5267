//! Ports: what a host provides to the core, as few, small traits that are used as `Arc<dyn …>`.

mod artifact_records;
mod artifacts;
mod clock;
mod evaluator;
mod http;
mod request_auth;
mod request_media;
mod secrets;
pub(crate) mod store;

pub use artifact_records::{ArtifactFilter, ArtifactRecords, ArtifactRow, ArtifactUsage, BlobRow};
pub use artifacts::{ArtifactError, ArtifactReader, Artifacts, ByteStream, NewArtifact, Provenance};
pub use clock::{Clock, Timestamp};
pub use evaluator::{EvaluationError, Evaluator, Script, ScriptForm};
pub use http::{
    BodyFilter, HttpClient, HttpError, HttpReply, HttpRequest, HttpStream, MemoryHold, RequestBody, RequestStream,
    SecretPlace, SecretUse,
};
pub use request_auth::{RequestAuth, SecretPiece, SecretText};
pub use request_media::{MediaForm, MediaUse, PartContent, RequestPart, SentArtifact, SentMedia};
pub use secrets::{Secret, Secrets, own_secret, split_reference};
pub use store::{
    AfterTry, Announcement, Args, AttemptCharge, AttemptOwner, Budget, BudgetDecision, BudgetPeriod, BudgetScope,
    BudgetState, CachedResult, CallRecord, Claim, Commit, Concurrency, Created, DeliveryState, DeliveryTry,
    DueDeliveries, DueErasure, DuePoll, ErasedJob, Erasure, EventRow, Idempotency, InboxMessage, Iter, JobBundle,
    JobFilter, JobJournal, JobOrder, JobQueue, JobRecords, JobRow, JobStart, JobState, JobStatus, JobWebhook,
    LeaseChange, LoadedJob, LogTail, MAX_LOG_TAIL_BYTES, NewJob, OpenReservation, Poll, ProviderWork,
    ProviderWorkClaim, ProxiedCall, ProxiedCallFilter, ProxiedCalls, RenewedLease, RequestWindow, Reservation,
    ReusedResult, SharedBundle, SlotWaiter, SnapshotRow, Spending, StepLog, StepReport, StepRow, StepStatus, Store,
    StoreError, StoreFault, StoredUpload, SubmitLimits, SubmitSlotRequest, SubmitSlots, UnknownPrice, UsageFilter,
    UsageGroup, UsageRow, ValueRef, WebhookDeliveries, WebhookDelivery, WebhookEvent, day_of, webhook_message_id,
};
