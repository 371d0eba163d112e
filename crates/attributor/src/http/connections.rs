//! Connections: so many at a time, none that says nothing for long, and no body that trickles in without end.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt, stream};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;

/// Connections at one time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take for a request's head, and be silent between two requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a body may take besides what its size explains.
const BODY_TIME: Duration = Duration::from_secs(15);
/// The slowest that a body may come in.
const MIN_BODY_BYTES_A_SECOND: f64 = 64_000.0;
/// How long to wait where no connection can be accepted, for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    serve_at_most(MAX_CONNECTIONS, listener, router).await
}

async fn serve_at_most(connections: usize, listener: TcpListener, router: Router) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(connections));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                warn!(%error, "cannot accept connections now");
                sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new()).http1_only();
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            // What goes wrong on a connection is its client's to see.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

/// Ends the reading of bodies that come in too slowly: each holds a place and memory.
pub(super) async fn timely_bodies(request: Request, next: Next) -> Response {
    next.run(request.map(|body| timely(body, BODY_TIME))).await
}

fn timely(body: Body, grace: Duration) -> Body {
    let begun = Instant::now();
    let read = stream::try_unfold((body.into_data_stream(), 0), move |(mut data, received)| async move {
        let earned = Duration::from_secs_f64(received as f64 / MIN_BODY_BYTES_A_SECOND);
        let next = timeout_at(begun + grace + earned, data.next()).await;
        let Some(piece) = next.map_err(|_| io::Error::from(ErrorKind::TimedOut))? else { return Ok(None) };
        let piece: Bytes = piece.map_err(io::Error::other)?;
        let received = received + piece.len();
        Ok::<_, io::Error>(Some((piece, (data, received))))
    });
    Body::from_stream(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    #[tokio::test]
    async fn body_that_stops_coming_in_is_given_up_and_one_that_comes_is_read_whole() {
        let piece = |text: &'static str| Ok::<_, io::Error>(Bytes::from_static(text.as_bytes()));
        let whole = Body::from_stream(stream::iter([piece("ab"), piece("c")]));
        assert_eq!(to_bytes(timely(whole, BODY_TIME), 9).await.unwrap(), "abc");
        let silent = Body::from_stream(stream::iter([piece("ab")]).chain(stream::pending()));
        assert!(to_bytes(timely(silent, Duration::from_millis(20)), 9).await.is_err());
    }

    #[tokio::test]
    async fn silent_connections_above_the_limit_wait_and_are_served_when_others_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve_at_most(8, listener, Router::new()));
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        late.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        let waits = tokio::time::timeout(Duration::from_millis(100), late.read_exact(&mut first)).await;
        assert!(waits.is_err(), "there was no place");
        silent.clear();
        late.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 404");
        server.abort();
    }
}
