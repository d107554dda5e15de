//! When a program ends, however it ends, all that it started ends: children, workers, grandchildren; busy, idle, stopped,
//! deaf to every signal. The kernel sees to it; nothing here asserts how fast.

use std::process::Command;

use mp_tests::program::{Program, is_alive, wait_until_gone};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The two doors.
const PROGRAMS: [&str; 2] = [
    env!("CARGO_BIN_EXE_family"),
    env!("CARGO_BIN_EXE_family_plain"),
];

/// A family that is complete: `processes` of them have told their pid, and a moment later the stopped ones have stopped.
fn raise(program: &str, how: &str, processes: usize) -> (Program, Vec<i32>) {
    let mut command = Command::new(program);
    command.arg(how);
    let mut family = Program::start(command);
    family.read_until(|lines| {
        let pids = lines.iter().filter(|line| line.starts_with("pid ")).count();
        pids >= processes && lines.iter().any(|line| line == "ready")
    });
    let pids = family.pids();
    (family, pids)
}

/// All processes of the program's group, told or not (workers that are idle have told nothing).
fn group(of: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("it is mounted");
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| nix::unistd::getpgid(Some(Pid::from_raw(*pid))) == Ok(Pid::from_raw(of)))
        .collect()
}

const FAMILIES: [(&str, usize); 9] = [
    ("busy", 2),
    ("idle", 2),
    ("stopped", 2),
    ("deaf", 2),
    ("many threads", 2),
    ("in a system call", 2),
    ("parents", 10),
    ("pool", 3),
    ("nested", 7),
];

#[test]
fn the_program_is_killed() {
    for program in PROGRAMS {
        for (how, processes) in FAMILIES {
            let (mut family, pids) = raise(program, how, processes);
            let all = group(family.pid());
            assert!(
                pids.iter().all(|pid| all.contains(pid)),
                "{how}: {pids:?} {all:?}"
            );
            kill(Pid::from_raw(family.pid()), Signal::SIGKILL).expect("it is there");
            family.wait();
            wait_until_gone(&all);
        }
    }
}

#[test]
fn the_program_is_killed_while_it_starts_others() {
    for round in 0..30 {
        let (mut family, _) = raise(PROGRAMS[round % 2], "starting", 1 + round);
        let pid = Pid::from_raw(family.pid());
        kill(pid, Signal::SIGKILL).expect("it is there");
        family.wait();
        // Those that had not told anybody yet are in its group.
        let left = group(pid.as_raw());
        wait_until_gone(&left);
        assert!(group(pid.as_raw()).into_iter().all(|pid| !is_alive(pid)));
    }
}

#[test]
fn the_program_ends_by_itself() {
    for program in PROGRAMS {
        for (how, processes) in [
            ("idle and exit", 2),
            ("busy and exit", 2),
            ("pool and exit", 3),
            ("idle and panic", 2),
        ] {
            let (mut family, _) = raise(program, how, processes);
            let all = group(family.pid());
            let status = family.wait();
            assert_eq!(status.success(), how.ends_with("exit"), "{how}: {status}");
            wait_until_gone(&all);
        }
    }
}

#[test]
fn a_signal_to_the_group_or_to_the_program_leaves_nothing() {
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        for (how, processes) in [("busy", 2), ("parents", 10), ("pool", 3), ("nested", 7)] {
            for to_group in [true, false] {
                let (mut family, _) = raise(PROGRAMS[usize::from(to_group)], how, processes);
                let all = group(family.pid());
                let pid = Pid::from_raw(family.pid());
                let sent = if to_group {
                    killpg(pid, signal)
                } else {
                    kill(pid, signal)
                };
                sent.expect("it is there");
                use std::os::unix::process::ExitStatusExt;
                assert_eq!(family.wait().signal(), Some(signal as i32));
                wait_until_gone(&all);
            }
        }
    }
}

#[test]
fn a_program_that_handles_ctrl_c_keeps_its_workers() {
    for program in PROGRAMS {
        let (family, _) = raise(program, "handles SIGINT", 1);
        let pid = Pid::from_raw(family.pid());
        std::thread::sleep(std::time::Duration::from_millis(50));
        killpg(pid, Signal::SIGINT).expect("it is there");
        let (status, _, errors) = family.finish();
        assert!(status.success(), "{errors}");
    }
}

#[test]
fn at_the_end_of_main_children_are_waited_for_and_daemons_ended() {
    let mut command = Command::new(PROGRAMS[0]);
    command.arg("children at the end");
    let family = Program::start(command);
    let pid = family.pid();
    let (status, text, errors) = family.finish();
    assert!(status.success(), "{errors}");
    assert!(text.contains("finished"), "{text}");
    assert!(group(pid).into_iter().all(|pid| !is_alive(pid)));
}
