//! The origin system's lists of predictions, with its names and shapes; what is in them comes from
//! the verdicts that are stored.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the life of a row"
)]

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use tripline_store::{Counts, Store, StoreError, VerdictFilter, VerdictId};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    healing::Action,
    origin::{AttackPrediction, CompletePrediction, SelfHealingAction, ThreatPrediction},
    query::Params,
    row::Row,
    state::AppState,
    upload::attack_types,
};

/// Newest predictions that come with the figures.
const RECENT_IN_STATS: usize = 20;

/// What is stored, in figures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Verdicts.
    total_predictions: u64,
    /// Threats, and attacks among the rows that no detector judged.
    total_attacks: u64,
    /// The others.
    total_normal: u64,
    /// Attacks in per cent of all.
    attack_rate: f64,
    /// Rows by attack class.
    attack_type_distribution: BTreeMap<String, u64>,
}

/// What is stored, in figures, with the newest predictions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    #[serde(flatten)]
    figures: Figures,
    /// The newest ones.
    recent_predictions: Vec<CompletePrediction>,
}

/// What is stored, in figures.
#[utoipa::path(
    get, path = "/api/v1/predictions/stats", tag = "predictions",
    responses((status = 200, body = Stats))
)]
pub(crate) async fn stats(State(state): State<AppState>) -> Result<Json<Stats>, ApiError> {
    state
        .blocking(|state| {
            let store = state.store();
            let recent = store.list(&VerdictFilter::default(), RECENT_IN_STATS)?;
            Ok(Json(Stats {
                figures: figures(state)?,
                recent_predictions: rows(&recent.verdicts, |row| row.complete()),
            }))
        })
        .await
}

/// What is stored, in figures.
pub(super) fn figures(state: &AppState) -> Result<Figures, ApiError> {
    let store = state.store();
    let counts = store.totals()?.counts;
    let attacks = attacks(counts);
    Ok(Figures {
        total_predictions: counts.total,
        total_attacks: attacks,
        total_normal: counts.total - attacks,
        attack_rate: 100.0 * attacks as f64 / counts.total.max(1) as f64,
        attack_type_distribution: attack_types(store.class_counts()?),
    })
}

/// Threats, and attacks among the rows that no detector judged. Where a detector judges, only its
/// threats are classified, and never as harmless: so of the classified rows those without a
/// threat part are `total - scored`, and of their classes all but the attacks are harmless.
fn attacks(counts: Counts) -> u64 {
    let unscored = counts.total - counts.scored;
    let classified_threats = counts.classified.saturating_sub(unscored);
    counts.threats + counts.attacks.saturating_sub(classified_threats)
}

/// The newest predictions.
#[utoipa::path(
    get, path = "/api/v1/predictions/recent", tag = "predictions",
    params(("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent")),
    responses((status = 200, body = Vec<CompletePrediction>), (status = 422, body = ErrorBody))
)]
pub(crate) async fn recent(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<Vec<CompletePrediction>>, ApiError> {
    params.only(&["limit"])?;
    listed(&state, VerdictFilter::default(), params.limit()?, |row| {
        row.complete()
    })
    .await
}

/// The newest threat predictions.
#[utoipa::path(
    get, path = "/api/v1/predictions/threats", tag = "predictions",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("attacks_only" = Option<bool>, Query, description = "only threats"),
    ),
    responses((status = 200, body = Vec<ThreatPrediction>), (status = 422, body = ErrorBody))
)]
pub(crate) async fn threats(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<Vec<ThreatPrediction>>, ApiError> {
    params.only(&["limit", "attacks_only"])?;
    let filter = VerdictFilter {
        threats_only: params.flag("attacks_only", false)?,
        has_threat: true,
        ..VerdictFilter::default()
    };
    listed(&state, filter, params.limit()?, |row| {
        row.threat_prediction()
    })
    .await
}

/// The newest attack predictions.
#[utoipa::path(
    get, path = "/api/v1/predictions/attacks", tag = "predictions",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("attack_type" = Option<String>, Query, description = "only this class"),
    ),
    responses((status = 200, body = Vec<AttackPrediction>), (status = 422, body = ErrorBody))
)]
pub(crate) async fn attack_predictions(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<Vec<AttackPrediction>>, ApiError> {
    params.only(&["limit", "attack_type"])?;
    let filter = VerdictFilter {
        has_attack: true,
        class_names: params.text("attack_type").map(|name| vec![name.to_owned()]),
        ..VerdictFilter::default()
    };
    listed(&state, filter, params.limit()?, |row| {
        row.attack_prediction()
    })
    .await
}

/// The newest actions. Nothing is carried out.
#[utoipa::path(
    get, path = "/api/v1/predictions/actions", tag = "predictions",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 when absent"),
        ("action_type" = Option<String>, Query, description = "only `restart_service`, `block_ip`, `alert_admin` or `log_only`"),
    ),
    responses((status = 200, body = Vec<SelfHealingAction>), (status = 422, body = ErrorBody))
)]
pub(crate) async fn actions(
    State(state): State<AppState>,
    params: Params,
) -> Result<Json<Vec<SelfHealingAction>>, ApiError> {
    params.only(&["limit", "action_type"])?;
    let limit = params.limit()?;
    let wanted = params.text("action_type").map(ToOwned::to_owned);
    state
        .blocking(move |state| {
            // An action follows from the class, so that the store can filter before its limit.
            let class_names = match wanted {
                None => None,
                Some(wanted) => Some(classes_with(state.store(), &wanted)?),
            };
            let filter = VerdictFilter {
                has_attack: true,
                class_names,
                ..VerdictFilter::default()
            };
            let page = state.store().list(&filter, limit)?;
            Ok(Json(rows(&page.verdicts, |row| row.action())))
        })
        .await
}

fn classes_with(store: &dyn Store, action: &str) -> Result<Vec<String>, StoreError> {
    let classes = store.class_counts()?.into_iter().map(|count| count.class);
    Ok(classes
        .filter(|class| Action::for_class(class).name() == action)
        .collect())
}

/// Rows by attack class.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttackDistribution {
    /// Rows by attack class.
    distribution: BTreeMap<String, u64>,
    /// All of them.
    total_attacks: u64,
}

/// Counts rows by attack class.
#[utoipa::path(
    get, path = "/api/v1/predictions/attack-distribution", tag = "predictions",
    responses((status = 200, body = AttackDistribution))
)]
pub(crate) async fn attack_distribution(
    State(state): State<AppState>,
) -> Result<Json<AttackDistribution>, ApiError> {
    let classes = state.ask(|store| store.class_counts()).await?;
    let distribution = attack_types(classes);
    Ok(Json(AttackDistribution {
        total_attacks: distribution.values().sum(),
        distribution,
    }))
}

/// Rows by action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionDistribution {
    /// Rows by action.
    distribution: BTreeMap<String, u64>,
    /// All of them.
    total_actions: u64,
}

/// Counts rows by action.
#[utoipa::path(
    get, path = "/api/v1/predictions/action-distribution", tag = "predictions",
    responses((status = 200, body = ActionDistribution))
)]
pub(crate) async fn action_distribution(
    State(state): State<AppState>,
) -> Result<Json<ActionDistribution>, ApiError> {
    let classes = state.ask(|store| store.class_counts()).await?;
    let mut distribution = BTreeMap::new();
    for count in &classes {
        *distribution
            .entry(Action::for_class(&count.class).name().to_owned())
            .or_default() += count.total;
    }
    Ok(Json(ActionDistribution {
        total_actions: distribution.values().sum(),
        distribution,
    }))
}

/// One row with everything that is thought of it.
#[utoipa::path(
    get, path = "/api/v1/predictions/{traffic_data_id}", tag = "predictions",
    params(("traffic_data_id" = String, Path)),
    responses((status = 200, body = CompletePrediction), (status = 404, body = ErrorBody))
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<CompletePrediction>, ApiError> {
    let unknown = || ApiError::not_found("Traffic data not found");
    let id: VerdictId = id.parse().map_err(|_| unknown())?;
    let stored = state
        .ask(move |store| store.get(id))
        .await?
        .ok_or_else(unknown)?;
    Row::stored(&stored)
        .complete()
        .map(Json)
        .ok_or_else(unknown)
}

async fn listed<T: Send + 'static>(
    state: &AppState,
    filter: VerdictFilter,
    limit: usize,
    form: fn(&Row<'_>) -> Option<T>,
) -> Result<Json<Vec<T>>, ApiError> {
    state
        .blocking(move |state| {
            let page = state.store().list(&filter, limit)?;
            Ok(Json(rows(&page.verdicts, form)))
        })
        .await
}

fn rows<T>(verdicts: &[tripline_store::StoredVerdict], form: fn(&Row<'_>) -> Option<T>) -> Vec<T> {
    verdicts
        .iter()
        .filter_map(|verdict| form(&Row::stored(verdict)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_as_an_attack_once() {
        // Ten rows that a detector judged, four of them threats of which three were classified;
        // five rows that only a classifier judged, two of them attacks.
        let counts = Counts {
            total: 15,
            scored: 10,
            threats: 4,
            classified: 8,
            attacks: 5,
        };
        assert_eq!(attacks(counts), 6);
        assert_eq!(attacks(Counts::default()), 0);
    }
}
