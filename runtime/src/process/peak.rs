//! What can be known of the memory of a process that is no more: its peak, and whether the kernel killed it for want of memory.
//!
//! The peak comes with the exit status. The kernel counts into it what the process was before `execve`, a copy of its parent:
//! so a peak that is no higher than the parent's own says nothing. Kills for want of memory are counted by the cgroup, and by
//! the whole system; a count that has risen since the last death makes it likely, not certain.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The counter of out-of-memory kills, and what it said last.
struct Counter {
    path: PathBuf,
    last: Mutex<(u64, Option<Instant>)>,
}

/// One rise may stand for several kills: deaths that are seen so soon after it count, too.
const SOON: Duration = Duration::from_secs(1);

static COUNTER: OnceLock<Option<Counter>> = OnceLock::new();

/// The number behind `oom_kill` in one of the kernel's lists.
fn kills(text: &str) -> Option<u64> {
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

/// The list nearest to this process: its cgroup's, else the system's.
fn find() -> Option<Counter> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = cgroup
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(|path| PathBuf::from(format!("/sys/fs/cgroup{path}/memory.events")));
    let places = own.into_iter().chain([PathBuf::from("/proc/vmstat")]);
    for path in places {
        if let Some(count) = fs::read_to_string(&path).ok().as_deref().and_then(kills) {
            let last = Mutex::new((count, None));
            return Some(Counter { path, last });
        }
    }
    None
}

/// Takes note of the count as it is, before anything dies.
pub(crate) fn watch() {
    COUNTER.get_or_init(find);
}

/// Whether there have been such kills since the last time this was asked.
pub(crate) fn killed_for_memory() -> bool {
    let Some(Some(counter)) = COUNTER.get() else {
        return false;
    };
    let now = fs::read_to_string(&counter.path)
        .ok()
        .as_deref()
        .and_then(kills);
    let mut last = counter.last.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, rise) = &mut *last;
    if let Some(now) = now.filter(|now| now > count) {
        (*count, *rise) = (now, Some(Instant::now()));
    }
    rise.is_some_and(|rise| rise.elapsed() < SOON)
}

#[cfg(test)]
mod tests {
    use super::kills;

    #[test]
    fn both_lists_are_read() {
        assert_eq!(
            kills("low 0\noom 3\noom_kill 2\noom_group_kill 1\n"),
            Some(2)
        );
        assert_eq!(kills("nr_free_pages 3\noom_kill 17\n"), Some(17));
        assert_eq!(kills("oom_killer 1\n"), None);
    }
}
