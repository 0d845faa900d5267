//! Ctrl-C during a run: the first one cancels the work at providers, the second one exits at once.

use std::pin::pin;

use apiflow_core::ports::StepRow;
use apiflow_core::runtime::local::{LocalError, LocalRun, ProviderWorkState, ProviderWorkStatus};
use serde_json::Value;

use crate::command::print_notice;

/// The signals that interrupt a run, caught from now on.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: Vec<(u8, tokio::signal::unix::Signal)>,
}

/// The outcome of a run that may be interrupted.
pub(super) enum Finished {
    /// The run ended; `signal` is the number of the signal that cancelled it, if any.
    Ended { ended: Result<Value, LocalError>, signal: Option<u8> },
    /// A second signal with this number ended the waiting.
    Left { signal: u8 },
}

impl Interrupts {
    pub(super) fn listen_for_signals() -> Result<Self, String> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut signals = Vec::new();
            for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
                let caught = signal(kind).map_err(|error| format!("signals cannot be caught: {error}"))?;
                signals.push((u8::try_from(kind.as_raw_value()).unwrap_or_default(), caught));
            }
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Returns the number of the next signal.
    async fn next(&mut self) -> u8 {
        #[cfg(unix)]
        {
            std::future::poll_fn(|context| {
                let number = self
                    .signals
                    .iter_mut()
                    .find_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
                number.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
            })
            .await
        }
        #[cfg(not(unix))]
        {
            // If it cannot be caught, it ends the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            2
        }
    }

    /// Performs a run unless signals end it.
    pub(super) async fn finish_run(
        mut self,
        run: &LocalRun,
        progress: impl FnMut(&StepRow),
    ) -> Result<Finished, String> {
        let mut finishing = pin!(run.wait_for_output(progress));
        let first = tokio::select! {
            ended = finishing.as_mut() => return Ok(Finished::Ended { ended, signal: None }),
            signal = self.next() => signal,
        };
        print_notice(
            "apiflow: interrupted: cancelling the run and its work at providers; press Ctrl-C again to exit at once",
        );
        for work in work_of(run).await? {
            print_notice(&describe_work(&work));
        }
        run.cancel_run("interrupted").await.map_err(|error| error.to_string())?;
        tokio::select! {
            ended = finishing.as_mut() => {
                for work in work_of(run).await? {
                    print_notice(&describe_work(&work));
                }
                Ok(Finished::Ended { ended, signal: Some(first) })
            }
            signal = self.next() => {
                let left: Vec<_> =
                    work_of(run).await?.into_iter().filter(|work| work.state != ProviderWorkState::Cancelled).collect();
                if left.is_empty() {
                    print_notice("apiflow: exited at once; no work is running at providers");
                } else {
                    print_notice("apiflow: exited at once; this work may still be running:");
                }
                for work in left {
                    print_notice(&describe_work(&work));
                }
                Ok(Finished::Left { signal })
            }
        }
    }
}

async fn work_of(run: &LocalRun) -> Result<Vec<ProviderWorkStatus>, String> {
    run.provider_work().await.map_err(|error| error.to_string())
}

/// Describes the state of a provider's work in a line.
fn describe_work(work: &ProviderWorkStatus) -> String {
    let ProviderWorkStatus { step, provider_id, url, state } = work;
    let id = provider_id.as_ref().map(|id| format!("`{id}` ")).unwrap_or_default();
    match state {
        ProviderWorkState::Unanswered => {
            format!("{step}: sent to {url} but not answered: whether the provider accepted it is unknown")
        }
        ProviderWorkState::Running => format!("{step}: {id}is running at the provider: {url}"),
        ProviderWorkState::Cancelling => {
            format!("{step}: {id}may still be running: the provider has not answered its cancellation: {url}")
        }
        ProviderWorkState::Cancelled => format!("{step}: {id}was cancelled at the provider: {url}"),
        ProviderWorkState::CancelFailed(why) => {
            format!("{step}: {id}may still be running: cancelling it failed ({why}): {url}")
        }
        ProviderWorkState::NotCancellable => {
            format!("{step}: {id}may still be running: its node has no `cancel` rule: {url}")
        }
    }
}
