//! Under a service manager: sockets that are open before the process is there, and what it says of itself.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::support::{Process, directory, exchange, until};

/// Starts it as systemd does: the sockets are its third and fourth descriptor, and the variables name its own process.
fn activated(directory: &TempDir, sockets: [TcpListener; 2], names: &str, notify: &str) -> Process {
    let [public, admin] = sockets.map(|socket| Stdio::from(OwnedFd::from(socket)));
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES={names} \
         exec '{}' serve --data-dir data",
        env!("CARGO_BIN_EXE_trunkline")
    );
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let mut command = Command::new("/bin/sh");
    command.env_clear().env("TRUNKLINE_LOG", "debug").env("NOTIFY_SOCKET", notify);
    command.current_dir(directory.path()).args(["-c", &script]).stdin(public).stdout(admin).stderr(log);
    Process(command.spawn().unwrap())
}

fn sockets() -> ([TcpListener; 2], [std::net::SocketAddr; 2]) {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    (sockets, addresses)
}

#[tokio::test]
async fn sockets_of_the_service_manager_are_listened_on_and_it_is_told() {
    let directory: Arc<TempDir> = directory("");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let said = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let (sockets, [public, admin]) = sockets();
    // Before there is a gateway: they wait in the sockets' queues.
    let early = [TcpStream::connect(public).await.unwrap(), TcpStream::connect(admin).await.unwrap()];
    let mut process = activated(&directory, sockets, "trunkline.socket:admin", path.to_str().unwrap());
    let pid = process.0.id();
    assert_eq!(said(), format!("READY=1\nMAINPID={pid}\n"));
    let [public, admin] = early;
    for (stream, path) in [(public, "/v1/key"), (admin, "/admin/v1/keys")] {
        let request = Request::get(path).header("host", "gateway").body(Full::default()).unwrap();
        // Each is served by its own door: neither knows the other's paths.
        assert_eq!(exchange(stream, request).await.status, 401, "{path}");
    }
    let signal = |signal| kill_process(Pid::from_child(&process.0), signal).unwrap();
    signal(Signal::HUP);
    assert!(said().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(said().starts_with("READY=1\n"));
    signal(Signal::TERM);
    assert_eq!(said(), "STOPPING=1\n");
    assert!(until(|| process.0.try_wait().unwrap()).await.success());
}

#[tokio::test]
async fn a_socket_of_another_name_is_refused_with_the_names_there_are() {
    let directory = directory("");
    let mut process = activated(&directory, sockets().0, "public:metrics", "");
    assert_eq!(until(|| process.0.try_wait().unwrap()).await.code(), Some(1));
    let said = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(said.contains("\"metrics\"") && said.contains("FileDescriptorName=admin"), "{said}");
}

#[tokio::test]
async fn a_signal_replaces_the_process_by_its_own_successor() {
    let directory: Arc<TempDir> = directory("");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let main_pid = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        let said = String::from_utf8(buffer[..length].to_vec()).unwrap();
        said.strip_prefix("READY=1\nMAINPID=").unwrap().trim_end().parse::<i32>().unwrap()
    };
    let (sockets, [public, admin]) = sockets();
    let mut process = activated(&directory, sockets, "public:admin", path.to_str().unwrap());
    assert_eq!(main_pid(), Pid::from_child(&process.0).as_raw_nonzero().get());
    kill_process(Pid::from_child(&process.0), Signal::USR2).unwrap();
    let successor = Ended(Pid::from_raw(main_pid()).unwrap());
    assert!(until(|| process.0.try_wait().unwrap()).await.success());
    for (address, path) in [(public, "/v1/key"), (admin, "/admin/v1/keys")] {
        let request = Request::get(path).header("host", "gateway").body(Full::default()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(exchange(stream, request).await.status, 401, "{path}");
    }
    drop(successor);
}

/// A process that is not our child; it ends with this.
struct Ended(Pid);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        kill_process(self.0, Signal::KILL).ok();
    }
}
