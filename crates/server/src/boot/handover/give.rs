//! Handing over to a process that asks for it, and what is said to it until everything here has ended.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::geteuid;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use trunkline_domain::NanoUsd;
use trunkline_engine::Engine;
use trunkline_ledger::succession::{Answer, Asked, Change, Heir, Question, Successor};

use super::{
    Estate, Hello, PROTOCOL, Reply, Role, SocketNote, ToPredecessor, ToSuccessor, receive, send,
    send_descriptors,
};
use crate::boot::storage::DataLock;
use crate::listen::bind::Spare;

const ROOT: u32 = 0;
/// How long a successor may take to say who it is.
const HELLO: Duration = Duration::from_secs(2);
/// How long our keys may take to be in memory.
const LOADING: Duration = Duration::from_secs(15);
/// How long the successor may take to serve once it has everything.
const READY: Duration = Duration::from_secs(15);
/// How often it is looked whether the keys are there.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Whoever asks, after it has said who it is.
pub(in crate::boot) struct Asking(UnixStream);

impl Asking {
    /// Hears who asks. It is given nothing before our keys are in memory: one read later would be counted by nobody.
    pub(in crate::boot) async fn hear(mut stream: UnixStream, engine: &Engine) -> io::Result<Self> {
        let user = stream.peer_cred()?.uid();
        if user != geteuid().as_raw() && user != ROOT {
            return Err(io::Error::other(format!("user {user} asks, who is not the owner")));
        }
        let hello = tokio::time::timeout(HELLO, receive(&mut stream)).await??;
        let Hello { protocol } = hello.ok_or(io::ErrorKind::UnexpectedEof)?;
        let asking = Self(stream);
        if protocol != PROTOCOL {
            let why = format!(
                "it speaks protocol {PROTOCOL}, this program {protocol}: stop it, then start this one"
            );
            return Err(asking.refuse(why).await);
        }
        let loading = async {
            while !engine.keys().is_loaded() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(LOADING, loading).await {
            Ok(()) => Ok(asking),
            Err(_) => Err(asking.refuse("it is still starting: try again".to_owned()).await),
        }
    }

    /// Says that nothing is given.
    async fn refuse(mut self, why: String) -> io::Error {
        let refusing = async {
            send_descriptors(&self.0, &[]).await?;
            send(&mut self.0, &Reply::Refused(why.clone())).await
        };
        match refusing.await {
            Ok(()) => io::Error::other(why),
            Err(error) => error,
        }
    }
}

/// What is given beside what is counted.
pub(in crate::boot) struct Goods<'a> {
    pub(in crate::boot) lock: &'a DataLock,
    /// With the addresses that were asked for.
    pub(in crate::boot) sockets: [(Role, String, &'a Spare); 4],
    pub(in crate::boot) journal: std::path::PathBuf,
}

/// Gives everything. When this returns well, the successor serves. When it does not, this process counts again.
pub(in crate::boot) async fn give(
    asking: Asking,
    goods: Goods<'_>,
    engine: &Engine,
) -> io::Result<Arc<Link>> {
    let Asking(mut stream) = asking;
    let (outbox, inbox) = mpsc::unbounded_channel();
    let link = Arc::new(Link { outbox, waiting: Mutex::default(), asked: AtomicU64::new(0) });
    let counters = engine.hand_over(&Heir::new(link.clone()));
    let sockets = goods.sockets.iter().map(|(role, configured, spare)| SocketNote {
        role: *role,
        configured: configured.clone(),
        address: spare.address.to_string(),
        file: spare.fate(),
        count: spare.sockets.len(),
    });
    let estate = Estate { sockets: sockets.collect(), journal: goods.journal, counters };
    let lock = std::iter::once(goods.lock.as_fd());
    let sockets = goods.sockets.iter().flat_map(|(_, _, spare)| &spare.sockets);
    let descriptors: Vec<BorrowedFd<'_>> = lock.chain(sockets.map(|socket| socket.as_fd())).collect();
    let giving = async {
        send_descriptors(&stream, &descriptors).await?;
        send(&mut stream, &Reply::Given(Box::new(estate))).await?;
        match receive(&mut stream).await? {
            Some(ToPredecessor::Ready) => Ok(()),
            Some(ToPredecessor::Answer(..)) => Err(io::ErrorKind::InvalidData.into()),
            None => Err(io::Error::other("the successor ended before it served")),
        }
    };
    let given = tokio::time::timeout(READY, giving).await;
    if let Err(error) = given.map_err(io::Error::from).flatten() {
        engine.take_back();
        // Whoever waits for an answer asks again, here.
        drop(inbox);
        link.hang_up();
        return Err(error);
    }
    drop(tokio::spawn(Arc::clone(&link).carry(stream, inbox)));
    Ok(link)
}

/// The connection to the successor, as long as something here has not ended.
pub(in crate::boot) struct Link {
    outbox: mpsc::UnboundedSender<Said>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    asked: AtomicU64,
}

enum Said {
    To(ToSuccessor),
    /// Everything before has been sent.
    Sent(oneshot::Sender<()>),
}

impl Link {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody who waits will hear anything.
    fn hang_up(&self) {
        self.waiting().clear();
    }

    /// Gives back what was granted and nobody uses, of whichever sort it is.
    fn give_back(&self, answer: &Answer) {
        if let Answer::Granted(number) = *answer {
            self.tell(Change::Hold { number, charged: NanoUsd::ZERO });
            self.tell(Change::PermitEnded { number });
        }
    }

    /// Waits until the successor has been told everything.
    pub(in crate::boot) async fn last_words(&self) {
        let (sent, heard) = oneshot::channel();
        if self.outbox.send(Said::Sent(sent)).is_ok() {
            // Where the successor has ended there is nobody to tell.
            tokio::time::timeout(LAST_WORDS, heard).await.ok();
        }
    }

    async fn carry(self: Arc<Self>, stream: UnixStream, mut inbox: mpsc::UnboundedReceiver<Said>) {
        let (mut reader, mut writer) = stream.into_split();
        let writing = async {
            while let Some(said) = inbox.recv().await {
                match said {
                    Said::To(message) => send(&mut writer, &message).await?,
                    Said::Sent(tell) => tell.send(()).unwrap_or_default(),
                }
            }
            Ok::<_, io::Error>(())
        };
        let reading = async {
            while let Some(message) = receive(&mut reader).await? {
                if let ToPredecessor::Answer(number, answer) = message
                    && let Some(asker) = self.waiting().remove(&number)
                {
                    asker.send(answer).unwrap_or_else(|unheard| self.give_back(&unheard));
                }
            }
            Ok::<_, io::Error>(())
        };
        let outcome = tokio::select! {
            outcome = writing => outcome,
            outcome = reading => outcome,
        };
        tracing::warn!(?outcome, "the successor does not answer any more");
        drop(inbox);
        self.hang_up();
    }
}

/// An answer somebody waits for. Whoever goes away before it was heard has used nothing of what it grants.
struct Expected<'a> {
    link: &'a Link,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(unheard) = self.answer.try_recv() {
            self.link.give_back(&unheard);
        }
    }
}

impl Successor for Link {
    fn tell(&self, change: Change) {
        // Where the successor has ended, the rows in our journal say the same.
        self.outbox.send(Said::To(ToSuccessor::Change(change))).ok();
    }

    fn ask(&self, question: Question) -> Asked<'_> {
        Box::pin(async move {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let (asker, answer) = oneshot::channel();
            self.waiting().insert(number, asker);
            if self.outbox.send(Said::To(ToSuccessor::Question(number, question))).is_err() {
                self.waiting().remove(&number);
                return None;
            }
            let mut expected = Expected { link: self, answer };
            (&mut expected.answer).await.ok()
        })
    }
}
