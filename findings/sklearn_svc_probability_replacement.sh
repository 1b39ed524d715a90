#!/usr/bin/env bash
# What scikit-learn names in place of the deprecated SVC(probability=True) takes many more people for others.
#
# Versions: scikit-learn 1.9.1, numpy 2.4.6, Python 3.11.
# Expected: the deprecation says to use CalibratedClassifierCV(SVC(), ensemble=False) instead: probabilities of the same machines,
#     and so about the same classes.
# Behaviour: SVC calibrates each two classes (Platt) and couples the pairs' probabilities (Wu, Lin and Weng). CalibratedClassifierCV
#     takes the decisions of one class against the rest, which SVC makes out of votes, calibrates each by itself and scales them
#     to sum to 1. Votes are near to whole numbers, alike for many classes, and the class with the most votes is often not the
#     likeliest then. With unit vectors of 62 classes, ten to train on and 15 to test: SVC's predict and predict_proba are right for
#     all, the calibrated one for nine of ten, with ensemble=True for two of three.
# Fails if that changes. Needs pip.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

CLASSES, DIM = 62, 64
random = np.random.default_rng(0)
centres = random.normal(size=(CLASSES, DIM))
centres /= np.linalg.norm(centres, axis=1, keepdims=True)


def draw(each):
    classes = np.repeat(np.arange(CLASSES), each)
    rows = centres[classes] + 0.11 * random.normal(size=(len(classes), DIM))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), classes


(train, train_classes), (test, classes) = draw(10), draw(15)
svc = SVC(kernel="linear", probability=True, random_state=0).fit(train, train_classes)
single = CalibratedClassifierCV(SVC(kernel="linear"), ensemble=False).fit(train, train_classes)
several = CalibratedClassifierCV(SVC(kernel="linear"), ensemble=True).fit(train, train_classes)
right = {
    "SVC, predict": (svc.predict(test) == classes).mean(),
    "SVC, likeliest": (svc.predict_proba(test).argmax(axis=1) == classes).mean(),
    "CalibratedClassifierCV, ensemble=False": (single.predict(test) == classes).mean(),
    "CalibratedClassifierCV, ensemble=True": (several.predict(test) == classes).mean(),
}
for name, share in right.items():
    print(f"{name}: {share:.3f}")
predict, likeliest, alone, together = right.values()
assert predict > 0.99 and likeliest > 0.99, "SVC itself changed"
assert alone < 0.95 and together < 0.8, "the replacement is as good now"
PYTHON
echo "as described"
