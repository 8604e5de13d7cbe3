"""A peer to measure against: what the origin system served, without its bugs.

It stands for the Python stack that this project replaces: FastAPI and one uvicorn worker in front
of two scikit-learn models on ten NSL-KDD features,

- the threat detector: StandardScaler and RandomForestClassifier(100 trees, depth 15),
- the attack classifier: RobustScaler and DecisionTreeClassifier(entropy, depth 12).

Both are trained when the server starts, from the CSV given as argument, so that no model file is
unpickled. The CSV is either the NSL-KDD text file (41 features, label, difficulty; no header) or
has a header with the ten features and `label`, in which `normal` is the only harmless value.
`.zst`, `.gz` and plain files are read alike (`.zst` needs the package zstandard).

There is deliberately no database, no Kafka and no WebSocket behind it: the origin wrote several
rows per prediction to PostgreSQL, which costs more than the scoring. Its figures here are
therefore an upper bound of what the origin could do, and a comparison with them favours the peer.

Every row is answered in the origin's shape (`traffic_data`, `threat_prediction`,
`attack_prediction`, `self_healing_action`). By default the rows of a request are scored in one
vectorised call, which is the fastest these models can be; `--per-row` scores them one by one as
the origin did. Text in `protocol_type`, `service` and `flag` is encoded with the codes learned
in training; an unknown text becomes -1, a number is taken as a code.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python server.py KDDTrain+.txt --port 8000

Routes: `GET /health`; `POST /score` with one JSON object (answers one prediction) or a list
(answers `{"total_rows", "predictions"}`); `POST /upload/csv` with the multipart field `file`.
"""

import argparse
import io
import time
import uuid
from datetime import datetime, timezone
from typing import Any

import numpy
import pandas
import uvicorn
from fastapi import FastAPI, File, HTTPException, UploadFile
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

NSL_KDD_COLUMNS = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot "
    "num_failed_logins logged_in num_compromised root_shell su_attempted num_root "
    "num_file_creations num_shells num_access_files num_outbound_cmds is_host_login "
    "is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate "
    "same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count "
    "dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate "
    "dst_host_srv_diff_host_rate dst_host_serror_rate dst_host_srv_serror_rate "
    "dst_host_rerror_rate dst_host_srv_rerror_rate label difficulty"
).split()

# The origin's first list of ten, which its validator and its sample files use.
FEATURES = [
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "count",
    "same_srv_rate",
    "diff_srv_rate",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
    "dst_host_same_src_port_rate",
]
TEXT_FEATURES = ["protocol_type", "service", "flag"]
THRESHOLD = 0.5
SEED = 42


class Models:
    """The two models and the text codes they were trained with."""

    def __init__(self, table: pandas.DataFrame) -> None:
        self.version = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
        self.codes = {
            name: {text: code for code, text in enumerate(sorted(table[name].astype(str).unique()))}
            for name in TEXT_FEATURES
            if name in FEATURES and not pandas.api.types.is_numeric_dtype(table[name])
        }
        rows = self.encode(table)
        label = table["label"].astype(str)
        self.detector = make_pipeline(
            StandardScaler(),
            RandomForestClassifier(n_estimators=100, max_depth=15, random_state=SEED, n_jobs=1),
        ).fit(rows, (label != "normal").astype(int))
        self.classifier = make_pipeline(
            RobustScaler(),
            DecisionTreeClassifier(criterion="entropy", max_depth=12, random_state=SEED),
        ).fit(rows, label)
        self.classes = [str(name) for name in self.classifier.classes_]

    def encode(self, table: pandas.DataFrame) -> numpy.ndarray:
        """The ten features as numbers; ValueError names the first column that does not fit."""
        missing = [name for name in FEATURES if name not in table.columns]
        if missing:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        columns = []
        for name in FEATURES:
            column = table[name]
            numbers = pandas.to_numeric(column, errors="coerce")
            if name in self.codes:
                numbers = numbers.fillna(column.astype(str).map(self.codes[name]).fillna(-1))
            elif numbers.isna().any():
                raise ValueError(f"column {name} holds a value that is not a number")
            columns.append(numbers.to_numpy(dtype=numpy.float64))
        return numpy.column_stack(columns)

    def score(self, rows: numpy.ndarray, per_row: bool) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The probability of an attack, and the share of each attack class, per row."""
        if not per_row:
            return self.detector.predict_proba(rows)[:, 1], self.classifier.predict_proba(rows)
        single = [self.score(rows[index : index + 1], False) for index in range(len(rows))]
        return (
            numpy.concatenate([threat for threat, _ in single]),
            numpy.concatenate([attack for _, attack in single]),
        )


def read_training_csv(path: str) -> pandas.DataFrame:
    """Reads a training CSV with a header, or the NSL-KDD text file without one."""
    first = pandas.read_csv(path, header=None, nrows=1)
    if "label" in first.iloc[0].astype(str).str.strip().tolist():
        table = pandas.read_csv(path, skipinitialspace=True)
        table.columns = table.columns.str.strip()
        return table
    return pandas.read_csv(path, header=None, names=NSL_KDD_COLUMNS)


def predictions(
    models: Models, table: pandas.DataFrame, source: str, batch_id: str | None, per_row: bool
) -> list[dict[str, Any]]:
    """Scores a table and writes one origin-shaped object per row."""
    rows = models.encode(table)
    threats, attacks = models.score(rows, per_row)
    best = attacks.argmax(axis=1)
    features = table[FEATURES].to_dict(orient="records")
    answers = []
    for index, row in enumerate(features):
        now = datetime.now(timezone.utc).isoformat()
        traffic_id = str(uuid.uuid4())
        threat = float(threats[index])
        kind = int(best[index])
        answers.append(
            {
                "traffic_data": {
                    "id": traffic_id,
                    "features": row,
                    "source": source,
                    "batch_id": batch_id,
                    "created_at": now,
                },
                "threat_prediction": {
                    "id": str(uuid.uuid4()),
                    "traffic_data_id": traffic_id,
                    "prediction_score": threat,
                    "is_attack": threat > THRESHOLD,
                    "threshold": THRESHOLD,
                    "model_version": models.version,
                    "created_at": now,
                },
                "attack_prediction": {
                    "id": str(uuid.uuid4()),
                    "traffic_data_id": traffic_id,
                    "attack_type_encoded": kind,
                    "attack_type_name": models.classes[kind],
                    "confidence": float(attacks[index, kind]),
                    "model_version": models.version,
                    "created_at": now,
                },
                "self_healing_action": None,
            }
        )
    return answers


def app(models: Models, per_row: bool) -> FastAPI:
    """The routes. Handlers are coroutines that compute in the event loop, as the origin's did."""
    routes = FastAPI(title="scikit-learn peer", version="1.0.0")

    @routes.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @routes.post("/score")
    async def score(payload: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
        if isinstance(payload, list) and not payload:
            return {"total_rows": 0, "predictions": []}
        rows = payload if isinstance(payload, list) else [payload]
        try:
            answers = predictions(models, pandas.DataFrame(rows), "realtime", None, per_row)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        if isinstance(payload, list):
            return {"total_rows": len(answers), "predictions": answers}
        return answers[0]

    @routes.post("/upload/csv")
    async def upload(file: UploadFile = File()) -> dict[str, Any]:
        if not (file.filename or "").endswith(".csv"):
            raise HTTPException(400, "File must be a CSV")
        try:
            table = pandas.read_csv(io.BytesIO(await file.read()), skipinitialspace=True)
            table.columns = table.columns.str.strip()
            if table.empty:
                raise HTTPException(400, "CSV file is empty")
            batch_id = str(uuid.uuid4())
            answers = predictions(models, table, "upload", batch_id, per_row)
        except pandas.errors.EmptyDataError as error:
            raise HTTPException(400, "CSV file is empty") from error
        except (ValueError, UnicodeDecodeError) as error:
            raise HTTPException(400, f"CSV validation error: {error}") from error
        return {
            "message": f"Successfully processed {len(answers)} rows",
            "batch_id": batch_id,
            "total_rows": len(answers),
            "predictions": answers,
        }

    return routes


def main() -> None:
    """Trains, then serves until interrupted."""
    parser = argparse.ArgumentParser(description="scikit-learn peer server for load comparisons")
    parser.add_argument("training_csv")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--per-row", action="store_true", help="score rows one by one, as the origin did")
    arguments = parser.parse_args()
    started = time.perf_counter()
    table = read_training_csv(arguments.training_csv)
    models = Models(table)
    print(f"trained on {len(table)} rows in {time.perf_counter() - started:.1f} s", flush=True)
    uvicorn.run(
        app(models, arguments.per_row),
        host=arguments.host,
        port=arguments.port,
        workers=1,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
