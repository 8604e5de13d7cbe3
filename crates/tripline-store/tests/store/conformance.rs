//! What every backend has to do. A backend runs [`suite!`] with a function that makes an empty
//! store and whatever must live as long as it.

pub(crate) mod batches;
pub(crate) mod lists;
pub(crate) mod registry;
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
            registry::models: a_model_comes_back_whole,
            registry::models: bytes_of_every_kind_come_back,
            registry::models: the_same_bytes_are_the_same_whatever_their_name,
            registry::models: a_version_is_added_once,
            registry::models: names_of_models_are_only_text,
            registry::models: models_come_by_age_and_filter,
            registry::models: what_people_write_about_a_model_changes_whole,
            registry::models: only_what_judges_nothing_is_deleted,
            registry::models: a_deleted_model_leaves_its_history,
            registry::models: a_deleted_model_comes_back,
            registry::models: a_parent_is_kept_as_told,
            registry::activation: a_life_goes_through_its_stages,
            registry::activation: a_stage_that_is_not_the_expected_one_stays,
            registry::activation: a_place_and_a_name_have_one_active_model,
            registry::activation: other_stages_share_a_place,
            registry::activation: the_way_back_is_a_step_like_any,
            registry::activation: the_epoch_tells_of_every_change_of_models,
            registry::activation: of_two_activations_at_once_one_wins,
            registry::activation: whoever_looks_sees_one_active_model,
            registry::limits: what_is_too_long_about_a_model_is_refused,
            registry::limits: what_is_too_long_about_a_label_is_refused,
            registry::limits: what_is_too_long_about_a_message_is_refused,
            registry::limits: what_is_too_long_about_a_record_is_refused,
            registry::steps: a_step_whose_last_part_fails_leaves_nothing,
            registry::steps: a_step_without_parts_changes_nothing,
            registry::steps: a_part_sees_the_parts_before_it,
            registry::steps: a_registry_begins_empty,
            registry::labels: a_label_comes_back_whole,
            registry::labels: an_author_has_one_word_on_a_verdict,
            registry::labels: labels_that_do_not_agree_stand_beside_each_other,
            registry::labels: each_filter_finds_its_labels,
            registry::labels: labels_that_come_later_do_not_disturb_a_page,
            registry::labels: a_review_changes_whether_a_label_counts,
            registry::labels: labels_outlive_their_verdicts,
            registry::labels: authors_and_notes_are_only_text,
            registry::tasks: a_task_is_kept_when_it_is_as_expected,
            registry::tasks: a_revision_never_comes_twice,
            registry::tasks: of_many_who_count_none_is_lost,
            registry::tasks: a_task_moves_with_what_it_did,
            registry::tasks: tasks_have_nothing_to_do_with_each_other,
            registry::leases: a_lease_has_one_holder,
            registry::leases: a_lease_ends_and_another_takes_it,
            registry::leases: a_holder_that_renews_keeps_its_lease,
            registry::leases: a_clock_set_back_gives_nobody_a_lease_of_another,
            registry::leases: a_clock_set_back_makes_nobody_wait_for_ever,
            registry::leases: of_many_who_ask_one_has_the_lease,
            registry::leases: a_lease_needs_names_that_can_be_kept,
            registry::messages: a_message_comes_back_whole,
            registry::messages: the_longest_waiting_message_is_due_first,
            registry::messages: a_message_is_tried_until_it_is_sent_or_given_up,
            registry::messages: what_became_of_a_message_is_told_once,
            registry::messages: of_several_senders_one_tells_of_each_message,
            registry::records: records_come_by_time,
            registry::records: a_record_of_the_same_time_takes_its_place,
            registry::records: old_records_go_of_every_kind,
            registry::records: retention_of_verdicts_leaves_the_registry_alone,
        }
    };
    ($make:expr; $($($module:ident)::+: $name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let (store, _guard) = $make();
                $crate::conformance::$($module)::+::$name(&store);
            }
        )*
    };
}
pub(crate) use suite;
