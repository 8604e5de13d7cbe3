"""Writes the reference outputs that the tests of `tripline-forest` compare against.

Everything is drawn from seeded generators, so the same library versions give the same files.
The versions that were used stand in the key `made_with` of each file. To make the files anew:

    python -m venv venv
    venv/bin/pip install scikit-learn==1.9.1 shap==0.51.0 lightgbm==4.7.0 numpy==2.4.6
    venv/bin/python make_goldens.py

The files are written beside this script; README.md says what each holds.

All inputs are multiples of 1/8 below 2**12: scikit-learn casts rows to 32-bit floats before it
asks a tree, and such values survive the cast unchanged.
"""

import json
import pathlib
import platform

import lightgbm
import numpy
import shap
import sklearn
from sklearn import metrics
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).resolve().parent
EXPLAINED = 30
LEAF = -1


# ---------------------------------------------------------------------------------------------
# Writing


def plain(value):
    """Turns numpy values into JSON values; NaN becomes null, whole floats lose their `.0`."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numpy.ndarray):
        return plain(value.tolist())
    if isinstance(value, (bool, numpy.bool_)):
        return bool(value)
    if isinstance(value, (int, numpy.integer)):
        return int(value)
    if isinstance(value, (float, numpy.floating)):
        if numpy.isnan(value):
            return None
        value = float(value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def write(name, content):
    """Writes one golden file, without white space."""
    made_with = {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "shap": shap.__version__,
        "lightgbm": lightgbm.__version__,
        "numpy": numpy.__version__,
        "command": "python make_goldens.py",
    }
    text = json.dumps(plain({"made_with": made_with, **content}), separators=(",", ":"))
    path = HERE / name
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{name}: {len(text) / 1000:.0f} kB")


# ---------------------------------------------------------------------------------------------
# Data


def table(seed, rows, columns, classes, step=0.125):
    """A table of numbers with a target that needs several features and their interplay."""
    random = numpy.random.default_rng(seed)
    x = numpy.round(random.normal(0.0, 3.0, (rows, columns)) / step) * step
    # One column of few values, one that is mostly zero: the shapes that network features have.
    x[:, 1] = random.integers(0, 4, rows)
    x[:, 2] = numpy.where(random.random(rows) < 0.7, 0.0, random.integers(1, 2000, rows))
    signal = x[:, 0] + 1.5 * (x[:, 1] == 2) * x[:, 3] - 2.0 * (x[:, 2] > 500) + 0.5 * x[:, 4]
    signal = signal + random.normal(0.0, 1.0, rows)
    cuts = numpy.quantile(signal, numpy.arange(1, classes) / classes)
    return x, numpy.searchsorted(cuts, signal)


# ---------------------------------------------------------------------------------------------
# Trees as arrays


def sklearn_tree(tree, values_of_leaf):
    """The arrays of one scikit-learn tree. `value` has one list per node, empty at inner nodes."""
    inner = tree.children_left != LEAF
    return {
        "feature": numpy.where(inner, tree.feature, LEAF),
        "threshold": numpy.where(inner, tree.threshold, 0.0),
        "left": numpy.where(inner, tree.children_left, 0),
        "right": numpy.where(inner, tree.children_right, 0),
        "cover": tree.weighted_n_node_samples,
        "value": [[] if inner[node] else values_of_leaf(tree, node) for node in range(tree.node_count)],
    }


def class_shares(tree, node):
    """The class shares of a leaf (scikit-learn stores shares since 1.3, normalised here anyway)."""
    value = tree.value[node, 0]
    return value / value.sum()


def explained_shares(model, x):
    """Path-dependent TreeSHAP of class shares: expected value per class, values[row][class][feature]."""
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = numpy.asarray(explainer.shap_values(x[:EXPLAINED], check_additivity=True))
    return {"expected": explainer.expected_value, "values": numpy.transpose(values, (0, 2, 1))}


def share_models():
    """Trees and forests whose leaves hold class shares."""
    cases = [
        ("tree_gini_2", DecisionTreeClassifier(max_depth=5, random_state=1), 11, 240, 6, 2),
        ("tree_entropy_3", DecisionTreeClassifier(criterion="entropy", max_depth=6, random_state=2), 12, 260, 8, 3),
        ("forest_2", RandomForestClassifier(8, max_depth=5, random_state=3, n_jobs=1), 13, 240, 8, 2),
        ("forest_3", RandomForestClassifier(8, max_depth=5, random_state=4, n_jobs=1), 14, 220, 6, 3),
        ("extra_trees_3", ExtraTreesClassifier(8, max_depth=5, random_state=5, n_jobs=1), 15, 220, 5, 3),
    ]
    for name, model, seed, rows, columns, classes in cases:
        x, y = table(seed, rows, columns, classes)
        model.fit(x, y)
        trees = getattr(model, "estimators_", [model])
        write(
            f"{name}.json",
            {
                "classes": classes,
                "model": repr(model),
                "x": x,
                "y": y,
                "trees": [sklearn_tree(tree.tree_, class_shares) for tree in trees],
                "probabilities": model.predict_proba(x),
                "shap": explained_shares(model, x),
            },
        )


def gradient_boosting():
    """scikit-learn gradient boosting: margins are `base` + Σ leaf values (already × learning rate)."""
    x, y = table(21, 240, 6, 2)
    model = GradientBoostingClassifier(
        n_estimators=12, learning_rate=0.3, max_depth=3, subsample=0.8, random_state=6
    ).fit(x, y)
    trees = [
        sklearn_tree(tree.tree_, lambda tree, node: model.learning_rate * tree.value[node, 0])
        for tree in model.estimators_[:, 0]
    ]
    prior = model.init_.class_prior_
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    write(
        "gradient_boosting.json",
        {
            "classes": 2,
            "model": repr(model),
            "x": x,
            "y": y,
            "base": numpy.log(prior[1] / prior[0]),
            "trees": trees,
            "margins": model.decision_function(x),
            "probabilities": model.predict_proba(x),
            "shap": {
                "expected": numpy.ravel(explainer.expected_value)[0],
                "values": explainer.shap_values(x[:EXPLAINED]),
            },
        },
    )


def lightgbm_tree(root):
    """The arrays of one LightGBM tree, depth first.

    `missing_left` is where NaN goes. `categories` lists the codes that go left at a category
    split; every other code, known or not, and NaN go right there.
    """
    arrays = {
        key: []
        for key in ("feature", "threshold", "left", "right", "cover", "missing_left", "categories", "value")
    }

    def visit(node):
        index = len(arrays["feature"])
        inner = "split_feature" in node
        by_category = inner and node["decision_type"] == "=="
        if inner and not by_category:
            assert node["decision_type"] == "<="
            # Only then does the default direction say where NaN goes.
            assert node["missing_type"] == "NaN", node["missing_type"]
        arrays["feature"].append(node["split_feature"] if inner else LEAF)
        arrays["threshold"].append(node["threshold"] if inner and not by_category else 0.0)
        arrays["left"].append(0)
        arrays["right"].append(0)
        arrays["cover"].append(node["internal_count"] if inner else node["leaf_count"])
        arrays["missing_left"].append(inner and not by_category and node["default_left"])
        arrays["categories"].append([int(code) for code in node["threshold"].split("||")] if by_category else None)
        arrays["value"].append([] if inner else [node["leaf_value"]])
        if inner:
            arrays["left"][index] = visit(node["left_child"])
            arrays["right"][index] = visit(node["right_child"])
        return index

    visit(root)
    return arrays


def lightgbm_models():
    """LightGBM with missing values, and with a column of categories as well."""
    common = {
        "objective": "binary",
        "num_leaves": 9,
        "learning_rate": 0.3,
        "min_data_in_leaf": 8,
        "seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    for name, categories in (("lightgbm_missing", []), ("lightgbm_categories", [5])):
        x, y = table(31, 300, 6, 2)
        random = numpy.random.default_rng(32)
        if categories:
            x[:, 5] = random.integers(0, 24, len(x))
            y = numpy.where(numpy.isin(x[:, 5], [2, 3, 11, 17, 23]), 1 - y, y)
        # Missing more often in one class, so that directions are worth learning; every column has
        # some, or LightGBM would read NaN as 0 there.
        x[random.random(x.shape) < numpy.where(y == 1, 0.2, 0.05)[:, None]] = numpy.nan
        data = lightgbm.Dataset(
            x, y, categorical_feature=categories, params={"min_data_per_group": 5, "cat_smooth": 2.0}
        )
        booster = lightgbm.train(common, data, num_boost_round=15)
        contributions = booster.predict(x[:EXPLAINED], pred_contrib=True)
        # Three rows that no training row looks like: all missing, far outside, unknown category.
        odd = numpy.full((3, x.shape[1]), numpy.nan)
        odd[1] = 4000.0
        odd[2] = -4000.0
        if categories:
            odd[1, 5], odd[2, 5] = 200.0, 23.0
        x_all = numpy.vstack([x, odd])
        write(
            f"{name}.json",
            {
                "classes": 2,
                "model": f"LightGBM {json.dumps(common)}, 15 rounds",
                "cardinality": [256 if column in categories else 0 for column in range(x.shape[1])],
                "x": x_all,
                "y": y,
                "base": 0.0,
                "trees": [lightgbm_tree(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]],
                "margins": booster.predict(x_all, raw_score=True),
                "shap": {"expected": contributions[0, -1], "values": contributions[:, :-1]},
            },
        )


# ---------------------------------------------------------------------------------------------
# Trained trees


def impurity(criterion, weights):
    """Gini impurity or entropy (bits) of a vector of class weights."""
    shares = weights / weights.sum()
    if criterion == "gini":
        return 1.0 - (shares**2).sum()
    shares = shares[shares > 0.0]
    return -(shares * numpy.log2(shares)).sum()


def splits_of(x, y, weight, rows, criterion, classes):
    """(weighted child impurity, feature, threshold) of every split of `rows`, best first."""
    found = []
    for feature in range(x.shape[1]):
        values = numpy.unique(x[rows, feature])
        for low, high in zip(values[:-1], values[1:]):
            left = rows[x[rows, feature] <= low]
            right = rows[x[rows, feature] > low]
            total = 0.0
            for side in (left, right):
                sums = numpy.bincount(y[side], weights=weight[side], minlength=classes)
                total += sums.sum() * impurity(criterion, sums)
            found.append((total, feature, (low + high) / 2.0))
    return sorted(found)


def only_one_tree_is_best(tree, x, y, weight, criterion, classes):
    """Whether each split of a fitted tree is better than every other split by a clear margin."""

    def visit(node, rows):
        if tree.children_left[node] == LEAF:
            return True
        found = splits_of(x, y, weight, rows, criterion, classes)
        best = found[0]
        if (best[1], best[2]) != (tree.feature[node], tree.threshold[node]):
            return False
        if len(found) > 1 and found[1][0] - best[0] < 1e-6 * max(1.0, best[0]):
            return False
        left = x[rows, best[1]] <= best[2]
        return visit(tree.children_left[node], rows[left]) and visit(tree.children_right[node], rows[~left])

    return visit(0, numpy.arange(len(x)))


def trained_trees():
    """Trees that an exact trainer must reproduce node by node: each best split is the only best.

    Seeds are tried in order until the brute-force check of all splits agrees.
    """
    cases = []
    for name, criterion, depth, leaf, classes, weighted in (
        ("gini_2", "gini", 4, 1, 2, False),
        ("entropy_3", "entropy", 4, 5, 3, False),
        ("gini_3_weighted", "gini", 3, 4, 3, True),
        ("entropy_2_weighted", "entropy", 3, 6, 2, True),
    ):
        for seed in range(1000, 1500):
            random = numpy.random.default_rng(seed)
            x = random.integers(0, 48, (200, 5)).astype(float) / 8.0
            signal = x[:, 0] + numpy.where(x[:, 1] > 3.0, x[:, 2], -x[:, 3]) + random.normal(0.0, 1.5, len(x))
            y = numpy.searchsorted(numpy.quantile(signal, numpy.arange(1, classes) / classes), signal)
            weight = random.integers(1, 6, len(x)).astype(float) if weighted else numpy.ones(len(x))
            model = DecisionTreeClassifier(
                criterion=criterion, max_depth=depth, min_samples_leaf=leaf, random_state=0
            ).fit(x, y, sample_weight=weight)
            if only_one_tree_is_best(model.tree_, x, y, weight, criterion, classes):
                break
        else:
            raise SystemExit(f"no seed gives a unique tree for {name}")
        cases.append(
            {
                "name": name,
                "data_seed": seed,
                "criterion": criterion,
                "max_depth": depth,
                "min_samples_leaf": leaf,
                "classes": classes,
                "x": x,
                "y": y,
                "weight": weight,
                "tree": sklearn_tree(model.tree_, class_shares),
                "probabilities": model.predict_proba(x),
                "importances": model.feature_importances_,
            }
        )
    write("trained_trees.json", {"cases": cases})


# ---------------------------------------------------------------------------------------------
# Metrics and calibration


def expected_calibration_error(labels, scores, bins=10):
    """Σ over bins of (rows of the bin / rows) · |mean score − share of positives|.

    Bin k of B holds the scores with k/B <= score < (k+1)/B; a score of 1 is in the last bin.
    """
    bin_of = numpy.minimum((scores * bins).astype(int), bins - 1)
    total = 0.0
    for index in range(bins):
        inside = bin_of == index
        if inside.any():
            total += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return total


def metric_values():
    """Metrics of two-class scores with many ties, and of a three-class decision."""
    random = numpy.random.default_rng(41)
    labels = (random.random(300) < 0.4).astype(int)
    # Multiples of 1/64 inside (0, 1): many ties, and no score on the edge of a decimal bin but 1/2.
    scores = numpy.clip(numpy.round(random.normal(0.35 + 0.3 * labels, 0.2) * 64), 1, 63) / 64
    weights = random.integers(1, 5, 300).astype(float)
    fpr, tpr, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    at = []
    for threshold in (0.25, 0.5, 0.625, 0.75):
        decided = scores >= threshold
        (tn, fp), (fn, tp) = metrics.confusion_matrix(labels, decided)
        at.append(
            {
                "threshold": threshold,
                "true_positive": tp,
                "false_positive": fp,
                "true_negative": tn,
                "false_negative": fn,
                "accuracy": metrics.accuracy_score(labels, decided),
                "precision": metrics.precision_score(labels, decided),
                "recall": metrics.recall_score(labels, decided),
                "f1": metrics.f1_score(labels, decided),
                "false_positive_rate": fp / (fp + tn),
            }
        )
    binary = {
        "labels": labels,
        "scores": scores,
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
        "log_loss": metrics.log_loss(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
        "expected_calibration_error": expected_calibration_error(labels, scores),
        # The first point (nothing is found) has the threshold infinity: null here.
        "roc": {
            "false_positive_rate": fpr,
            "true_positive_rate": tpr,
            "threshold": [None if numpy.isinf(t) else t for t in thresholds],
        },
        "at": at,
        "weights": weights,
        "weighted": {
            "roc_auc": metrics.roc_auc_score(labels, scores, sample_weight=weights),
            "average_precision": metrics.average_precision_score(labels, scores, sample_weight=weights),
            "log_loss": metrics.log_loss(labels, scores, sample_weight=weights),
            "brier": metrics.brier_score_loss(labels, scores, sample_weight=weights),
        },
    }
    actual = random.integers(0, 3, 240)
    predicted = numpy.where(random.random(240) < 0.7, actual, random.integers(0, 3, 240))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(actual, predicted)
    many = {
        "actual": actual,
        "predicted": predicted,
        "confusion": metrics.confusion_matrix(actual, predicted),
        "accuracy": metrics.accuracy_score(actual, predicted),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
        "macro_f1": metrics.f1_score(actual, predicted, average="macro"),
    }
    write("metrics.json", {"binary": binary, "many": many})


def calibrations():
    """Isotonic regression, Platt scaling and beta calibration of a weighted sample with ties."""
    random = numpy.random.default_rng(52)
    truth = random.beta(1.2, 1.2, 200)
    labels = (random.random(200) < truth).astype(int)
    # Scores that rank well and are too timid, rounded to 1/32 for ties.
    scores = numpy.clip(numpy.round((0.5 + 0.5 * (truth - 0.5) + random.normal(0.0, 0.08, 200)) * 32), 1, 31) / 32
    weights = random.integers(1, 6, 200).astype(float) / 2.0
    grid = numpy.arange(0, 65) / 64
    isotonic = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, labels, weights)

    def logistic(inputs):
        model = LogisticRegression(C=1e6, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
        return model.fit(inputs, labels, weights)

    platt = logistic(scores[:, None])
    def beta_inputs(p):
        return numpy.column_stack([numpy.log(p), -numpy.log1p(-p)])

    beta = logistic(beta_inputs(scores))
    assert (beta.coef_ > 0.0).all(), "choose data for which beta calibration needs no refit"
    inside = grid[1:-1]
    write(
        "calibration.json",
        {
            "scores": scores,
            "labels": labels,
            "weights": weights,
            "grid": grid,
            "isotonic": isotonic.predict(grid),
            "platt": {
                "slope": platt.coef_[0, 0],
                "intercept": platt.intercept_[0],
                "probabilities": platt.predict_proba(grid[:, None])[:, 1],
            },
            "beta": {
                "a": beta.coef_[0, 0],
                "b": beta.coef_[0, 1],
                "c": beta.intercept_[0],
                "grid": inside,
                "probabilities": beta.predict_proba(beta_inputs(inside))[:, 1],
            },
        },
    )


if __name__ == "__main__":
    share_models()
    gradient_boosting()
    lightgbm_models()
    trained_trees()
    metric_values()
    calibrations()
