//! Pools of worker processes: their workers' deaths, nesting, settings, and pools in odd places. What holds for both
//! engines is in `engines`; thousands of pools and kills are in `stress`.

mod callbacks;
mod crowd;
mod crowd_waits;
mod ends;
mod losses;
mod memory;
mod nested;
mod oddities;
mod settings;
mod starts;
