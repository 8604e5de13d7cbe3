//! The export of single scores as CSV, as the origin system offers it.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tripline_features::{FeatureValue, csv_export::neutralise, display_value, schemas};
use tripline_store::{Order, Source, Timestamp, VerdictFilter};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    query::Params,
    row::Row,
    state::AppState,
    streaming::{BodyWriter, streamed},
    time::rfc3339,
};

/// The longest time that is exported at once.
const MAX_SPAN_MICROS: i64 = 2 * 3_600_000_000;
/// Rows above which a client is warned.
const MANY_ROWS: u64 = 10_000;
/// Rows fetched from the store at a time.
const PAGE_ROWS: usize = 1000;

/// How much an export would hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportCount {
    /// Rows.
    count: u64,
    /// From when to when.
    time_range: TimeRange,
    /// One sentence when there are many.
    warning: Option<String>,
}

/// From when to when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimeRange {
    start: String,
    end: String,
}

/// The single scores of a time of at most two hours, oldest first, as CSV.
///
/// The columns are the features of the schemas that occur in that time. Cells that a spreadsheet
/// would take for a formula are neutralised.
#[utoipa::path(
    get, path = "/api/v1/export/realtime", tag = "export",
    params(
        ("start" = String, Query, description = "such as 2026-01-31T12:00:00Z"),
        ("end" = String, Query, description = "at most two hours later"),
        ("format" = Option<String>, Query, description = "`features_only` or `with_predictions`, the former when absent"),
        ("count_only" = Option<bool>, Query, description = "true to ask how many rows there are"),
    ),
    responses(
        (status = 200, description = "CSV, or `ExportCount` with `count_only`", body = ExportCount),
        (status = 400, description = "no time, or more than two hours", body = ErrorBody),
        (status = 422, description = "a parameter outside its bounds", body = ErrorBody),
    )
)]
pub(crate) async fn realtime(
    State(state): State<AppState>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&["start", "end", "format", "count_only"])?;
    let needed = |name: &str, time: Option<Timestamp>| {
        time.ok_or_else(|| ApiError::bad_request(format!("parameter '{name}' is missing")))
    };
    let start = needed("start", params.time("start")?)?;
    let end = needed("end", params.time("end")?)?;
    if start >= end {
        return Err(ApiError::bad_request("start is not before end"));
    }
    if end.0.saturating_sub(start.0) > MAX_SPAN_MICROS {
        return Err(ApiError::bad_request(
            "start and end are more than two hours apart",
        ));
    }
    let with_predictions = match params.text("format") {
        None | Some("features_only") => false,
        Some("with_predictions") => true,
        Some(_) => {
            return Err(ApiError::bad_request(
                "format can only be 'features_only' or 'with_predictions'",
            ));
        }
    };
    let filter = VerdictFilter {
        source: Some(Source::Realtime),
        created_from: Some(start),
        created_to: Some(end),
        order: Order::OldestFirst,
        ..VerdictFilter::default()
    };
    if params.flag("count_only", false)? {
        let count = state.ask(move |store| store.count(&filter)).await?;
        let warning = (count > MANY_ROWS)
            .then(|| format!("{count} rows are a large file; a shorter time gives a smaller one"));
        let time_range = TimeRange {
            start: rfc3339(start),
            end: rfc3339(end),
        };
        return Ok(Json(ExportCount {
            count,
            time_range,
            warning,
        })
        .into_response());
    }
    let mut response = streamed(&state, "text/csv; charset=utf-8", move |state, out| {
        write_csv(state, filter, with_predictions, out)
    });
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"tripline-realtime.csv\""),
    );
    Ok(response)
}

fn write_csv(
    state: &AppState,
    filter: VerdictFilter,
    with_predictions: bool,
    out: &mut BodyWriter,
) -> anyhow::Result<()> {
    let occurring = schemas_in(state, &filter)?;
    let mut csv = csv::Writer::from_writer(out);
    let mut head = vec![
        "id".to_owned(),
        "created_at".to_owned(),
        "schema".to_owned(),
    ];
    for schema in schemas()
        .into_iter()
        .filter(|schema| occurring.contains(&schema.name()))
    {
        head.extend(
            schema
                .features()
                .iter()
                .map(|feature| feature.name.to_owned()),
        );
    }
    if with_predictions {
        head.extend(
            [
                "prediction_score",
                "is_attack",
                "threshold",
                "threat_model_version",
                "attack_type_name",
                "confidence",
                "attack_model_version",
                "label",
            ]
            .map(ToOwned::to_owned),
        );
    }
    csv.write_record(&head)?;
    each_page(state, filter, |verdict| {
        let row = Row::stored(verdict);
        let mut cells = vec![
            verdict.id.to_string(),
            rfc3339(row.created_at),
            row.provenance.schema.clone(),
        ];
        for schema in schemas()
            .into_iter()
            .filter(|schema| occurring.contains(&schema.name()))
        {
            let is_its_own = row.schema.is_some_and(|own| own.name() == schema.name());
            cells.extend((0..schema.len()).map(|index| {
                match row.values.get(index).filter(|_| is_its_own) {
                    Some(value) => cell(display_value(schema, index, *value)),
                    None => String::new(),
                }
            }));
        }
        if with_predictions {
            prediction_cells(&row, &mut cells);
        }
        csv.write_record(cells.iter().map(|cell| neutralise(cell).into_owned()))?;
        Ok(())
    })?;
    Ok(csv.flush()?)
}

fn prediction_cells(row: &Row<'_>, cells: &mut Vec<String>) {
    let threat = row.threat_prediction();
    let attack = row.attack_prediction();
    let text = |cell: Option<String>| cell.unwrap_or_default();
    cells.push(text(
        threat
            .as_ref()
            .map(|threat| threat.prediction_score.to_string()),
    ));
    cells.push(text(
        threat.as_ref().map(|threat| threat.is_attack.to_string()),
    ));
    cells.push(text(
        threat.as_ref().map(|threat| threat.threshold.to_string()),
    ));
    cells.push(text(threat.map(|threat| threat.model_version)));
    cells.push(text(
        attack
            .as_ref()
            .map(|attack| attack.attack_type_name.clone()),
    ));
    cells.push(text(
        attack
            .as_ref()
            .and_then(|attack| attack.confidence)
            .map(|c| c.to_string()),
    ));
    cells.push(text(attack.map(|attack| attack.model_version)));
    cells.push(text(row.label.map(ToOwned::to_owned)));
}

pub(super) fn cell(value: FeatureValue) -> String {
    match value {
        FeatureValue::Number(number) => number.to_string(),
        FeatureValue::Name(name) => name.to_owned(),
        FeatureValue::Missing => String::new(),
    }
}

/// The schemas of the rows, so that a file has no columns of a schema without rows.
fn schemas_in(state: &AppState, filter: &VerdictFilter) -> anyhow::Result<Vec<&'static str>> {
    let mut found = Vec::new();
    each_page(state, filter.clone(), |verdict| {
        if let Some(schema) = tripline_features::schema_by_name(&verdict.provenance.schema)
            && !found.contains(&schema.name())
        {
            found.push(schema.name());
        }
        Ok(())
    })?;
    Ok(found)
}

fn each_page(
    state: &AppState,
    mut filter: VerdictFilter,
    mut take: impl FnMut(&tripline_store::StoredVerdict) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    loop {
        let page = state.store().list(&filter, PAGE_ROWS)?;
        for verdict in &page.verdicts {
            take(verdict)?;
        }
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return Ok(()),
        }
    }
}
