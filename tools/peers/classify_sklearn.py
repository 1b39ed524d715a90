"""`warpface classify` beside scikit-learn, on the same embeddings.

    warpface embed PHOTOS -o VECTORS
    warpface classify train VECTORS -c FILE --min-images-per-class 20 --train-images-per-class 10 [--method knn]
    warpface classify test VECTORS -c FILE --json > TEST.jsonl
    python classify_sklearn.py VECTORS FILE TEST.jsonl [ROWS.csv]

Needs numpy and scikit-learn 1.9 (SVC's probabilities are deprecated there, and gone in 1.11). The faces that scikit-learn is
trained on are those that the classifier's file holds; the others of the test are asked for. Prints accuracies and how far the
likeliest person's probabilities are apart; writes a row for each face where asked to.
"""

import csv
import json
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC


def classifier(path):
    """People, faces and their classes out of a classifier's file (safetensors)."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    facts = json.loads(header.pop("__metadata__")["warpface.classifier"])

    def tensor(name):
        start, end = header[name]["data_offsets"]
        kind = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}[header[name]["dtype"]]
        return np.frombuffer(data[8 + length :][start:end], kind).reshape(header[name]["shape"])

    counts = np.diff(tensor("starts"))
    return facts["people"], tensor("faces").astype(np.float64), np.repeat(np.arange(len(counts)), counts)


def asked(vectors, test, people):
    """Embeddings and people of the faces of the test, and what warpface said."""
    rows = np.load(Path(vectors) / "embeddings.npy").astype(np.float64)
    paths = (Path(vectors) / "paths.txt").read_text().splitlines()
    place = {path: row for row, path in enumerate(paths)}
    said = [json.loads(line) for line in Path(test).read_text().splitlines()]
    said = [line for line in said if "image" in line and line["person"] in people]
    number = {name: i for i, name in enumerate(people)}
    return rows[[place[line["image"]] for line in said]], np.array([number[line["person"]] for line in said]), said


def main():
    vectors, file, test = sys.argv[1:4]
    people, faces, classes = classifier(file)
    rows, person, said = asked(vectors, test, people)
    ours = np.array([people.index(line["likeliest"]) for line in said])
    probability = np.array([line["probability"] for line in said])
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}: {len(faces)} faces of {len(people)} people, {len(rows)} asked for")
    print(f"warpface: likeliest right {np.mean(ours == person):.4f}")
    peers = {
        "SVC(kernel='linear', probability=True)": SVC(kernel="linear", probability=True, random_state=0),
        "the same, random_state=1": SVC(kernel="linear", probability=True, random_state=1),
        "CalibratedClassifierCV(SVC(kernel='linear'), ensemble=False)": CalibratedClassifierCV(SVC(kernel="linear"), ensemble=False),
        "KNeighborsClassifier(3, weights='distance')": KNeighborsClassifier(3, weights="distance"),
    }
    columns = {}
    for name, peer in peers.items():
        columns[name] = peer.fit(faces, classes).predict_proba(rows)
        found = columns[name]
        apart = np.abs(found[np.arange(len(rows)), ours] - probability)
        print(f"{name}: predict right {np.mean(peer.predict(rows) == person):.4f}, likeliest right "
              f"{np.mean(found.argmax(axis=1) == person):.4f}, likeliest as ours {np.mean(found.argmax(axis=1) == ours):.4f}, "
              f"our likeliest's probability apart by {apart.max():.2g} at most, {apart.mean():.2g} on average")
    if len(sys.argv) > 4:
        with open(sys.argv[4], "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["person", "likeliest", "probability", *columns])
            for i in range(len(rows)):
                writer.writerow([people[person[i]], people[ours[i]], f"{probability[i]:.9f}", *(f"{found[i, ours[i]]:.9f}" for found in columns.values())])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
