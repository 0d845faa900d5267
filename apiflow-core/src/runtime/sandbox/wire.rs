//! The protocol of the two processes: JSON messages, each after its length in 4 bytes, little-endian.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::boa::MAX_VALUE_BYTES;
use crate::ports::{EvaluationError, ScriptForm};

/// Maximum length of a reply: a value, plus space for its envelope and for other notations of numbers.
pub(super) const MAX_REPLY_BYTES: usize = MAX_VALUE_BYTES + 64 * 1024;

/// Environment variable with the memory limit of an evaluation, in bytes.
pub(super) const MEMORY_VARIABLE: &str = "APIFLOW_EVALUATOR_MEMORY_BYTES";

/// Environment variable with the time limit of an evaluation, in milliseconds.
pub(super) const DEADLINE_VARIABLE: &str = "APIFLOW_EVALUATOR_DEADLINE_MS";

/// Environment variable with the niceness of a child: the higher, the less CPU time while others want it.
pub(super) const NICENESS_VARIABLE: &str = "APIFLOW_EVALUATOR_NICENESS";

/// A request to a child; a child sends no requests.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request<'a> {
    pub(super) source: std::borrow::Cow<'a, str>,
    pub(super) names: std::borrow::Cow<'a, Map<String, Value>>,
    pub(super) form: ScriptForm,
}

/// A reply of a child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// It has set its limits and waits for requests.
    Ready,
    /// The script's value.
    Value(Value),
    /// The source has a syntax error.
    Syntax(String),
    /// The script threw an exception.
    Thrown(String),
    /// A limit was exceeded.
    Limit(String),
    /// The engine failed.
    Internal(String),
}

impl Reply {
    pub(super) fn from_outcome(outcome: Result<Value, EvaluationError>) -> Self {
        match outcome {
            Ok(value) => Self::Value(value),
            Err(EvaluationError::Syntax(message)) => Self::Syntax(message),
            Err(EvaluationError::Thrown(message)) => Self::Thrown(message),
            Err(EvaluationError::Limit(message)) => Self::Limit(message),
            Err(EvaluationError::Internal(message)) => Self::Internal(message),
            // A child runs one evaluation at a time.
            Err(error @ EvaluationError::Busy) => Self::Internal(error.to_string()),
        }
    }

    pub(super) fn into_outcome(self) -> Result<Value, EvaluationError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Syntax(message) => Err(EvaluationError::Syntax(message)),
            Self::Thrown(message) => Err(EvaluationError::Thrown(message)),
            Self::Limit(message) => Err(EvaluationError::Limit(message)),
            Self::Internal(message) => Err(EvaluationError::Internal(message)),
            Self::Ready => Err(EvaluationError::Internal("the evaluator sent an unexpected message".to_owned())),
        }
    }
}

/// Encodes a message after its length.
pub(super) fn frame_message(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Writes one message.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame_message(message)?)?;
    to.flush()
}

/// Reads one message; `None` at the end of the stream.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut text = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Reads one reply.
pub(super) async fn read_reply(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Reply> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_REPLY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is too long"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}
