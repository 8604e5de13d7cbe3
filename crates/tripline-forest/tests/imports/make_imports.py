"""Makes the models of other programs that tests/imports.rs reads, with their answers.

    python3 -m venv venv && venv/bin/pip install xgboost-cpu lightgbm scikit-learn skl2onnx onnxmltools onnxruntime
    venv/bin/python make_imports.py
"""

import json
import os

import lightgbm
import numpy as np
import onnxruntime
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MlFloat
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)
WIDTH = 5


def data(classes, rows=600):
    x = rng.normal(size=(rows, WIDTH)).round(2)
    x[:, 3] = rng.integers(0, 4, rows)
    x[:, 4] = rng.integers(0, 9, rows)
    score = x[:, 0] + 0.5 * x[:, 1] * (x[:, 3] > 1) - 0.2 * x[:, 4] + rng.normal(scale=0.3, size=rows)
    y = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    return x, y


def questions(x, missing):
    rows = x[:40].copy()
    if missing:
        rows[::5, 0] = np.nan
        rows[1::7, 2] = np.nan
    return rows


def keep(name, rows, answers, categories=()):
    answers = np.asarray(answers, dtype=float)
    if answers.ndim == 1:
        answers = np.stack([1 - answers, answers], axis=1)
    with open(os.path.join(here, name + ".answers.json"), "w") as out:
        json.dump(
            {
                "rows": [[None if np.isnan(v) else v for v in row] for row in rows.tolist()],
                "answers": answers.tolist(),
                "categories": list(categories),
            },
            out,
        )


def xgb(name, classes, missing, categorical=False, **more):
    x, y = data(classes)
    if missing:
        x[::6, 0] = np.nan
        x[::9, 2] = np.nan
    types = ["q"] * WIDTH
    if categorical:
        types[3] = types[4] = "c"
    matrix = xgboost.DMatrix(x, y, feature_types=types, enable_categorical=categorical)
    parameters = {"max_depth": 4, "eta": 0.3, "seed": 1, **more}
    if classes == 2:
        parameters["objective"] = "binary:logistic"
    else:
        parameters.update(objective="multi:softprob", num_class=classes)
    booster = xgboost.train(parameters, matrix, 8)
    booster.save_model(os.path.join(here, name + ".json"))
    rows = questions(x, missing)
    asked = xgboost.DMatrix(rows, feature_types=types, enable_categorical=categorical)
    keep(name, rows, booster.predict(asked), [4, 9] if categorical else [])
    return booster, rows


def lgb(name, classes, missing, categorical=(), **more):
    x, y = data(classes)
    if missing:
        x[::6, 0] = np.nan
        x[::9, 2] = np.nan
    parameters = {"num_leaves": 9, "min_data_in_leaf": 10, "verbose": -1, "seed": 1, "deterministic": True, **more}
    if classes == 2:
        parameters["objective"] = "binary"
    else:
        parameters.update(objective="multiclass", num_class=classes)
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, y, categorical_feature=list(categorical)), 8)
    booster.save_model(os.path.join(here, name + ".txt"))
    rows = questions(x, missing)
    keep(name, rows, booster.predict(rows), [4, 9] if categorical else [])
    return booster, rows


def onnx(name, model, rows):
    with open(os.path.join(here, name + ".onnx"), "wb") as out:
        out.write(model.SerializeToString())
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = rows.astype(np.float32)
    answers = session.run(None, {session.get_inputs()[0].name: given})[1]
    if isinstance(answers, list):
        answers = [[answer[key] for key in sorted(answer)] for answer in answers]
    keep(name, rows, answers)


def sklearn(name, estimator, classes):
    x, y = data(classes)
    estimator.fit(x, y)
    types = [("x", FloatTensorType([None, WIDTH]))]
    onnx(name, convert_sklearn(estimator, initial_types=types, target_opset={"": 15, "ai.onnx.ml": 3}), questions(x, False))


xgb("xgboost_binary", 2, False)
xgb("xgboost_missing", 2, True, base_score=0.3)
xgb("xgboost_three", 3, True)
xgb("xgboost_categories", 2, False, categorical=True, tree_method="hist", max_cat_to_onehot=2)
xgb("xgboost_forest", 2, False, num_parallel_tree=3, subsample=0.7)
lgb("lightgbm_binary", 2, False)
lgb("lightgbm_missing", 2, True, sigmoid=1.3)
lgb("lightgbm_three", 3, True)
lgb("lightgbm_categories", 2, False, categorical=(3, 4), min_data_per_group=5, cat_smooth=1)
lgb("lightgbm_forest", 2, False, boosting="rf", bagging_freq=1, bagging_fraction=0.7)
sklearn("onnx_forest", RandomForestClassifier(6, max_depth=5, random_state=1), 2)
sklearn("onnx_forest_three", RandomForestClassifier(6, max_depth=5, random_state=1), 3)
sklearn("onnx_extra", ExtraTreesClassifier(5, max_depth=5, random_state=1), 3)
sklearn("onnx_tree", DecisionTreeClassifier(max_depth=5, random_state=1), 2)
sklearn("onnx_boosting", GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1), 2)

x, y = data(2)
model = xgboost.XGBClassifier(n_estimators=6, max_depth=4, random_state=1).fit(x, y)
onnx("onnx_xgboost", convert_xgboost(model, initial_types=[("x", MlFloat([None, WIDTH]))], target_opset=15), questions(x, True))
x, y = data(3)
model = lightgbm.LGBMClassifier(n_estimators=6, num_leaves=7, random_state=1, verbose=-1).fit(x, y)
onnx("onnx_lightgbm", convert_lightgbm(model, initial_types=[("x", MlFloat([None, WIDTH]))], zipmap=False, target_opset=15), questions(x, False))
