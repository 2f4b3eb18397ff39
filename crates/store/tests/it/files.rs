//! What is particular to files: where rows lie, modes, versions, damage, a second process, a full or forbidden disk.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sqlx::{Connection as _, SqliteConnection};
use trunkline_domain::UnixMs;
use trunkline_ledger::api::{KeyStore as _, LedgerStore as _, StoreError};
use trunkline_store::{CATALOGUE_VERSIONS_MAX, Durability, Mode, Store, StoreOptions};

use crate::support::{ALL, at, attempt_records, entry, open, organisation, query, request_id, virtual_key};

fn read_only(directory: &Path) -> StoreOptions {
    StoreOptions { mode: Mode::ReadOnly, ..StoreOptions::new(directory) }
}

fn error(opened: Result<Store, StoreError>) -> StoreError {
    opened.err().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn every_month_has_its_file_and_goes_with_it() {
    let opened = open().await;
    let instants = [at("2026-01-31T23:00:00Z"), at("2026-02-01T00:00:00Z"), at("2026-06-01T00:00:00Z")];
    let entries: Vec<_> = instants.iter().map(|now| entry(request_id(*now, 1), 1, *now)).collect();
    opened.store.append(ALL, &attempt_records(&entries)).await.unwrap();
    for month in ["2026-01", "2026-02", "2026-06"] {
        assert!(opened.directory.path().join(format!("ledger-{month}.db")).exists(), "{month}");
    }
    std::fs::remove_file(opened.directory.path().join("ledger-2026-01.db")).unwrap();
    assert_eq!(opened.store.usage(ALL, &query(&[])).await.unwrap()[0].attempts, 2);
    assert_eq!(opened.store.attempts(ALL, entries[0].opening.id.request).await.unwrap(), []);
}

#[tokio::test]
async fn many_months_are_read_through_few_open_files() {
    let opened = open().await;
    for month in 1..=9 {
        let now = at(&format!("2026-0{month}-15T00:00:00Z"));
        opened.store.append(ALL, &attempt_records(&[entry(request_id(now, 1), 1, now)])).await.unwrap();
    }
    assert_eq!(opened.store.usage(ALL, &query(&[])).await.unwrap()[0].attempts, 9);
}

#[tokio::test]
async fn files_are_their_owners_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep/data");
    let store = Store::open(StoreOptions::new(&directory)).await.unwrap();
    let now = at("2026-03-05T10:00:00Z");
    store.append(ALL, &attempt_records(&[entry(request_id(now, 1), 1, now)])).await.unwrap();
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 4, "databases and their WALs: {files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_store_opens_again_with_what_it_held() {
    let opened = open().await;
    let now = at("2026-03-05T10:00:00Z");
    let row = entry(request_id(now, 1), 1, now);
    let key = virtual_key(1, organisation(1), "name");
    opened.store.append(ALL, &attempt_records(std::slice::from_ref(&row))).await.unwrap();
    opened.store.insert(ALL, &key).await.unwrap();
    opened.store.close().await;

    let options =
        StoreOptions { durability: Durability::Power, ..StoreOptions::new(opened.directory.path()) };
    let again = Store::open(options).await.unwrap();
    assert_eq!(again.attempts(ALL, row.opening.id.request).await.unwrap(), [row]);
    assert_eq!(again.by_hash(ALL, key.hash).await.unwrap(), Some(key));
    assert!(matches!(opened.store.version(ALL).await, Err(StoreError::Unavailable(_))), "closed");
}

#[tokio::test]
async fn a_reader_beside_the_writer_sees_what_is_committed() {
    let opened = open().await;
    let reader = Store::open(read_only(opened.directory.path())).await.unwrap();
    let now = at("2026-03-05T10:00:00Z");
    for number in 1..=5 {
        let row = entry(request_id(now, number), 1, now);
        opened.store.append(ALL, &attempt_records(&[row])).await.unwrap();
        assert_eq!(reader.usage(ALL, &query(&[])).await.unwrap()[0].attempts, number);
    }
    let refused = reader.append(ALL, &attempt_records(&[entry(request_id(now, 9), 1, now)])).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(why)) if why.contains("reading only")));
    let refused = reader.insert(ALL, &virtual_key(1, organisation(1), "name")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));

    opened.store.close().await;
    reader.close().await;
    let alone = Store::open(read_only(opened.directory.path())).await.unwrap();
    assert_eq!(alone.usage(ALL, &query(&[])).await.unwrap()[0].attempts, 5);
}

#[tokio::test]
async fn a_second_writer_waits_for_the_first() {
    let opened = open().await;
    let beside = Store::open(StoreOptions::new(opened.directory.path())).await.unwrap();
    let now = at("2026-03-05T10:00:00Z");
    for number in 0..40 {
        let store = if number % 2 == 0 { &opened.store } else { &beside };
        store.append(ALL, &attempt_records(&[entry(request_id(now, number / 2), 1, now)])).await.unwrap();
    }
    let batch = attempt_records(&[entry(request_id(now, 99), 1, now)]);
    let (first, second) = tokio::join!(opened.store.append(ALL, &batch), beside.append(ALL, &batch));
    first.unwrap();
    second.unwrap();
    assert_eq!(beside.usage(ALL, &query(&[])).await.unwrap()[0].attempts, 21);
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_unavailable() {
    let opened = open().await;
    let path = opened.directory.path().join("control.db");
    let url = format!("sqlite://{}", path.display());
    let mut holder = SqliteConnection::connect(&url).await.unwrap();
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let patience = std::time::Duration::from_millis(1);
    let options = StoreOptions { busy_timeout: patience, ..StoreOptions::new(opened.directory.path()) };
    let impatient = Store::open(options).await.unwrap();
    let key = virtual_key(1, organisation(1), "name");
    let refused = impatient.insert(ALL, &key).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(why)) if why.contains("lock")));
    assert_eq!(impatient.by_hash(ALL, key.hash).await.unwrap(), None, "reading goes on");
    held.rollback().await.unwrap();
    impatient.insert(ALL, &key).await.unwrap();
}

#[tokio::test]
async fn a_newer_versions_file_is_refused_with_what_to_do() {
    let opened = open().await;
    opened.store.close().await;
    let path = opened.directory.path().join("control.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for options in [StoreOptions::new(opened.directory.path()), read_only(opened.directory.path())] {
        let refused = error(Store::open(options).await).to_string();
        assert!(refused.contains("control.db") && refused.contains("newer"), "{refused}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_called_damaged() {
    let opened = open().await;
    let now = at("2026-03-05T10:00:00Z");
    let row = entry(request_id(now, 1), 1, now);
    opened.store.append(ALL, &attempt_records(std::slice::from_ref(&row))).await.unwrap();
    opened.store.close().await;
    for name in ["ledger-2026-03.db", "control.db"] {
        std::fs::write(opened.directory.path().join(name), vec![b'x'; 8192]).unwrap();
        let store = Store::open(StoreOptions::new(opened.directory.path())).await;
        let refused = match store {
            Ok(store) => store.attempts(ALL, row.opening.id.request).await.err().unwrap(),
            Err(refused) => refused,
        };
        assert!(matches!(&refused, StoreError::Damaged(why) if why.contains(name)), "{refused}");
    }
}

#[tokio::test]
async fn a_value_nobody_writes_is_called_damaged() {
    let opened = open().await;
    let now = at("2026-03-05T10:00:00Z");
    let row = entry(request_id(now, 1), 1, now);
    opened.store.append(ALL, &attempt_records(std::slice::from_ref(&row))).await.unwrap();
    let path = opened.directory.path().join("ledger-2026-03.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("UPDATE attempts SET state = 'paid'").execute(&mut connection).await.unwrap();
    let refused = opened.store.attempts(ALL, row.opening.id.request).await;
    assert!(matches!(refused, Err(StoreError::Damaged(why)) if why.contains("paid")));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let refused = error(Store::open(read_only(directory.path())).await).to_string();
    assert!(refused.contains("control.db") && refused.contains("is not there"), "{refused}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "reading makes nothing");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named_in_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = error(Store::open(StoreOptions::new(file.join("data"))).await).to_string();
    assert!(refused.contains("file/data") && !refused.contains('\n'), "{refused}");
}

/// The environment of the child below: the directory it may not write.
const FORBIDDEN: &str = "TRUNKLINE_TEST_FORBIDDEN_DIRECTORY";

/// Root may write anywhere, so as root this test runs itself again as `nobody`.
#[tokio::test]
async fn an_unwritable_directory_is_named_in_one_line() {
    if let Ok(directory) = std::env::var(FORBIDDEN) {
        let refused = error(Store::open(StoreOptions::new(&directory)).await).to_string();
        assert!(refused.contains(&directory) && !refused.contains('\n'), "{refused}");
        assert!(refused.contains("ermission"), "{refused}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    // A copy: nobody may not reach the build directory.
    let program =
        tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let copy = program.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let as_root = std::fs::write(directory.path().join("probe"), "").is_ok();
    let mut command = if as_root { Command::new("runuser") } else { Command::new(&copy) };
    if as_root {
        command.args(["-u", "nobody", "--"]).arg(&copy);
    }
    command.args(["--exact", "files::an_unwritable_directory_is_named_in_one_line", "--nocapture"]);
    match command.env(FORBIDDEN, directory.path()).output() {
        Ok(output) => assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
            "{output:?}"
        ),
        Err(error) => {
            eprintln!("SKIPPED an_unwritable_directory_is_named_in_one_line: no runuser here ({error})");
        }
    }
}

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at.path()).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk stays mounted");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_what_was_committed_stays() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED a_full_disk_is_said_so_and_what_was_committed_stays: may not mount a tmpfs here");
        return;
    };
    let store = Store::open(StoreOptions::new(disk.0.path())).await.unwrap();
    let now = at("2026-03-05T10:00:00Z");
    let mut committed = 0;
    let refused = loop {
        assert!(committed < 10_000, "the disk never fills");
        let rows: Vec<_> = (0..100).map(|more| entry(request_id(now, committed + more), 1, now)).collect();
        match store.append(ALL, &attempt_records(&rows)).await {
            Ok(()) => committed += 100,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert_eq!(store.usage(ALL, &query(&[])).await.unwrap()[0].attempts, committed);
    store.close().await;
}

#[tokio::test]
async fn a_store_whose_disk_was_full_takes_records_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED a_store_whose_disk_was_full_takes_records_again: may not mount a tmpfs here");
        return;
    };
    let store = Store::open(StoreOptions::new(disk.0.path())).await.unwrap();
    let now = at("2026-03-05T10:00:00Z");
    let row = |number| attempt_records(&[entry(request_id(now, number), 1, now)]);
    store.append(ALL, &row(0)).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1_u8; 64 << 20]).unwrap_err();
    let mut committed = 1;
    let refused = loop {
        match store.append(ALL, &row(committed)).await {
            Ok(()) => committed += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert!(matches!(store.append(ALL, &row(committed)).await, Err(StoreError::DiskFull)));
    std::fs::remove_file(ballast).unwrap();
    store.append(ALL, &row(committed)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn catalogue_versions_roll_back_to_what_was_current_before() {
    let opened = open().await;
    let store = &opened.store;
    assert_eq!(store.current_catalogue(ALL).await.unwrap(), None);
    assert!(matches!(store.roll_back_catalogue(ALL).await, Err(StoreError::NotFound)));
    let good = store.put_catalogue(ALL, b"good", UnixMs(1)).await.unwrap();
    store.put_catalogue(ALL, b"bad", UnixMs(2)).await.unwrap();
    assert_eq!(store.roll_back_catalogue(ALL).await.unwrap().unwrap().number, good);
    let worse = store.put_catalogue(ALL, b"worse", UnixMs(3)).await.unwrap();
    let (current, bundle) = store.current_catalogue(ALL).await.unwrap().unwrap();
    assert_eq!(
        (current.number, current.stored_at, current.size, &*bundle),
        (worse, UnixMs(3), 5, &b"worse"[..])
    );

    // Past the bad one, to what was current when the worse one came.
    assert_eq!(store.roll_back_catalogue(ALL).await.unwrap().unwrap().number, good);
    assert_eq!(store.roll_back_catalogue(ALL).await.unwrap(), None);
    assert_eq!(store.current_catalogue(ALL).await.unwrap(), None);
    assert_eq!(store.catalogue_bundle(ALL, good).await.unwrap(), b"good");
    assert!(matches!(store.catalogue_bundle(ALL, 99).await, Err(StoreError::NotFound)));
    let listed = store.catalogue_versions(ALL).await.unwrap();
    assert_eq!(
        listed.iter().map(|version| (version.size, version.current)).collect::<Vec<_>>(),
        [(5, false), (3, false), (4, false)]
    );
}

#[tokio::test]
async fn the_catalogue_is_the_installations_and_bounded() {
    let opened = open().await;
    let store = &opened.store;
    let last = u64::from(CATALOGUE_VERSIONS_MAX) + 3;
    for number in 1..=last {
        assert_eq!(store.put_catalogue(ALL, b"bundle", UnixMs(0)).await.unwrap(), number);
    }
    let listed = store.catalogue_versions(ALL).await.unwrap();
    assert_eq!(listed.len(), CATALOGUE_VERSIONS_MAX as usize);
    assert_eq!((listed[0].number, listed[0].current), (last, true));

    let foreign = trunkline_domain::TenantScope::Organisation(organisation(1));
    assert_eq!(store.catalogue_versions(foreign).await.unwrap(), []);
    assert_eq!(store.current_catalogue(foreign).await.unwrap(), None);
    for refused in [
        store.put_catalogue(foreign, b"x", UnixMs(0)).await.err(),
        store.roll_back_catalogue(foreign).await.err(),
        store.catalogue_bundle(foreign, last).await.err(),
    ] {
        assert!(matches!(refused, Some(StoreError::NotFound)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_a_conflict_and_not_a_store_that_is_away() {
    let opened = open().await;
    let now = at("2026-03-05T10:00:00Z");
    let row = |number| attempt_records(&[entry(request_id(now, number), 1, now)]);
    opened.store.append(ALL, &row(1)).await.unwrap();
    let url = format!("sqlite://{}", opened.directory.path().join("ledger-2026-03.db").display());
    let mut beside = SqliteConnection::connect(&url).await.unwrap();
    let trigger = "CREATE TRIGGER picky BEFORE INSERT ON attempts WHEN new.ordinal = 1 \
                   BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    sqlx::raw_sql(trigger).execute(&mut beside).await.unwrap();
    let refused = opened.store.append(ALL, &row(2)).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("not this one")),
        "{refused:?}"
    );
}
