#!/usr/bin/env python3
"""What Evidently or NannyML say of the windows of a folder, as lines of JSON.

Both are used as they come: default methods and thresholds. The baseline of drift is the rows that
Tripline's model was trained on; NannyML's estimate is fitted on labelled rows that it was not
trained on, as its documentation asks.
"""

import json
import os
import sys
import warnings

os.environ["DO_NOT_TRACK"] = "1"
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402

ANSWERS = ["probability", "threat", "attack"]
CATEGORIES = ["protocol_type", "service", "flag"]


def rows(folder, name):
    return pd.read_csv(os.path.join(folder, name))


def windows(folder):
    with open(os.path.join(folder, "windows.json")) as file:
        return json.load(file)


def say(name, drifted, **more):
    print(json.dumps({"name": name, "drifted": drifted, **more}))


def evidently(folder):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    training = rows(folder, "training.csv").drop(columns=ANSWERS)
    numbers = [column for column in training.columns if column not in CATEGORIES]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=CATEGORIES)
    reference = Dataset.from_pandas(training, data_definition=definition)
    for window in windows(folder):
        values = rows(folder, f"windows/{window['name']}.csv").drop(columns=ANSWERS)
        try:
            current = Dataset.from_pandas(values, data_definition=definition)
            found = Report([DataDriftPreset()]).run(current, reference).dict()
        except Exception as error:  # What a peer cannot do is a result of the comparison.
            say(window["name"], [], error=f"{type(error).__name__}: {error}"[:200])
            continue
        drifted, share = [], 0.0
        for metric in found["metrics"]:
            config = metric["config"]
            if config["type"].endswith(":DriftedColumnsCount"):
                share = metric["value"]["share"]
            elif is_drifted(config["method"], metric["value"], config["threshold"]):
                drifted.append(config["column"])
        say(window["name"], drifted, is_dataset_drift=share >= 0.5)


def is_drifted(method, value, threshold):
    """p-values drift below the threshold, distances above it."""
    return value < threshold if "p_value" in method else value >= threshold


def nannyml(folder):
    import nannyml as nml

    training = rows(folder, "training.csv").drop(columns=ANSWERS)
    listed = windows(folder)
    frames = [rows(folder, f"windows/{window['name']}.csv") for window in listed]
    size = len(frames[0])
    together = pd.concat(frames, ignore_index=True)
    drift = nml.UnivariateDriftCalculator(
        column_names=list(training.columns), treat_as_categorical=CATEGORIES, chunk_size=size
    )
    drift.fit(training)
    missing = nml.MissingValuesCalculator(column_names=list(training.columns), chunk_size=size)
    missing.fit(training)
    unseen = nml.UnseenValuesCalculator(column_names=CATEGORIES, chunk_size=size)
    unseen.fit(training)
    tables = [
        calculator.calculate(together[training.columns]).filter(period="analysis").to_df()
        for calculator in (drift, missing, unseen)
    ]
    estimator = nml.CBPE(
        metrics=["f1"], y_pred_proba="probability", y_pred="threat", y_true="attack",
        problem_type="classification_binary", chunk_size=size,
    )
    estimator.fit(rows(folder, "reference.csv"))
    estimated = estimator.estimate(together.drop(columns=["attack"])).filter(period="analysis").to_df()
    for index, window in enumerate(listed):
        drifted = [column for column in training.columns if any(alarms(table, index, column) for table in tables)]
        say(window["name"], drifted, f1=float(estimated.iloc[index][("f1", "value")]))


def alarms(table, index, column):
    """Whether any method alarms of a column in a chunk."""
    keys = [key for key in table.columns if key[0] == column and key[-1] == "alert"]
    return any(bool(table.iloc[index][key]) for key in keys)


if __name__ == "__main__":
    {"evidently": evidently, "nannyml": nannyml}[sys.argv[1]](sys.argv[2])
