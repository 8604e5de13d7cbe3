//! The body of an upload as a reader for threads that may block, with room for a few pieces only:
//! a client that sends faster than its rows are judged is slowed down, not buffered.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::multipart::{Field, MultipartError},
    http::StatusCode,
};
use tokio::{sync::mpsc, time::timeout};

use crate::api::{error::ApiError, state::LiveProgress};

/// Pieces of a body, of some 8 to 400 KB each, that may wait to be read.
const QUEUE: usize = 16;
/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is still read of a file that has been refused: a browser shows the answer only after it
/// has sent its file, and a connection that is closed in the middle looks like a crash.
const DRAINED_BYTES: usize = 64 << 20;

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
    Broken(io::Error),
}

/// Where the body goes in.
#[derive(Debug)]
pub(super) struct BodySender(mpsc::Sender<Piece>);

/// Where the body comes out. Only the end that the sender marks is an end: a request that breaks
/// off must not pass for a shorter file.
#[derive(Debug)]
pub(super) struct BodyReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
    progress: Arc<LiveProgress>,
}

/// A body's two ends.
pub(super) fn channel(progress: Arc<LiveProgress>) -> (BodySender, BodyReader) {
    let (sender, pieces) = mpsc::channel(QUEUE);
    (
        BodySender(sender),
        BodyReader {
            pieces,
            current: Bytes::new(),
            ended: false,
            progress,
        },
    )
}

impl BodySender {
    /// Hands a form's field on to its end. A reader that has given up is no error here: the reason
    /// comes from whoever held it.
    pub(super) async fn send_all(self, mut field: Field<'_>) -> Result<(), ApiError> {
        loop {
            let piece = match timeout(PATIENCE, field.chunk()).await {
                Ok(Ok(Some(bytes))) => Piece::Bytes(bytes),
                Ok(Ok(None)) => Piece::End,
                Ok(Err(error)) => return Err(self.broken(form_error(&error)).await),
                Err(_) => {
                    let error = ApiError::new(
                        StatusCode::REQUEST_TIMEOUT,
                        format!("the client sent nothing for {} seconds", PATIENCE.as_secs()),
                    );
                    return Err(self.broken(error).await);
                }
            };
            let is_end = matches!(piece, Piece::End);
            if self.0.send(piece).await.is_err() {
                drain(field).await;
                return Ok(());
            }
            if is_end {
                return Ok(());
            }
        }
    }

    async fn broken(self, error: ApiError) -> ApiError {
        // A reader that has gone needs no reason.
        let _ = self
            .0
            .send(Piece::Broken(io::Error::other(error.detail().to_owned())))
            .await;
        error
    }
}

async fn drain(mut field: Field<'_>) {
    let mut drained = 0;
    while drained < DRAINED_BYTES {
        match timeout(PATIENCE, field.chunk()).await {
            Ok(Ok(Some(bytes))) => drained += bytes.len(),
            _ => return,
        }
    }
}

/// What is wrong with a form, in its own words; the status tells too large from malformed.
pub(in crate::api) fn form_error(error: &MultipartError) -> ApiError {
    let detail = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the upload is larger than this server accepts".to_owned(),
        _ => format!("the form cannot be read: {}", error.body_text()),
    };
    ApiError::new(error.status(), detail)
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => {
                    self.progress.add_bytes(bytes.len() as u64);
                    self.current = bytes;
                }
                Some(Piece::End) => self.ended = true,
                Some(Piece::Broken(error)) => return Err(error),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the upload broke off before its end",
                    ));
                }
            }
        }
        let count = out.len().min(self.current.len());
        out[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: Vec<Piece>) -> io::Result<String> {
        let progress = Arc::new(LiveProgress::default());
        let (sender, mut reader) = channel(Arc::clone(&progress));
        for piece in pieces {
            sender.0.try_send(piece).unwrap();
        }
        drop(sender);
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        assert_eq!(progress.read().bytes_read, text.len() as u64);
        Ok(text)
    }

    #[test]
    fn a_body_is_read_to_the_end_that_was_marked() {
        let bytes = |text: &'static str| Piece::Bytes(Bytes::from_static(text.as_bytes()));
        assert_eq!(
            read(vec![bytes("a,b\n"), bytes(""), bytes("1,2"), Piece::End]).unwrap(),
            "a,b\n1,2"
        );
        assert_eq!(read(vec![Piece::End]).unwrap(), "");
        let broken = read(vec![bytes("a,b\n")]).unwrap_err();
        assert_eq!(broken.to_string(), "the upload broke off before its end");
        let broken = read(vec![bytes("a"), Piece::Broken(io::Error::other("why"))]).unwrap_err();
        assert_eq!(broken.to_string(), "why");
    }
}
