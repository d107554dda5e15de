//! Tasks that can fail, with the errors that people use: text and causes arrive at the caller, in
//! processes and in pools.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use mp::{Context as _, Failure, Pool};

/// An error with a cause, as derive macros write them.
#[derive(Debug)]
struct NoConfig(std::num::ParseIntError);

impl fmt::Display for NoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is unreadable")
    }
}

impl StdError for NoConfig {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn config(text: &str) -> Result<u64, NoConfig> {
    text.parse().map_err(NoConfig)
}

const NO_CONFIG: &str = "the configuration is unreadable";
const NO_NUMBER: &str = "invalid digit found in string";

mod alias {
    /// An alias as crates have them.
    pub(crate) type Result<T, E = super::NoConfig> = std::result::Result<T, E>;
    /// One whose name does not say what it is.
    pub(crate) type Outcome<T> = std::result::Result<T, super::Failure>;
    /// One whose argument is the error.
    pub(crate) type Done<E> = std::result::Result<(), E>;
}

#[mp::task]
fn by_anyhow(text: &str) -> anyhow::Result<u64> {
    config(text).map_err(|error| anyhow::Error::from(error).context("starting"))
}

#[mp::task]
fn by_anyhow_in_full(text: &str) -> Result<u64, anyhow::Error> {
    by_anyhow(text)
}

#[mp::task]
fn by_eyre(text: &str) -> eyre::Result<u64> {
    config(text).map_err(|error| eyre::Report::from(error).wrap_err("starting"))
}

#[mp::task]
fn by_eyre_in_full(text: &str) -> Result<u64, eyre::Report> {
    by_eyre(text)
}

#[mp::task]
fn by_box(text: &str) -> Result<u64, Box<dyn StdError>> {
    Ok(config(text)?)
}

#[mp::task]
fn by_send_box(text: &str) -> Result<u64, Box<dyn StdError + Send>> {
    config(text).map_err(|error| Box::new(error) as _)
}

#[mp::task]
fn by_sync_box(text: &str) -> Result<u64, Box<dyn StdError + Send + Sync + 'static>> {
    Ok(config(text)?)
}

#[mp::task]
fn by_alias(text: &str) -> alias::Result<u64> {
    config(text)
}

#[mp::task(fallible)]
fn by_attribute(text: &str) -> Result<u64, NoConfig> {
    config(text)
}

#[mp::task]
fn by_failure(text: &str) -> Result<u64, Failure> {
    Ok(config(text)?)
}

#[mp::task(fallible)]
fn by_odd_alias(text: &str) -> alias::Outcome<u64> {
    config(text).context("starting")
}

#[mp::task(fallible)]
fn by_done(text: &str) -> alias::Done<NoConfig> {
    config(text).map(drop)
}

/// The texts of an error and of what caused it.
fn texts(error: &mp::Error) -> Vec<String> {
    let mut texts = vec![error.message().to_owned()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts
}

/// What a task gives in a process of its own and in a pool, with a good argument and with a bad
/// one.
macro_rules! check {
    ($pool:ident, $task:ident, $good:expr, $causes:expr) => {
        assert_eq!($task.run("7").unwrap(), $good);
        let error = $task.run("x").unwrap_err();
        assert!(error.is_task(), "{error}");
        assert_eq!(texts(&error), $causes, "{error:?}");
        assert_eq!(error.task(), Some(concat!("fallible::", stringify!($task))));
        assert_eq!($pool.map($task, ["7", "7"]).unwrap(), [$good, $good]);
        let error = $pool.map($task, ["7", "x", "7"]).unwrap_err();
        assert!(error.is_task() && error.item() == Some(1), "{error}");
        assert_eq!(texts(&error), $causes, "{error:?}");
    };
}

#[mp::test]
fn text_and_causes_arrive() {
    let pool = Pool::builder().workers(2).build().unwrap();
    let (plain, started) = ([NO_CONFIG, NO_NUMBER], ["starting", NO_CONFIG, NO_NUMBER]);
    check!(pool, by_anyhow, 7, started);
    check!(pool, by_anyhow_in_full, 7, started);
    check!(pool, by_eyre, 7, started);
    check!(pool, by_eyre_in_full, 7, started);
    check!(pool, by_box, 7, plain);
    check!(pool, by_send_box, 7, plain);
    check!(pool, by_sync_box, 7, plain);
    check!(pool, by_alias, 7, plain);
    check!(pool, by_attribute, 7, plain);
    check!(pool, by_failure, 7, plain);
    check!(pool, by_odd_alias, 7, started);
    check!(pool, by_done, (), plain);
}

#[mp::task]
fn by_io(path: PathBuf) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

#[mp::task]
fn by_mp(text: &str) -> mp::Result<u64> {
    by_failure.run(text)
}

#[mp::task]
fn by_mp_in_full(text: &str) -> Result<u64, mp::Error> {
    by_failure.run(text)
}

#[mp::test]
fn errors_of_std_and_of_this_library() {
    let error = by_io.run("/no/such/file".into()).unwrap_err();
    assert!(error.is_task(), "{error}");
    assert!(error.message().contains("No such file"), "{error}");
    for error in [
        by_mp.run("x").unwrap_err(),
        by_mp_in_full.run("x").unwrap_err(),
    ] {
        assert!(error.is_task() && error.task().is_some_and(|task| task.contains("by_mp")));
        let texts = texts(&error);
        assert!(texts[0].contains("fallible::by_failure"), "{texts:?}");
        assert!(texts[0].contains(NO_CONFIG), "{texts:?}");
        assert_eq!(texts[1..], [NO_NUMBER], "{texts:?}");
    }
    assert_eq!(by_mp.run("7").unwrap(), 7);
}

/// Converts into a box and is no error itself.
#[derive(Debug)]
struct Report;

impl From<Report> for Box<dyn StdError> {
    fn from(_: Report) -> Self {
        Box::new(NoConfig("x".parse::<u8>().unwrap_err()))
    }
}

/// Has a text and is no error.
struct Words;

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in words")
    }
}

#[derive(Debug)]
enum Code {
    NotFound,
}

#[mp::task(fallible)]
fn of_text(text: &str) -> Result<(), String> {
    Err(text.to_owned())
}

#[mp::task(fallible)]
fn of_borrowed(text: &str) -> Result<(), &str> {
    Err(text)
}

#[mp::task(fallible)]
fn of_report() -> Result<(), Report> {
    Err(Report)
}

#[mp::task(fallible)]
fn of_words() -> Result<(), Words> {
    Err(Words)
}

#[mp::task(fallible)]
fn of_code() -> Result<(), Code> {
    Err(Code::NotFound)
}

#[mp::task(fallible = false)]
fn value_of_an_alias(x: u64) -> alias::Result<u64, String> {
    x.checked_sub(1).ok_or_else(|| "none left".to_owned())
}

#[mp::task]
fn plain_value(x: u64) -> Result<u64, String> {
    value_of_an_alias(x)
}

#[test]
fn whatever_has_a_text_can_fail_a_task() {
    let texts_of = |ran: mp::Result<()>| texts(&ran.unwrap_err());
    assert_eq!(texts_of(of_text.run("text")), ["text"]);
    assert_eq!(texts_of(of_borrowed.run("borrowed")), ["borrowed"]);
    assert_eq!(texts_of(of_report.run()), [NO_CONFIG, NO_NUMBER]);
    assert_eq!(texts_of(of_words.run()), ["in words"]);
    assert_eq!(texts_of(of_code.run()), ["NotFound"]);
}

#[test]
fn other_results_are_values() {
    for task in [*plain_value, *value_of_an_alias] {
        assert_eq!(task(1), Ok(0));
    }
    assert_eq!(plain_value.run(1).unwrap(), Ok(0));
    assert_eq!(plain_value.run(0).unwrap(), Err("none left".to_owned()));
    assert_eq!(value_of_an_alias.run(0).unwrap(), plain_value(0));
    // Called here, a task that can fail gives what it says.
    assert_eq!(by_alias("x").unwrap_err().to_string(), NO_CONFIG);
    assert_eq!(of_text("here"), Err("here".to_owned()));
}

/// Errors of every kind, by the number.
#[mp::task]
fn question_mark(kind: u32) -> Result<u32, Failure> {
    let text = || Err::<u32, _>(String::from("a string"));
    let words = || Err::<u32, _>("words");
    let boxed = || Err::<u32, Box<dyn StdError>>("a box".into());
    let send = || Err::<u32, Box<dyn StdError + Send + Sync>>("a box that is sent".into());
    let lock = std::sync::Mutex::new(3);
    Ok(match kind {
        0 => text()?,
        1 => words()?,
        2 => boxed()?,
        3 => send().map_err(Failure::from_boxed)?,
        4 => by_anyhow("x").map(|_| 0)?,
        5 => by_eyre("x").map(|_| 0)?,
        6 => by_failure("x").map(|_| 0)?,
        7 => return Err("into".into()),
        8 => by_failure.run("x").map(|_| 0)?,
        // An error with a borrow in it, and one that stays on its thread.
        9 => lock.lock().map(|value| *value)?,
        10 => *mp::Value::new(5_u32)?.lock()?,
        _ => "x".parse()?,
    })
}

#[test]
fn question_marks_make_failures() {
    let said = |kind| {
        let failure = question_mark(kind).unwrap_err();
        (failure.message().to_owned(), failure.causes().join(", "))
    };
    let pair = |message: &str, causes: &str| (message.to_owned(), causes.to_owned());
    let causes = format!("{NO_CONFIG}, {NO_NUMBER}");
    assert_eq!(said(0), pair("a string", ""));
    assert_eq!(said(1), pair("words", ""));
    assert_eq!(said(2), pair("a box", ""));
    assert_eq!(said(3), pair("a box that is sent", ""));
    assert_eq!(said(4), pair("starting", &causes));
    assert_eq!(said(5), pair("starting", &causes));
    assert_eq!(said(6), pair(NO_CONFIG, NO_NUMBER));
    assert_eq!(said(7), pair("into", ""));
    assert!(said(8).0.contains("by_failure") && said(8).1 == NO_NUMBER);
    assert_eq!(said(11), pair(NO_NUMBER, ""));
    assert_eq!(
        (question_mark(9).unwrap(), question_mark(10).unwrap()),
        (3, 5)
    );
}

/// Everything that makes a failure in one word, by the number.
#[mp::task]
fn in_a_word(kind: u32) -> Result<u32, Failure> {
    let send = || Err::<u32, Box<dyn StdError + Send + Sync>>("inside".into());
    match kind {
        0 => mp::bail!("plain {{}}"),
        1 => mp::bail!("kind {kind}"),
        2 => mp::bail!("kind {} of {of}", kind, of = 9),
        3 => mp::bail!(NoConfig("x".parse::<u8>().unwrap_err())),
        4 => mp::bail!(send().unwrap_err()),
        5 => mp::bail!(Failure::new("one of its own")),
        6 => mp::bail!(Words),
        7 => mp::ensure!(kind == 8 || kind > 10),
        8 => mp::ensure!(kind == 7, "no {}", kind),
        9 => mp::ensure!(kind == 9, Words),
        10 => return send().context("outside"),
        11 => return None.context("nothing"),
        12 => {
            let found = config("x").with_context(|| format!("kind {kind}"));
            return found.map(|_| 0).context("outermost");
        }
        _ => return Some(kind).with_context(|| -> String { unreachable!("it is there") }),
    }
    Ok(kind)
}

#[test]
fn bail_ensure_and_context() {
    let said = |kind| match in_a_word.run(kind) {
        Ok(value) => vec![value.to_string()],
        Err(error) => texts(&error),
    };
    assert_eq!(said(0), ["plain {}"]);
    assert_eq!(said(1), ["kind 1"]);
    assert_eq!(said(2), ["kind 2 of 9"]);
    assert_eq!(said(3), [NO_CONFIG, NO_NUMBER]);
    assert_eq!(said(4), ["inside"]);
    assert_eq!(said(5), ["one of its own"]);
    assert_eq!(said(6), ["in words"]);
    assert_eq!(said(7), ["Condition failed: `kind == 8 || kind > 10`"]);
    assert_eq!(said(8), ["no 8"]);
    assert_eq!(said(9), ["9"]);
    assert_eq!(said(10), ["outside", "inside"]);
    assert_eq!(said(11), ["nothing"]);
    assert_eq!(said(12), ["outermost", "kind 12", NO_CONFIG, NO_NUMBER]);
    assert_eq!(said(13), ["13"]);
}

/// Fails until it has been run `times` times: one byte of the file for each run.
#[mp::task]
fn in_the_end(file: &str, times: u64) -> anyhow::Result<u64> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    file.write_all(b".")?;
    let run = file.metadata()?.len();
    anyhow::ensure!(run >= times, "run {run} of {times}");
    Ok(run)
}

#[mp::test]
fn retries_count_them() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let file = std::env::temp_dir().join(format!("mp-fallible-{}", std::process::id()));
    let path = file.to_str().unwrap();
    let fresh = || {
        let _ = std::fs::remove_file(path);
    };
    fresh();
    let run = pool.on(in_the_end).retries(2).apply((path, 3));
    assert_eq!(run.unwrap(), 3);
    fresh();
    let error = pool.on(in_the_end).retries(2).apply((path, 5)).unwrap_err();
    assert_eq!((error.message(), error.attempt()), ("run 3 of 5", Some(3)));
    fresh();
    let error = pool.apply(in_the_end, (path, 5)).unwrap_err();
    assert_eq!(error.message(), "run 1 of 5");
    fresh();
}

#[mp::task]
fn add(a: u64, b: u64) -> anyhow::Result<u64> {
    a.checked_add(b).ok_or_else(|| anyhow::anyhow!("too many"))
}

#[mp::task]
fn up_to(limit: u64, x: u64) -> anyhow::Result<u64> {
    anyhow::ensure!(x < limit, "{x} is beyond {limit}");
    Ok(x)
}

/// Every call of a pool gives the value alone, and an error as the task's.
#[mp::test]
fn all_calls_of_a_pool_agree() {
    let pool = Pool::builder().workers(2).build().unwrap();
    let below = |limit: u64| (0..100_u64).map(move |x| (limit, x));
    let expected: Vec<u64> = (0..100).collect();
    assert_eq!(pool.map(up_to, below(100)).unwrap(), expected);
    assert_eq!(pool.map_reduce(up_to, add, below(100)).unwrap(), Some(4950));
    assert_eq!(pool.apply_async(up_to, (3, 2)).unwrap().get().unwrap(), 2);

    let each = pool.on(up_to).chunk_size(7).try_map(below(50)).unwrap();
    let streamed: Vec<_> = pool.imap(up_to, below(50)).unwrap().collect();
    for results in [each, streamed] {
        assert_eq!(results.len(), 100);
        for (item, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert!(value == item as u64 && item < 50),
                Err(error) => {
                    assert!(error.is_task() && error.item() == Some(item), "{error}");
                    assert_eq!(error.message(), format!("{item} is beyond 50"));
                }
            }
        }
    }
    let error = pool.map(up_to, below(99)).unwrap_err();
    assert_eq!(error.message(), "99 is beyond 99");
    let error = pool.map_reduce(up_to, add, below(99)).unwrap_err();
    assert_eq!(
        (error.message(), error.item()),
        ("99 is beyond 99", Some(99))
    );
    let huge = [(u64::MAX, u64::MAX - 1); 2];
    let error = pool
        .on(up_to)
        .chunk_size(2)
        .map_reduce(add, huge)
        .unwrap_err();
    assert!(error.is_task(), "{error}");
    assert_eq!(error.message(), "too many");
    let error = pool.apply_async(up_to, (1, 2)).unwrap().get().unwrap_err();
    assert!(error.is_task() && error.message() == "2 is beyond 1");
}
