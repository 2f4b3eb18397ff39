//! Where and with what the figures were made.

use std::path::Path;
use std::process::Command;

use super::child::output;

/// Lines for the head of the report: what, value.
pub(super) fn describe(programs: &Programs<'_>) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![
        ("date", now()),
        ("git revision", revision()),
        ("CPU", format!("{}, {cores} cores", field("/proc/cpuinfo", "model name"))),
        ("memory", memory()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("load average at the start", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
        ("rustc", said(Command::new("rustc").arg("-V"))),
        ("trunkline", said(Command::new(programs.gateway).arg("--version"))),
        ("nginx", nginx_version(programs.nginx)),
    ];
    if let Some(litellm) = programs.litellm {
        lines.push(("LiteLLM", said(Command::new(litellm).arg("--version"))));
    }
    lines
}

/// What is compared.
#[derive(Debug)]
pub(super) struct Programs<'a> {
    pub(super) gateway: &'a Path,
    pub(super) nginx: &'a Path,
    pub(super) litellm: Option<&'a Path>,
}

/// Today, UTC: `2026-01-31`.
pub(super) fn today() -> String {
    now().chars().take(10).collect()
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn revision() -> String {
    let revision = said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    let clean = said(Command::new("git").args(["status", "--porcelain"])).is_empty();
    if clean { revision } else { format!("{revision}, with changes") }
}

fn nginx_version(program: &Path) -> String {
    // It speaks on the error stream.
    let spoken = Command::new(program).arg("-v").output().map(|output| output.stderr).unwrap_or_default();
    String::from_utf8_lossy(&spoken).trim().trim_start_matches("nginx version: ").to_owned()
}

fn said(command: &mut Command) -> String {
    output(command).unwrap_or_else(|_| "unknown".to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

fn memory() -> String {
    let text = field("/proc/meminfo", "MemTotal");
    let kib = text.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    format!("{} MiB", kib / 1024)
}
