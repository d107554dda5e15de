//! Running a whole program from a test, with a watchdog, and looking at the processes it left.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes; whatever takes longer hangs.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// A program that runs, in a process group of its own, whose output is read as it comes.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
    errors: Receiver<String>,
}

impl Program {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = loop {
            match command.spawn() {
                // A copy that was just made: another test's fork still has it open for writing, for a moment.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                started => break started.expect("the program starts"),
            }
        };
        let (send, lines) = channel();
        let out = child.stdout.take().expect("it is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let (send, errors) = channel();
        let mut err = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        Program {
            child,
            lines,
            seen: Vec::new(),
            errors,
        }
    }

    /// Reads lines until `enough` holds of all that were read.
    pub fn read_until(&mut self, enough: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + WATCHDOG;
        while !enough(&self.seen) {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => self.give_up("it does not say what it should"),
                Err(RecvTimeoutError::Disconnected) => self.give_up("it has closed its output"),
            }
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The pids that were announced as `pid N`.
    pub fn pids(&self) -> Vec<i32> {
        let numbers = self
            .seen
            .iter()
            .filter_map(|line| line.strip_prefix("pid ")?.parse().ok());
        numbers.collect()
    }

    /// Waits for the program itself to end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + WATCHDOG;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            if Instant::now() >= deadline {
                self.give_up("it does not end");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the program and everybody who holds its output; gives what it has written.
    pub fn finish(mut self) -> (ExitStatus, String, String) {
        let status = self.wait();
        let deadline = Instant::now() + WATCHDOG;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.give_up("somebody still holds its output"),
            }
        }
        let errors = self.errors.recv_timeout(WATCHDOG).unwrap_or_default();
        (status, self.seen.join("\n"), errors)
    }

    fn give_up(&mut self, why: &str) -> ! {
        // SAFETY-relevant to nobody else: the group is that of the program.
        let _ = nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(self.pid()),
            nix::sys::signal::Signal::SIGKILL,
        );
        let _ = self.child.wait();
        let errors = self
            .errors
            .recv_timeout(Duration::from_secs(2))
            .unwrap_or_default();
        panic!("{why}:\n{}\n{errors}", self.seen.join("\n"));
    }
}

/// Runs a command to its end.
pub fn output(command: Command) -> (ExitStatus, String, String) {
    Program::start(command).finish()
}

/// Runs a test of the running test program once more, by its full name, with a variable set; `None` where this is that run.
pub fn again(test: &str, variable: &str, value: &str) -> Option<(ExitStatus, String, String)> {
    if std::env::var_os(variable).is_some() {
        return None;
    }
    let exe = std::env::current_exe().expect("this program has a file");
    let mut command = Command::new(exe);
    command
        .args(["--exact", "--nocapture", test])
        .env(variable, value);
    let (status, out, errors) = output(command);
    assert!(status.success(), "{out}\n{errors}");
    assert!(out.contains("1 passed"), "{out}");
    Some((status, out, errors))
}

/// Whether the process is there and not a zombie.
pub fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(!stat.rsplit_once(") ")?.1.starts_with('Z')))
        .unwrap_or(false)
}

/// Waits until all of them are gone.
pub fn wait_until_gone(pids: &[i32]) {
    let deadline = Instant::now() + WATCHDOG;
    loop {
        let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        if left.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            for pid in &left {
                let pid = nix::unistd::Pid::from_raw(**pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            panic!("these processes have outlived the program: {left:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
