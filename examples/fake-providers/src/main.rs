//! `fake-providers`: the stand-in for Replicate as a program.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::Parser;
use fake_providers::{Behaviour, Replicate, ReplicateOptions};

/// A local stand-in for Replicate. Its first line of output names its address; POST /_control changes what it does.
#[derive(Parser)]
struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long a prediction takes, in milliseconds.
    #[arg(long)]
    delay_ms: Option<u64>,
    /// What it does, as the JSON that POST /_control takes.
    #[arg(long, default_value = "{}")]
    behaviour: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let patch = serde_json::from_str(&arguments.behaviour)?;
    let mut behaviour = Behaviour::default().merged(&patch)?;
    behaviour.delay_ms = arguments.delay_ms.unwrap_or(behaviour.delay_ms);
    let replicate = Replicate::start(ReplicateOptions { listen: arguments.listen, behaviour }).await?;
    writeln!(std::io::stdout(), "listening on {}", replicate.origin())?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
