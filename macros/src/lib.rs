//! The doors of the procedural macros; what is behind them is in `task`, `entry` and `plain`.
