#![allow(unsafe_code)]
//! How processes begin: both doors, every form of `main`, and what the system may take away from a program: its file, its
//! streams, its descriptors, its processes. Whole programs, run from here.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mp::{Pool, Process};
use mp_tests::grief::{end, sleep_ms};
use mp_tests::program::output;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const PROGRAMS: [&str; 5] = [
    env!("CARGO_BIN_EXE_main_path"),
    env!("CARGO_BIN_EXE_main_statements"),
    env!("CARGO_BIN_EXE_main_whole"),
    env!("CARGO_BIN_EXE_main_forgotten"),
    env!("CARGO_BIN_EXE_main_init"),
];

/// Runs the program; gives what it has printed. It must succeed, and no process but the first may run its `main`.
#[track_caller]
fn run(program: impl AsRef<OsStr>, change: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(&program);
    change(&mut command);
    let (status, out, err) = output(command);
    assert!(
        status.success(),
        "{:?}: {status}\n{out}\n{err}",
        program.as_ref()
    );
    assert!(
        out.matches("main runs").count() <= 1,
        "a child has run main:\n{out}\n{err}"
    );
    out
}

#[test]
fn every_form_of_main() {
    for program in PROGRAMS {
        let out = run(program, |_| ());
        assert_eq!(out.matches("main runs").count(), 1, "{program}: {out}");
        assert!(out.ends_with("all done"), "{program}: {out}");
        assert!(out.contains("child: Process-1"), "{program}: {out}");
        // Arguments are the parent's.
        let out = run(program, |command| {
            command.arg("work");
        });
        assert!(out.contains("Some(\"work\")"), "{program}: {out}");
    }
}

#[test]
fn bodies_of_main() {
    for (program, said) in [
        (env!("CARGO_BIN_EXE_form_statements"), "statements: ok"),
        (env!("CARGO_BIN_EXE_form_whole"), "whole: ok"),
        (env!("CARGO_BIN_EXE_form_exit"), "exit: ok"),
    ] {
        assert_eq!(run(program, |_| ()), said);
    }
}

/// A directory of this test's own, taken away again.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("it can be made");
        Directory(path)
    }

    fn copy_of(&self, program: &str) -> PathBuf {
        let name = Path::new(program).file_name().expect("a file");
        let copy = self.0.join(name);
        std::fs::copy(program, &copy).expect("it can be copied");
        copy
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_binary_that_is_deleted_and_replaced_does_no_harm() {
    let directory = Directory::new("replaced");
    for program in PROGRAMS {
        let copy = directory.copy_of(program);
        let out = run(&copy, |command| {
            command.arg("replace");
        });
        assert_eq!(out.matches("all done").count(), 2, "{out}");
        assert!(!out.contains("wrong"), "{out}");
    }
}

#[test]
fn started_by_a_relative_path_from_elsewhere() {
    let directory = Directory::new("relative");
    let copy = directory.copy_of(PROGRAMS[0]);
    run(
        Path::new(".").join(copy.file_name().expect("a file")),
        |command| {
            command.current_dir(&directory.0);
        },
    );
}

#[test]
fn without_standard_streams() {
    for program in PROGRAMS {
        for closed in [&[0][..], &[1], &[2], &[0, 1, 2]] {
            run(program, |command| {
                command.arg("quiet");
                // The task asks for /dev/null on all three.
                // SAFETY: close and dup2 are async-signal-safe.
                unsafe {
                    command.pre_exec(move || {
                        let null = nix::libc::open(c"/dev/null".as_ptr(), nix::libc::O_RDWR);
                        for stream in 0..3 {
                            if closed.contains(&stream) {
                                nix::libc::close(stream);
                            } else {
                                nix::libc::dup2(null, stream);
                            }
                        }
                        nix::libc::close(null);
                        Ok(())
                    });
                }
            });
        }
        run(program, |command| {
            command.arg("close");
        });
    }
}

/// What is in the variable is no order of ours: it is refused, or ignored until the library is used; nobody becomes a child,
/// and nobody a bomb.
#[test]
fn a_forged_order() {
    let variable = concat!("MP_CHILD_V", env!("CARGO_PKG_VERSION")).replace('.', "_");
    for program in PROGRAMS {
        for door in ["main", "constructor"] {
            for rest in [
                "",
                "0,1,2,3",
                "3,4,0,1",
                "200,201,0,1",
                "x",
                "test,3,4,nobody",
                "99999999999,4,0,1",
            ] {
                let mut command = Command::new(program);
                command.env(&variable, format!("{door},{rest}"));
                let (status, out, err) = output(command);
                assert!(!status.success(), "{program} {door},{rest}:\n{out}\n{err}");
                assert!(!out.contains("all done"), "{out}");
                assert!(out.matches("main runs").count() <= 1, "{out}");
            }
        }
    }
}

#[test]
fn the_heap_has_a_limit_that_is_an_error() {
    let out = run(PROGRAMS[0], |command| {
        command.arg("heap").env("MP_HEAP_LIMIT", "64M");
    });
    assert!(out.ends_with("all done"), "{out}");
    let mut command = Command::new(PROGRAMS[0]);
    command.env("MP_HEAP_LIMIT", "a lot");
    let (status, _, err) = output(command);
    assert!(!status.success() && err.contains("is not a size"), "{err}");
    let out = run(PROGRAMS[0], |command| {
        command.arg("file size");
    });
    assert!(out.ends_with("all done"), "{out}");
}

#[test]
fn no_processes_to_be_had() {
    let directory = Directory::new("nproc");
    let copy = directory.copy_of(PROGRAMS[0]);
    let root = nix::unistd::geteuid().is_root();
    if root
        && std::fs::read_to_string("/proc/self/uid_map")
            .is_ok_and(|map| map.split_whitespace().nth(2) == Some("1"))
    {
        println!(
            "left out: this user namespace has no other user, and root has no limit on processes"
        );
        return;
    }
    let out = run(&copy, |command| {
        command.arg("nproc").current_dir("/");
        if root {
            // Limits do not bind root.
            command.uid(54_321).gid(54_321);
        }
    });
    assert!(out.ends_with("all done"), "{out}");
}

// ---- a full table of descriptors ----

/// Leaves `free` descriptors to be had, as long as what it gives is kept.
fn fill_descriptors(free: usize) -> Vec<File> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a plain call");
    setrlimit(Resource::RLIMIT_NOFILE, 300.min(hard), hard).expect("lower is allowed");
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files.truncate(files.len().saturating_sub(free));
    files
}

#[mp::test]
fn a_full_table_of_descriptors() -> mp::Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    let files = fill_descriptors(0);
    let error = Process::new(sleep_ms, 1)
        .start()
        .expect_err("no descriptor is to be had");
    assert!(error.is_system(), "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
    let error = Pool::new().expect_err("nor for a pool");
    assert!(error.is_system(), "{error}");
    // A pool that is there needs none, until it has to start a worker.
    assert_eq!(pool.map(sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    assert!(pool.apply(end, "kill").expect_err("it dies").is_death());
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    drop(files);
    assert_eq!(Process::new(sleep_ms, 1).start()?.join()?, 1);
    Ok(())
}

#[mp::test]
fn a_nearly_full_table_of_descriptors() -> mp::Result<()> {
    let mut worked = 0;
    for free in 0..24 {
        let files = fill_descriptors(free);
        let tried = Process::new(sleep_ms, 1)
            .stdout(mp::Stdio::null())
            .start()
            .and_then(mp::Child::join);
        let pooled = Pool::builder()
            .workers(2)
            .build()
            .and_then(|pool| pool.map(sleep_ms, [1, 2]));
        drop(files);
        for error in [tried.err(), pooled.err()] {
            match error {
                None => worked += 1,
                Some(error) => assert!(error.is_system() || error.is_death(), "{free}: {error}"),
            }
        }
    }
    assert!(worked > 10, "{worked}");
    Ok(())
}

// ---- panics that abort ----

#[test]
fn panics_come_back_from_programs_that_abort() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .current_dir(&root)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "aborting",
            "-p",
            "mp-tests",
            "--bin",
            "aborting",
        ])
        .args(["--message-format", "json"]);
    let built = build.output().expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let told = String::from_utf8_lossy(&built.stdout);
    let program = told
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next())
        .next_back()
        .expect("cargo says where it is");
    let out = run(program, |command| {
        command.env("RUST_BACKTRACE", "1");
    });
    assert!(out.ends_with("all done"), "{out}");
}

/// Tasks, processes and pools work in a test of the plain kind, too, on whatever thread the harness has put it.
#[test]
fn an_ordinary_test() {
    let pool = Pool::builder().workers(2).build().expect("it can be made");
    assert_eq!(pool.map(sleep_ms, [1, 2]).expect("it works"), [1, 2]);
    assert!(
        Process::new(end, "exit 3")
            .start()
            .expect("it starts")
            .join()
            .is_err()
    );
}
