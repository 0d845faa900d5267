//! The floor of media: a loop that calls the provider, downloads the file that the reply links to, makes it durable, and
//! commits the reply, as a careful person would write it by hand.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use reqwest::Client;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::Result;
use crate::floor::{Committer, FloorDatabase, build_client, call_provider};

/// What the loops share.
pub(crate) struct MediaFloor {
    client: Client,
    provider_url: String,
    folder: PathBuf,
    committer: Committer,
}

impl MediaFloor {
    /// Opens the database; files are written to `folder`, which must exist.
    pub(crate) async fn open(database: &FloorDatabase, provider_url: &str, folder: &Path) -> Result<Self> {
        Ok(Self {
            client: build_client()?,
            provider_url: provider_url.to_owned(),
            folder: folder.to_owned(),
            committer: Committer::open(database, 1).await?,
        })
    }

    /// Calls `/picture` and downloads the picture; returns the time.
    pub(crate) async fn run_once(&self) -> Result<Duration> {
        let start = Instant::now();
        let reply = call_provider(&self.client, &format!("{}/picture", self.provider_url), &Value::Null).await?;
        let link = reply["media"].as_str().ok_or("the provider returned no link")?;
        let file = self.folder.join(link.trim_start_matches('/').replace('/', "-"));
        self.download(link, &file).await?;
        self.committer.commit(reply.to_string()).await?;
        let elapsed = start.elapsed();
        // Outside of the measured time: a person keeps the file, the bench needs the disk.
        tokio::fs::remove_file(&file).await.map_err(|error| format!("can't remove a file: {error}"))?;
        Ok(elapsed)
    }

    /// Runs `loop_count` loops at the same time, each `rounds` times; returns the time.
    pub(crate) async fn run_concurrently(&self, loop_count: usize, rounds: usize) -> Result<Duration> {
        let start = Instant::now();
        let loops = (0..loop_count).map(async |_| {
            for _ in 0..rounds {
                self.run_once().await?;
            }
            Ok::<_, String>(())
        });
        try_join_all(loops).await?;
        Ok(start.elapsed())
    }

    async fn download(&self, link: &str, path: &Path) -> Result {
        let failed = |error: &dyn std::fmt::Display| format!("a file could not be downloaded: {error}");
        let reply = self.client.get(format!("{}{link}", self.provider_url)).send().await;
        let mut reply = reply.and_then(reqwest::Response::error_for_status).map_err(|error| failed(&error))?;
        let mut file = File::create(path).await.map_err(|error| failed(&error))?;
        while let Some(part) = reply.chunk().await.map_err(|error| failed(&error))? {
            file.write_all(&part).await.map_err(|error| failed(&error))?;
        }
        file.sync_all().await.map_err(|error| failed(&error))
    }
}
