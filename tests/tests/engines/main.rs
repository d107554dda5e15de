//! One suite over both engines of a pool: what holds for worker processes holds for tasks that run in this process. Each
//! function of the suite is a test of its own for each engine, in a process of its own, judged for what it leaves behind.

mod calls;
mod ends;
mod failures;
mod handles;
mod tasks;

use mp::Pool;

/// Pools of one engine, as a test asks for them.
#[derive(Clone, Copy)]
struct Engine {
    inline: bool,
}

impl Engine {
    fn pool(self, workers: usize) -> mp::Result<Pool> {
        Pool::builder().workers(workers).inline(self.inline).build()
    }
}

/// How a test of the suite ends.
type Verdict = Result<(), Box<dyn std::error::Error>>;

macro_rules! on_both_engines {
    ($($module:ident: $($name:ident)*;)*) => {
        mod workers {
            $($(
                #[mp::test]
                fn $name() -> super::Verdict {
                    super::$module::$name(super::Engine { inline: false })
                }
            )*)*
        }
        mod inline {
            $($(
                #[mp::test]
                fn $name() -> super::Verdict {
                    super::$module::$name(super::Engine { inline: true })
                }
            )*)*
        }
    };
}

on_both_engines! {
    calls:
        nothing_one_and_many_items
        items_of_every_kind
        data_are_lent
        values_without_size
        large_items_and_large_results
        many_small_items
        chunks_of_every_size
        reduce_keeps_the_order
        many_threads_call_one_pool
        different_tasks_at_the_same_time;
    failures:
        a_failure_names_its_item
        a_panic_names_its_item_and_its_place
        the_users_own_results_are_values
        the_first_error_ends_an_endless_input
        an_item_that_cannot_be_encoded
        a_result_that_cannot_be_encoded_or_dropped
        an_input_that_panics_half_way
        an_output_that_panics_when_decoded
        a_reducer_that_fails
        the_pool_goes_on_after_every_error;
    handles:
        get_wait_and_ready
        handles_in_any_order
        a_handle_is_a_future
        a_handle_that_is_dropped
        a_value_can_be_taken_once
        errors_come_through_handles;
    ends:
        close_and_join
        join_needs_close
        terminate_calls_everything_off
        ends_in_any_order_and_twice
        dropped_with_work_queued
        ended_from_another_thread
        clones_are_one_pool;
}
