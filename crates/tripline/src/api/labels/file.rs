//! Labels as CSV, in and out.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use tripline_features::{FeatureVector, csv_export::neutralise, display_value, schema_by_name};
use tripline_store::Label;

use super::{
    super::{
        error::{ApiError, ErrorBody},
        export::cell,
        query::Params,
        state::AppState,
        streaming::streamed,
        time::rfc3339,
    },
    LabelsAnswer, MAX_LABELS, check_author,
    list::{filter_of, outcome},
    too_many,
};
use crate::labels::{self, Statement};

/// Takes labels from a CSV with the columns `verdict_id`, `is_attack` (true/false, 1/0), and if
/// wanted `attack_type` and `note`.
#[utoipa::path(
    post, path = "/api/v1/labels/csv", tag = "labels",
    params(("author" = String, Query, description = "who says so")),
    request_body(content = String, content_type = "text/csv"),
    responses(
        (status = 200, body = LabelsAnswer),
        (status = 400, description = "a column is missing or unknown, or a row cannot be read; nothing is stored", body = ErrorBody),
        (status = 413, description = "more than 10,000 rows", body = ErrorBody),
    )
)]
pub(crate) async fn upload(
    State(state): State<AppState>,
    params: Params,
    body: Bytes,
) -> Result<Json<LabelsAnswer>, ApiError> {
    params.only(&["author"])?;
    let author = params
        .text("author")
        .ok_or_else(|| ApiError::bad_request("parameter 'author' is missing"))?
        .to_owned();
    check_author(&author)?;
    state
        .blocking(move |state| {
            let statements = read(&body)?;
            let taken = labels::take(state.store(), &author, &statements, state.now())?;
            // The head is the first line of the file.
            Ok(Json(LabelsAnswer::of(taken, 2)))
        })
        .await
}

const COLUMNS: [&str; 4] = ["verdict_id", "is_attack", "attack_type", "note"];

fn read(body: &[u8]) -> Result<Vec<Statement>, ApiError> {
    let bad = |text: String| ApiError::bad_request(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(body);
    let head = reader
        .headers()
        .map_err(|error| bad(format!("the head of the file cannot be read: {error}")))?
        .clone();
    let mut places = [None; COLUMNS.len()];
    for (at, name) in head.iter().enumerate() {
        let Some(column) = COLUMNS.iter().position(|known| *known == name) else {
            let shown: String = name.chars().take(40).collect();
            return Err(bad(format!(
                "unknown column '{shown}', expected {}",
                COLUMNS.join(", ")
            )));
        };
        if places[column].replace(at).is_some() {
            return Err(bad(format!("column '{name}' stands twice")));
        }
    }
    for needed in [0, 1] {
        if places[needed].is_none() {
            return Err(bad(format!("column '{}' is missing", COLUMNS[needed])));
        }
    }
    let mut statements = Vec::new();
    for (record, line) in reader.records().zip(2..) {
        let record = record.map_err(|error| bad(format!("line {line}: {error}")))?;
        let field = |column: usize| places[column].and_then(|at| record.get(at)).unwrap_or("");
        let is_attack = match field(1).to_ascii_lowercase().as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(bad(format!(
                    "line {line}, column 'is_attack': '{shown}', expected true or false"
                )));
            }
        };
        if statements.len() == MAX_LABELS {
            return Err(too_many(MAX_LABELS as u64 + 1));
        }
        statements.push(Statement {
            verdict: field(0).to_owned(),
            is_attack,
            attack_type: Some(field(2).to_owned()).filter(|text| !text.is_empty()),
            note: field(3).to_owned(),
        });
    }
    if statements.is_empty() {
        return Err(bad("the file holds no label".to_owned()));
    }
    Ok(statements)
}

/// All labels as CSV, with the features of their flows as `name=value;…`.
#[utoipa::path(
    get, path = "/api/v1/labels/export", tag = "labels",
    params(
        ("verdict_id" = Option<String>, Query, description = "only about this verdict"),
        ("author" = Option<String>, Query, description = "only by this author"),
        ("state" = Option<String>, Query, description = "only `accepted`, `quarantined` or `rejected`"),
        ("conflicting" = Option<bool>, Query, description = "only about flows on which authors do not agree"),
    ),
    responses(
        (status = 200, content_type = "text/csv", body = String),
        (status = 400, body = ErrorBody),
    )
)]
pub(crate) async fn export(
    State(state): State<AppState>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&["verdict_id", "author", "state", "conflicting"])?;
    let mut filter = filter_of(&params)?;
    let mut response = streamed(&state, "text/csv; charset=utf-8", move |state, out| {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record([
            "id",
            "verdict_id",
            "is_attack",
            "attack_type",
            "author",
            "note",
            "created_at",
            "state",
            "state_reason",
            "outcome",
            "probability",
            "called_class",
            "schema",
            "features",
        ])?;
        loop {
            let page = state.store().labels(&filter, 1000)?;
            for label in &page.labels {
                let cells = cells(label);
                csv.write_record(cells.iter().map(|cell| neutralise(cell).into_owned()))?;
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        Ok(csv.flush()?)
    });
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"tripline-labels.csv\""),
    );
    Ok(response)
}

fn cells(label: &Label) -> Vec<String> {
    let said = &label.label;
    let mut features = Vec::new();
    if let Some(schema) = schema_by_name(&said.schema)
        && let Ok(vector) = FeatureVector::decode(&said.features, schema)
    {
        for (index, (feature, value)) in schema.features().iter().zip(vector.values()).enumerate() {
            let value = cell(display_value(schema, index, *value));
            features.push(format!("{}={value}", feature.name));
        }
    }
    vec![
        label.id.0.to_string(),
        said.verdict.to_string(),
        said.is_attack.to_string(),
        said.attack_type.clone().unwrap_or_default(),
        said.author.clone(),
        said.note.clone(),
        rfc3339(label.created_at),
        said.state.name().to_owned(),
        said.state_reason.clone(),
        said.called_threat
            .map(|called| outcome(called, said.is_attack))
            .unwrap_or_default()
            .to_owned(),
        said.probability.map(|p| p.to_string()).unwrap_or_default(),
        said.called_class.clone().unwrap_or_default(),
        said.schema.clone(),
        features.join(";"),
    ]
}
