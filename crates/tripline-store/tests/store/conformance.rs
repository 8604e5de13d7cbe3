//! What every backend has to do. A backend runs [`suite!`] with a function that makes an empty
//! store and whatever must live as long as it.

pub(crate) mod batches;
pub(crate) mod lists;
pub(crate) mod stages;
pub(crate) mod verdicts;

/// One test for each promise.
macro_rules! suite {
    ($make:expr) => {
        $crate::conformance::suite! { $make;
            batches: a_batch_is_kept_as_told,
            batches: a_batch_that_is_started_again_is_the_same,
            batches: batches_come_newest_first_in_pages,
            batches: unknown_batches_are_refused,
            batches: a_stream_is_no_batch,
            batches: a_stream_is_continued,
            lists: each_filter_finds_its_rows,
            lists: filters_apply_before_limits,
            lists: every_row_is_seen_once_by_cursor,
            lists: rows_that_come_later_do_not_disturb_a_cursor,
            lists: hostile_filters_find_nothing,
            lists: a_made_up_cursor_is_harmless,
            verdicts: a_verdict_comes_back_whole,
            verdicts: a_repeat_changes_nothing,
            stages: a_later_stage_supersedes_and_no_earlier_one,
            stages: counts_follow_a_verdict_that_is_superseded,
            stages: a_flow_that_retention_took_comes_anew,
            stages: sources_are_kept_by_name,
            verdicts: a_bad_row_keeps_its_block_out,
            verdicts: made_up_identifiers_are_not_found,
            verdicts: rows_of_a_batch_come_in_order,
            verdicts: models_are_those_of_the_block,
            verdicts: counts_are_by_kind_and_class,
            verdicts: a_timeline_has_every_bucket,
            verdicts: retention_by_age_deletes_the_oldest,
            verdicts: retention_forgets_emptied_batches_only,
            verdicts: nothing_of_an_empty_store,
        }
    };
    ($make:expr; $($module:ident: $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let (store, _guard) = $make();
                $crate::conformance::$module::$name(&store);
            }
        )*
    };
}
pub(crate) use suite;
