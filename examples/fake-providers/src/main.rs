//! `fake-providers`: the stand-ins as a program.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use clap::Parser;
use fake_providers::{Behaviour, MediaProviders, Provider, ReplicateOptions};

/// Local stand-ins for Replicate (/v1), fal, OpenAI, Stability AI, ElevenLabs and Black Forest Labs. The first line of output
/// contains their address; POST /_control and POST /_control/{provider} change what they do.
#[derive(Parser)]
struct Arguments {
    /// The address to listen on, `host:port` or only a port; port 0 selects a free port.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = parse_address)]
    listen: SocketAddr,
    /// How long work takes, in milliseconds.
    #[arg(long)]
    delay_ms: Option<u64>,
    /// The behaviour of Replicate, as JSON, in the format of POST /_control.
    #[arg(long, default_value = "{}")]
    behaviour: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let patch = serde_json::from_str(&arguments.behaviour)?;
    let mut behaviour = Behaviour::default().merge_patch(&patch)?;
    behaviour.delay_ms = arguments.delay_ms.unwrap_or(behaviour.delay_ms);
    let delay_ms = arguments.delay_ms;
    let providers = MediaProviders::start(ReplicateOptions { listen: arguments.listen, behaviour }).await?;
    for provider in Provider::ALL {
        providers.adjust(provider, |switches| switches.delay_ms = delay_ms.unwrap_or(switches.delay_ms));
    }
    writeln!(std::io::stdout(), "listening on {}", providers.origin())?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Parses `4010`, `127.0.0.1:4010` or `localhost:4010`.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let found: Vec<_> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| format!("`{text}` has no address"))
}
