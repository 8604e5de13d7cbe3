//! One connection. Its I/O runs on the thread that asks, under a deadline: a server that has stopped
//! answering is an error and not a thread that waits for ever.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, NoTls, Row, Statement, config::SslMode, types::ToSql,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    failure::{Failure, Result},
    names::Known,
    options::PostgresOptions,
};

/// Statements kept prepared; beyond it all are forgotten, since it takes lists of odd shapes.
const MOST_STATEMENTS: usize = 200;

/// How much longer than the server itself to wait for the end of a statement.
const GRACE: Duration = Duration::from_secs(5);

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) struct Session {
    client: Client,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    statements: HashMap<String, Statement>,
    notices: UnboundedReceiver<()>,
    patience: Duration,
    pub(super) known: Arc<Mutex<Known>>,
    is_broken: bool,
    in_transaction: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

/// What a transaction may do, and what it sees.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// Everything read is from the same moment.
    Read,
    /// Each statement sees what was committed before it.
    Write,
}

impl Session {
    pub(super) fn connect(
        options: &PostgresOptions,
        tls: &MakeRustlsConnect,
        known: &Arc<Mutex<Known>>,
    ) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        let mut config = options.config.clone();
        config.connect_timeout(options.connect_timeout);
        config.tcp_user_timeout(options.statement_timeout);
        let (sender, notices) = unbounded_channel();
        // Each address has its time; the other half is for the greetings that follow.
        let addresses = options.config.get_hosts().len().max(1) as u32;
        let limit = options.connect_timeout * addresses * 2;
        let client = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = wait(&runtime, limit, config.connect(NoTls))?;
            runtime.spawn(drive(connection, sender));
            client
        } else {
            let (client, connection) = wait(&runtime, limit, config.connect(tls.clone()))?;
            runtime.spawn(drive(connection, sender));
            client
        };
        let mut session = Self {
            client,
            runtime: Some(runtime),
            statements: HashMap::new(),
            notices,
            patience: options.statement_timeout + GRACE,
            known: Arc::clone(known),
            is_broken: false,
            in_transaction: false,
        };
        session.batch(&format!(
            "SET search_path TO {schema}; SET statement_timeout = {statement}; \
             SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {idle}; \
             SET client_min_messages = warning; SET timezone = 'UTC'",
            schema = quoted(&options.schema),
            statement = options.statement_timeout.as_millis(),
            lock = options.lock_timeout.as_millis(),
            idle = (options.statement_timeout + GRACE).as_millis(),
        ))?;
        Ok(session)
    }

    /// Whether it may be used for another call.
    pub(super) fn is_sound(&self) -> bool {
        !self.is_broken && !self.in_transaction && !self.client.is_closed()
    }

    /// Looks whether the server has closed it meanwhile.
    pub(super) fn notice_end(&mut self) -> bool {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async {
                // The socket is looked at between two turns of the runtime.
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            });
        }
        !self.is_sound()
    }

    /// Statements without parameters, several at once.
    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        let limit = self.patience;
        self.batch_within(sql, limit)
    }

    pub(super) fn batch_within(&mut self, sql: &str, limit: Duration) -> Result<()> {
        let result = self.within(limit, |client| client.batch_execute(sql));
        self.noted(result)
    }

    pub(super) fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let statement = self.prepared(sql)?;
        let limit = self.patience;
        let result = self.within(limit, |client| client.query(&statement, params));
        self.noted(result)
    }

    /// The only row, or none.
    pub(super) fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// The row of a query that always has one.
    pub(super) fn query_one(&mut self, sql: &str, params: Params<'_>) -> Result<Row> {
        let statement = self.prepared(sql)?;
        let limit = self.patience;
        let result = self.within(limit, |client| client.query_one(&statement, params));
        self.noted(result)
    }

    /// How many rows were changed.
    pub(super) fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64> {
        let statement = self.prepared(sql)?;
        let limit = self.patience;
        let result = self.within(limit, |client| client.execute(&statement, params));
        self.noted(result)
    }

    /// Sends what a COPY takes in, piece by piece.
    pub(super) fn copy_in(
        &mut self,
        sql: &str,
        pieces: impl IntoIterator<Item = Bytes>,
    ) -> Result<u64> {
        let statement = self.prepared(sql)?;
        let limit = self.patience;
        // The client loses step with the server when a COPY is refused before it takes rows.
        let mut is_taking = false;
        let result = self.within(limit, |client| async {
            let sink = client.copy_in(&statement).await?;
            is_taking = true;
            futures_util::pin_mut!(sink);
            for piece in pieces {
                sink.feed(piece).await?;
            }
            sink.finish().await
        });
        self.is_broken |= !is_taking;
        self.noted(result)
    }

    /// Commits what the closure did when it is fine, and undoes it when it is not.
    pub(super) fn transaction<T>(
        &mut self,
        mode: Mode,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.batch(match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        })?;
        // A panic leaves this set, and the connection is not used again.
        self.in_transaction = true;
        let result = work(self).and_then(|value| {
            self.batch("COMMIT")?;
            Ok(value)
        });
        self.in_transaction = false;
        if result.is_err() && !self.is_broken {
            // Should that fail, the connection is marked as broken, and PostgreSQL undoes it.
            let _ = self.batch("ROLLBACK");
        }
        result
    }

    /// Waits for a notification; whether one came.
    pub(super) fn wait_for_notice(&mut self, limit: Duration) -> Result<bool> {
        let Some(runtime) = &self.runtime else {
            return Ok(false);
        };
        let notices = &mut self.notices;
        let heard = runtime
            .block_on(async { tokio::time::timeout(limit, notices.recv()).await })
            .ok();
        match heard {
            None => Ok(false),
            Some(None) => {
                self.is_broken = true;
                Err(Failure::Unreachable("the connection was closed".to_owned()))
            }
            Some(Some(())) => {
                while self.notices.try_recv().is_ok() {}
                Ok(true)
            }
        }
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let limit = self.patience;
        let result = self.within(limit, |client| client.prepare(sql));
        let statement = self.noted(result)?;
        if self.statements.len() >= MOST_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn within<'c, T, F>(&'c self, limit: Duration, ask: impl FnOnce(&'c Client) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        match &self.runtime {
            Some(runtime) => wait(runtime, limit, ask(&self.client)),
            None => Err(Failure::Unreachable("the connection was closed".to_owned())),
        }
    }

    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(failure) = &result {
            self.is_broken |= failure.ends_connection();
        }
        result
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Dropping it in place would panic where an async runtime runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn wait<T>(
    runtime: &Runtime,
    limit: Duration,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    match runtime.block_on(async { tokio::time::timeout(limit, asked).await }) {
        Ok(result) => Ok(result?),
        Err(_) => Err(Failure::Silence(limit)),
    }
}

/// Moves what comes and goes until the connection ends.
async fn drive<S, T>(mut connection: Connection<S, T>, notices: UnboundedSender<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            // Nobody listens any more when the session is dropped, and this ends with it.
            let _ = notices.send(());
        }
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}
