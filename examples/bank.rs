//! A bank whose tellers are killed at random in the middle of their work: no cent is lost.
//!
//! The accounts are an [`mp::Array`] under its lock, and every teller is a process that moves money between two of them.
//! A teller that is killed between taking the money here and putting it there leaves the accounts half-way, and the lock to
//! whoever is next: who is told so, and by which process. Beside the accounts there is a note (an [`mp::Value`], which is never half-written) of
//! the transfer that is under way, from which the books are put right.
//!
//! Run it: `cargo run --release --example bank -- [KILLS [SEED]]`

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mp::{Array, ArrayGuard, Atomic, Child, Failure, LockError, Process, Value};

const ACCOUNTS: usize = 50;
const EACH: i64 = 1000;
const TELLERS: usize = 3;
const KILLS: u32 = 60;

/// A transfer under way: the balances that both accounts have before it.
#[derive(Clone, Copy, Default, mp::Plain)]
#[repr(C)]
struct Note {
    from: u32,
    to: u32,
    balances: [i64; 2],
    under_way: bool,
}

/// All that the tellers share.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Bank {
    accounts: Array<i64>,
    note: Value<Note>,
    transfers: Atomic<u64>,
    repairs: Atomic<u64>,
}

impl Bank {
    fn open() -> mp::Result<Self> {
        Ok(Bank {
            accounts: Array::filled(EACH, ACCOUNTS)?,
            note: Value::new(Note::default())?,
            transfers: Atomic::new(0)?,
            repairs: Atomic::new(0)?,
        })
    }

    /// The accounts, put right if whoever had them before has died.
    fn accounts(&self) -> mp::Result<ArrayGuard<'_, i64>> {
        match self.accounts.lock() {
            Ok(accounts) => Ok(accounts),
            Err(LockError::Poisoned(dead)) => {
                let mut accounts = dead.into_guard();
                let note = self.note.get()?;
                if note.under_way {
                    accounts[note.from as usize] = note.balances[0];
                    accounts[note.to as usize] = note.balances[1];
                    self.note.set(Note::default())?;
                    self.repairs.fetch_add(1, Relaxed);
                }
                Ok(accounts)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn transfer(&self, from: usize, to: usize, amount: i64) -> mp::Result<()> {
        let mut accounts = self.accounts()?;
        self.note.set(Note {
            from: from as u32,
            to: to as u32,
            balances: [accounts[from], accounts[to]],
            under_way: true,
        })?;
        accounts[from] -= amount;
        // A good moment to be killed: the money is nowhere.
        for _ in 0..200 {
            std::hint::spin_loop();
        }
        accounts[to] += amount;
        self.note.set(Note::default())?;
        drop(accounts);
        self.transfers.fetch_add(1, Relaxed);
        Ok(())
    }

    fn sum(&self) -> mp::Result<i64> {
        Ok(self.accounts()?.iter().sum())
    }
}

/// Moves money about until it is killed.
#[mp::task]
fn teller(bank: Bank, seed: u64) -> Result<(), Failure> {
    let mut random = seed | 1;
    let mut below = |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % end
    };
    loop {
        let from = below(ACCOUNTS as u64) as usize;
        let to = (from + 1 + below(ACCOUNTS as u64 - 1) as usize) % ACCOUNTS;
        bank.transfer(from, to, below(100) as i64)?;
    }
}

mp::main!(run);

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let kills = arguments.next().map_or(Ok(KILLS), |text| text.parse())?;
    let mut seed = arguments.next().map_or(Ok(2026), |text| text.parse())?;

    let bank = Bank::open()?;
    let before = bank.sum()?;
    let hire = |seed: u64| {
        Process::new(teller, (bank.clone(), seed))
            .daemon(true)
            .start()
    };
    let mut tellers: Vec<Child<()>> = Vec::new();
    for _ in 0..TELLERS {
        seed += 1;
        tellers.push(hire(seed)?);
    }
    for kill in 0..kills {
        std::thread::sleep(Duration::from_micros(1000 + u64::from(kill) * 7919 % 2000));
        let unlucky = tellers.swap_remove(kill as usize % TELLERS);
        unlucky.kill()?;
        if unlucky.join().is_ok() {
            return Err("a teller went home by itself".into());
        }
        let sum = bank.sum()?;
        if sum != before {
            return Err(
                format!("there were {before}, and after {kill} kills there are {sum}").into(),
            );
        }
        seed += 1;
        tellers.push(hire(seed)?);
    }
    for left in tellers {
        left.kill()?;
        let _ = left.join();
    }
    println!(
        "{kills} tellers were killed in {} transfers; {} transfers were found half-way and undone",
        bank.transfers.load(Relaxed),
        bank.repairs.load(Relaxed)
    );
    println!("there were {before}, and there are {}", bank.sum()?);
    Ok(())
}
