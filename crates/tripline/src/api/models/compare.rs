//! Two models on the same labelled rows.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use tripline_lifecycle::{Agreement, Comparison, Disagreement, Evaluation, LabelledRows};
use utoipa::ToSchema;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        insight::labelled,
        query::Params,
        state::AppState,
    },
    body::ModelBody,
    find,
};

/// Disagreements that are told.
const SHOWN: usize = 100;
/// What the labelled traffic is called.
const LABELS: &str = "labels";

/// Two models on the same labelled rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparisonBody {
    /// What they can be compared on.
    on: Vec<DataBody>,
    /// What they were compared on here.
    data: String,
    /// Rows that both were asked about.
    rows: usize,
    /// The first.
    a: ComparedModel,
    /// The second.
    b: ComparedModel,
    /// How often they say the same, and who is right where they do not: `rows`, `agreed`,
    /// `only_a_right`, `only_b_right`, `both_wrong_differently`, and the exact `p_value` of
    /// `McNemar`'s test.
    #[schema(value_type = Object)]
    agreement: Agreement,
    /// The first rows on which they say different things: `row`, `label`, and of each `class` and
    /// `probability`.
    #[schema(value_type = Vec<Object>)]
    disagreements: Vec<Disagreement>,
}

/// Labelled rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataBody {
    /// Their name, for `data`.
    name: String,
    /// `holdout` for rows that no model is trained on, `labels` for what people said of traffic.
    kind: &'static str,
    /// How many.
    rows: usize,
}

/// One of two models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparedModel {
    #[serde(flatten)]
    model: ModelBody,
    /// What it is worth on these rows, as in its report.
    #[schema(value_type = Object)]
    evaluation: Evaluation,
}

/// Compares two models of one role and schema on a hold-out, or on what people said of traffic.
#[utoipa::path(
    get, path = "/api/v1/models/{a}/compare/{b}", tag = "models",
    params(
        ("a" = String, Path), ("b" = String, Path),
        ("data" = Option<String>, Query, description = "name of a hold-out, or `labels`; the first hold-out when absent"),
    ),
    responses(
        (status = 200, body = ComparisonBody),
        (status = 400, description = "no such data", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "they answer different questions, there is nothing to compare them on, or a bundle cannot be used", body = ErrorBody),
    )
)]
pub(crate) async fn compare(
    State(state): State<AppState>,
    Path((a, b)): Path<(String, String)>,
    params: Params,
) -> Result<Json<ComparisonBody>, ApiError> {
    params.only(&["data"])?;
    let wanted = params.text("data").map(ToOwned::to_owned);
    state
        .blocking(move |state| {
            let versions = [find(state, &a)?, find(state, &b)?];
            let [one, other] = &versions;
            if one.model.role != other.model.role || one.model.schema != other.model.schema {
                return Err(conflict(format!(
                    "a {} of {} rows and a {} of {} rows answer different questions",
                    one.model.role, one.model.schema, other.model.role, other.model.schema
                )));
            }
            let models = [state.registry().load(one)?, state.registry().load(other)?];
            let mut on = Vec::new();
            let mut sets: Vec<&LabelledRows> = Vec::new();
            let settings = state.settings();
            for holdout in settings.admission.holdouts.iter() {
                if models.iter().all(|model| holdout.is_about(model)) {
                    on.push(DataBody {
                        name: holdout.name.clone(),
                        kind: "holdout",
                        rows: holdout.rows.len(),
                    });
                    sets.push(&holdout.rows);
                }
            }
            let (said, _) = labelled(state, models[0].schema())?;
            if !said.is_empty() {
                on.push(DataBody {
                    name: LABELS.to_owned(),
                    kind: "labels",
                    rows: said.len(),
                });
                sets.push(&said);
            }
            if on.is_empty() {
                return Err(conflict(format!(
                    "there are no labelled rows of {} that both can be asked about: start the \
                     server with --holdout FILE, or label verdicts",
                    one.model.schema
                )));
            }
            let at = match &wanted {
                None => 0,
                Some(name) => on
                    .iter()
                    .position(|data| data.name == *name)
                    .ok_or_else(|| {
                        let names: Vec<&str> = on.iter().map(|data| data.name.as_str()).collect();
                        ApiError::bad_request(format!(
                            "'data' is expected to be one of: {}",
                            names.join("; ")
                        ))
                    })?,
            };
            let name = on[at].name.clone();
            let compared = Comparison::of(&name, &models[0], &models[1], sets[at], SHOWN)
                .map_err(|error| conflict(crate::registry::chain(&error)))?
                .ok_or_else(|| {
                    conflict(format!("{name} has no row that both can be asked about"))
                })?;
            Ok(Json(ComparisonBody {
                on,
                data: name,
                rows: compared.rows,
                a: ComparedModel {
                    model: ModelBody::of(one),
                    evaluation: compared.a,
                },
                b: ComparedModel {
                    model: ModelBody::of(other),
                    evaluation: compared.b,
                },
                agreement: compared.agreement,
                disagreements: compared.disagreements,
            }))
        })
        .await
}

fn conflict(reason: String) -> ApiError {
    ApiError::new(axum::http::StatusCode::CONFLICT, reason)
}
