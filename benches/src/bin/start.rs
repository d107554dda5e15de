#![allow(unsafe_code)]
//! Starts processes in every way there is to compare, and prints what one start-and-join took.
//!
//! A program of its own, so that what is executed again is small. `start WHAT COUNT [AT_ONCE]` prints one number:
//! microseconds per process, or for `idle` the memory of an idle worker in MiB. Relies on nothing but `mp` and libc.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Gives its argument back: the least a task can do and still be seen to have run.
#[mp::task]
fn echo(x: u64) -> u64 {
    x
}

mp::main!(run);

fn run() -> ExitCode {
    // What `self` starts: the same binary, back at once.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|what| what == "return")
    {
        return ExitCode::SUCCESS;
    }
    // SAFETY: alarm has no conditions; its signal ends this program, whatever it waits for.
    unsafe { libc::alarm(100) };
    match measure() {
        Ok(value) => {
            println!("{value}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome<f64> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map_or(Ok(1), |text| text.parse::<u32>());
    let (what, count, at_once) = (
        arguments.first().map(String::as_str),
        number(1)?,
        number(2)?,
    );
    match what {
        Some("tiny") => {
            let path = arguments.get(3).ok_or("which program?")?.clone();
            spawned(&path, &[], count, at_once)
        }
        Some("self") => {
            let path = CString::new(std::env::current_exe()?.into_os_string().into_vec())?
                .into_string()?;
            spawned(&path, &["return"], count, at_once)
        }
        Some("fork") => timed(count, at_once, fork, wait),
        Some("mp") => timed(
            count,
            at_once,
            || Ok(mp::Process::new(echo, 7).start()?),
            seven,
        ),
        Some("forkserver") => timed(
            count,
            at_once,
            || {
                let process = mp::Process::new(echo, 7);
                Ok(process.start_method(mp::StartMethod::ForkServer).start()?)
            },
            seven,
        ),
        Some(what @ ("pool" | "forkserver-pool")) => timed(
            count,
            1,
            || {
                let method = match what {
                    "pool" => mp::StartMethod::Spawn,
                    _ => mp::StartMethod::ForkServer,
                };
                Ok(mp::Pool::builder()
                    .workers(2)
                    .start_method(method)
                    .build()?)
            },
            |pool| {
                pool.apply(echo, 7)?;
                pool.close();
                Ok(pool.join()?)
            },
        ),
        Some("pss") => idle("Pss:", count),
        Some("dirty") => idle("Private_Dirty:", count),
        _ => Err("tiny, self, fork, mp, forkserver, pool, forkserver-pool, pss or dirty?".into()),
    }
}

fn seven(child: mp::Child<u64>) -> Outcome {
    if child.join()? == 7 {
        Ok(())
    } else {
        Err("the wrong value".into())
    }
}

/// Microseconds per process: `count` times `at_once` are started, then all of them joined.
fn timed<C>(
    count: u32,
    at_once: u32,
    start: impl Fn() -> Outcome<C>,
    join: impl Fn(C) -> Outcome,
) -> Outcome<f64> {
    // Once for nothing: page cache, the session, the allocator.
    join(start()?)?;
    let began = Instant::now();
    let mut running = Vec::with_capacity(at_once as usize);
    for _ in 0..count {
        for _ in 0..at_once {
            running.push(start()?);
        }
        for child in running.drain(..) {
            join(child)?;
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(count * at_once))
}

fn spawned(path: &str, arguments: &[&str], count: u32, at_once: u32) -> Outcome<f64> {
    let path = CString::new(path)?;
    let arguments: Vec<CString> = arguments
        .iter()
        .map(|text| CString::new(*text))
        .collect::<Result<_, _>>()?;
    let mut argv: Vec<*mut libc::c_char> = vec![path.as_ptr().cast_mut()];
    argv.extend(arguments.iter().map(|text| text.as_ptr().cast_mut()));
    argv.push(std::ptr::null_mut());
    let environment: Vec<CString> = std::env::vars_os()
        .map(|(name, value)| {
            CString::new([name.into_vec(), b"=".to_vec(), value.into_vec()].concat())
        })
        .collect::<Result<_, _>>()?;
    let mut envp: Vec<*mut libc::c_char> = environment
        .iter()
        .map(|text| text.as_ptr().cast_mut())
        .collect();
    envp.push(std::ptr::null_mut());
    let start = || {
        let mut pid = 0;
        // SAFETY: path, argv and envp are NUL-terminated and outlive the call; no actions and no attributes are given.
        let error = unsafe {
            libc::posix_spawn(
                &mut pid,
                path.as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                argv.as_ptr(),
                envp.as_ptr(),
            )
        };
        if error == 0 {
            Ok(pid)
        } else {
            Err(std::io::Error::from_raw_os_error(error).into())
        }
    };
    timed(count, at_once, start, wait)
}

fn fork() -> Outcome<libc::pid_t> {
    // SAFETY: this program has one thread here, and the child does nothing but end.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().into()),
        // SAFETY: ends this copy, without running anything of the original.
        0 => unsafe { libc::_exit(0) },
        pid => Ok(pid),
    }
}

fn wait(pid: libc::pid_t) -> Outcome {
    let mut status = 0;
    // SAFETY: status outlives the call.
    match unsafe { libc::waitpid(pid, &mut status, 0) } {
        -1 => Err(std::io::Error::last_os_error().into()),
        _ if status != 0 => Err(format!("ended with status {status}").into()),
        _ => Ok(()),
    }
}

/// What the kernel says of an idle worker's memory, in MiB; the mean over a pool of `workers`.
fn idle(line: &str, workers: u32) -> Outcome<f64> {
    let pool = mp::Pool::builder().workers(workers as usize).build()?;
    // Something to do for everybody, so that none is weighed before it has begun.
    pool.map(echo, 0..1000 * u64::from(workers))?;
    let pids = pool.worker_pids();
    std::thread::sleep(Duration::from_millis(100));
    let mut kilobytes = 0_u64;
    for pid in &pids {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let value = text
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .ok_or("no such line")?;
        kilobytes += value.trim().trim_end_matches(" kB").parse::<u64>()?;
    }
    Ok(kilobytes as f64 / 1024.0 / pids.len() as f64)
}
