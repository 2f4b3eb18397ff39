//! From one process to its successor, over a socket in the data directory that only the owner can open: the listening
//! sockets, the right to serve the directory, and everything that is counted. Sockets are handed over and not opened
//! twice (SO_REUSEPORT): whoever is still in the queue of a listener that closes is refused.
//!
//! ```text
//! successor ── Hello ──────────────────────────────► predecessor    accepts nothing more, counts nothing more
//!           ◄─────── file descriptors, Reply::Given ──
//!           ── Ready ──────────────────────────────►                finishes what is under way, however long
//!           ◄─────────────── Change, Question … ──────
//!           ── Answer … ───────────────────────────►
//! ```
//!
//! Until it hears `Ready` the predecessor goes on by itself if the successor fails. When the connection ends, so has the
//! predecessor. What it is not: what is counted and how (`trunkline_engine::succession`). Look first at
//! [`give`] for one side, [`take`] for the other; this file is what both say.

pub(super) mod give;
pub(super) mod take;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use trunkline_engine::succession::Counters;
use trunkline_ledger::succession::{Answer, Change, Question};

use crate::listen::bind::Fate;

/// The socket's name in the data directory.
pub(super) const SOCKET: &str = "handover.sock";
/// What is spoken. Processes that speak differently do not hand over.
const PROTOCOL: u32 = 1;
/// The largest frame: the counters of about a million keys in use.
const FRAME_BYTES_MAX: usize = 1 << 30;
/// The most descriptors at once; the system allows 253 (unix(7), SCM_RIGHTS).
const DESCRIPTORS_MAX: usize = 64;

/// What the successor says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
}

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    /// Nothing, and why.
    Refused(String),
    /// Everything.
    Given(Box<Estate>),
}

/// What is handed over beside the descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Estate {
    /// What the descriptors are, in their order; the lock's comes first.
    sockets: Vec<SocketNote>,
    /// The predecessor's journal.
    journal: PathBuf,
    /// What it has counted.
    counters: Counters,
}

/// Sockets of one listener.
#[derive(Debug, Serialize, Deserialize)]
struct SocketNote {
    role: Role,
    /// The address that was asked for.
    configured: String,
    /// The address it is.
    address: String,
    /// What is to become of its file.
    file: Fate,
    count: usize,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// Callers'.
    Public,
    /// Administrators'.
    Admin,
    /// The command line's.
    Control,
    /// The next successor's.
    Handover,
}

/// What the predecessor says afterwards.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToSuccessor {
    Change(Change),
    Question(u64, Question),
}

/// What the successor says afterwards.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToPredecessor {
    /// It serves from now on.
    Ready,
    Answer(u64, Answer),
}

/// Sends one message: its length in four bytes, little endian, and JSON.
async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    let length =
        u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX).ok_or_else(|| too_long(length))?;
    for (slot, byte) in frame.iter_mut().zip(length.to_le_bytes()) {
        *slot = byte;
    }
    stream.write_all(&frame).await
}

/// The next message; `None` at the end.
async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(Some(serde_json::from_slice(&frame)?))
}

fn too_long(length: usize) -> io::Error {
    io::Error::other(format!("a message of {length} bytes is longer than {FRAME_BYTES_MAX}"))
}

/// Sends descriptors, with one byte that stands for them.
async fn send_descriptors(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let sending = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fits = descriptors.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        if !fits {
            return Err(io::Error::other(format!("more than {DESCRIPTORS_MAX} listening sockets")));
        }
        Ok(sendmsg(stream, &[IoSlice::new(b"-")], &mut ancillary, SendFlags::empty())?)
    };
    stream.async_io(Interest::WRITABLE, sending).await.map(|_| ())
}

/// Receives them.
async fn receive_descriptors(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let receiving = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let received =
            recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty())?;
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        Ok(descriptors)
    };
    let descriptors = stream.async_io(Interest::READABLE, receiving).await?;
    for descriptor in &descriptors {
        rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    Ok(descriptors)
}
