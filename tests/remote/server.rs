//! Servers on loopback: one that speaks S3 for real, and one that only hands out files. Both can be made to misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a helper that cannot do its work fails the test"
)]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It answers everything with status 500.
    Broken,
    /// It takes requests and never answers.
    Silent,
    /// It ends every blob in the middle, having promised the whole.
    Truncating,
    /// One byte of every blob is another.
    WrongBytes,
    /// So many bytes of a blob a second.
    Slow(usize),
    /// It is gone after so many requests that read or write a blob.
    GoneAfter(usize),
}

/// A server that runs until the test ends.
pub struct Server {
    pub url: String,
    address: String,
    fault: Arc<Mutex<Fault>>,
    requests: Arc<Mutex<Vec<String>>>,
    root: TempDir,
}

const ACCESS: (&str, &str) = ("test-access", "test-secret");

impl Server {
    /// A server that speaks S3, with an empty bucket.
    pub fn s3() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bucket")).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS.0, ACCESS.1));
        let service = builder.build();
        Self::start(root, Kind::S3(service), |_| "s3://bucket/some/prefix".to_owned())
    }

    /// A web server that hands out the files of a folder.
    pub fn web(folder: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self::start(root, Kind::Web(folder.to_owned()), |address| format!("http://{address}/images"))
    }

    fn start(root: TempDir, kind: Kind, url: impl FnOnce(&str) -> String) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (fault, requests) = (Arc::new(Mutex::new(Fault::None)), Arc::new(Mutex::new(Vec::new())));
        let handler = Handler { kind, fault: Arc::clone(&fault), requests: Arc::clone(&requests) };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, handler));
        });
        Self { url: url(&address), address, fault, requests, root }
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// `METHOD PATH` of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests wrote something under this name.
    pub fn writes(&self, name: &str) -> usize {
        self.requests().iter().filter(|line| line.starts_with("PUT") && line.contains(name)).count()
    }

    /// Whether an object is stored.
    pub fn has(&self, name: &str) -> bool {
        self.root.path().join("bucket/some/prefix").join(name).exists()
    }

    /// What clients need to know, as the environment says it to all tools that speak S3.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", ACCESS.1.to_owned()),
        ]
    }
}

#[derive(Clone)]
enum Kind {
    S3(S3Service),
    Web(PathBuf),
}

#[derive(Clone)]
struct Handler {
    kind: Kind,
    fault: Arc<Mutex<Fault>>,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn serve(listener: std::net::TcpListener, handler: Handler) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let handler = handler.clone();
                async move { handler.answer(request).await }
            });
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

impl Handler {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.requests.lock().unwrap().push(line);
        let is_blob = request.uri().path().contains("/blobs/");
        let is_read = request.method() == Method::GET;
        let fault = {
            let mut fault = self.fault.lock().unwrap();
            match &mut *fault {
                Fault::GoneAfter(left) if is_blob && request.method() != Method::HEAD => {
                    if let Some(less) = left.checked_sub(1) {
                        *left = less;
                        Fault::None
                    } else {
                        Fault::GoneAfter(0)
                    }
                }
                Fault::GoneAfter(1..) => Fault::None,
                other => *other,
            }
        };
        match fault {
            // An error here closes the connection.
            Fault::GoneAfter(_) => return Err(std::io::Error::other("gone")),
            Fault::Silent => std::future::pending().await,
            Fault::Broken => {
                let mut response =
                    Response::new(full(Bytes::from_static(b"<Error>\n  out of order\n</Error>")));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return Ok(response);
            }
            _ => {}
        }
        let response = match &self.kind {
            Kind::S3(service) => {
                let response = Service::call(service, request)
                    .await
                    .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
                response
                    .map(|body| body.map_err(|error| std::io::Error::other(error.to_string())).boxed_unsync())
            }
            Kind::Web(folder) => file(folder, request.uri().path()),
        };
        if !(is_blob && is_read && response.status().is_success()) {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let body = match fault {
            Fault::WrongBytes => {
                let mut changed = bytes.to_vec();
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
                full(changed.into())
            }
            Fault::Truncating => {
                let half = bytes.slice(..bytes.len() / 2);
                let parts = [Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
                StreamBody::new(stream::iter(parts)).boxed_unsync()
            }
            Fault::Slow(per_second) => {
                let parts: Vec<Bytes> = bytes.chunks(per_second / 20).map(Bytes::copy_from_slice).collect();
                let parts = stream::iter(parts).then(|part| async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(Frame::data(part))
                });
                StreamBody::new(parts).boxed_unsync()
            }
            _ => full(bytes),
        };
        Ok(Response::from_parts(head, body))
    }
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn file(folder: &Path, path: &str) -> Response<Body> {
    let name = path.trim_start_matches("/images/");
    match std::fs::read(folder.join(name)) {
        Ok(content) => {
            let length = content.len();
            let mut response = Response::new(full(content.into()));
            response.headers_mut().insert(hyper::header::CONTENT_LENGTH, length.into());
            response
        }
        Err(_) => {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}
