//! Bodies that are made while they are sent, in memory that does not grow with their length.

use std::io::{self, Write};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use tokio::sync::mpsc;

use super::state::AppState;

/// Bytes sent at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that may wait for a slow client.
const QUEUE: usize = 4;

/// Where a body is written to. Writing fails once the client has gone.
#[derive(Debug)]
pub(crate) struct BodyWriter {
    chunk: Vec<u8>,
    chunks: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES + 4096));
        self.chunks
            .blocking_send(Ok(Bytes::from(chunk)))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// An answer whose body is written by `produce` on a thread that may block. An error in the
/// middle cuts the body off, which clients notice, because its end is marked.
pub(crate) fn streamed(
    state: &AppState,
    content_type: &'static str,
    produce: impl FnOnce(&AppState, &mut BodyWriter) -> anyhow::Result<()> + Send + 'static,
) -> Response {
    let (chunks, mut sent) = mpsc::channel::<io::Result<Bytes>>(QUEUE);
    let state = state.clone();
    tokio::task::spawn_blocking(move || {
        let mut writer = BodyWriter {
            chunk: Vec::new(),
            chunks,
        };
        let outcome = produce(&state, &mut writer).and_then(|()| Ok(writer.flush()?));
        if let Err(error) = outcome {
            let gone = writer.chunks.is_closed();
            if !gone {
                tracing::error!(error = format!("{error:#}"), "an answer was cut off");
            }
            // To a client that has gone there is nothing to say.
            let _ = writer
                .chunks
                .blocking_send(Err(io::Error::other("the answer was cut off")));
        }
    });
    let body = futures_util::stream::poll_fn(move |context| sent.poll_recv(context));
    let mut response = Body::from_stream(body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
