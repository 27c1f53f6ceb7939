"""Ten-fold verification as the fact sheet words it: a loop over folds, thresholds and pairs."""

import math

import numpy as np

PAIRS_FILE = """2\t2
Ann\t1\t2
Bo\t3\t10
Ann\t1\tBo\t2
Bo\t1\tCy_D\t1
Ann\t2\t3
Cy_D\t1\t2
Ann\t1\tBo\t1
Bo\t2\tAnn\t4
"""


def sphereface(mu, pairs):
    """SphereFace's evaluation.m: (accuracy, threshold) of every fold, and the scores that they were judged by."""
    out, seen = [], []
    for fold in range(int(max(pairs.fold)) + 1):
        training = [i for i in range(len(pairs.same)) if pairs.fold[i] != fold]
        testing = [i for i in range(len(pairs.same)) if pairs.fold[i] == fold]
        total = np.zeros(mu.shape[1])
        for i in training:
            total = total + mu[pairs.left[i]] + mu[pairs.right[i]]
        mean = total / (2 * len(training))
        score = {i: angle(mu[pairs.left[i]] - mean, mu[pairs.right[i]] - mean) for i in range(len(pairs.same))}
        best, maximisers = -1, []
        for step in range(20_001):
            t = (step - 10_000) / 10_000
            right = sum(judged_right(score[i], t, pairs.same[i]) for i in training)
            if right > best:
                best, maximisers = right, []
            if right == best:
                maximisers.append(step - 10_000)
        t = sum(maximisers) / len(maximisers) / 10_000
        right = sum(judged_right(score[i], t, pairs.same[i]) for i in testing)
        out.append((right / len(testing), t))
        seen.extend(score.values())
    return out, seen


def angle(x, y):
    lengths = math.sqrt(sum(x * x)) * math.sqrt(sum(y * y))
    return float(sum(x * y)) / lengths if lengths else 0.0


def judged_right(score, t, same):
    """Same when above, different when below: a tie is wrong for both."""
    return score > t if same else score < t


def insightface(mu, pairs):
    """verification.py: squared distance of normalised rows, first of the best thresholds, same when below."""
    out = []
    distance = [squared_distance(mu[a], mu[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    for fold in range(int(max(pairs.fold)) + 1):
        best, t = -1, None
        for step in range(400):
            candidate = step * 0.01
            right = sum(
                (distance[i] < candidate) == pairs.same[i] for i in range(len(distance)) if pairs.fold[i] != fold
            )
            if right > best:
                best, t = right, candidate
        testing = [i for i in range(len(distance)) if pairs.fold[i] == fold]
        out.append((sum((distance[i] < t) == pairs.same[i] for i in testing) / len(testing), t))
    return out, distance


def squared_distance(x, y):
    return float(sum((x / (math.sqrt(sum(x * x)) or 1) - y / (math.sqrt(sum(y * y)) or 1)) ** 2))
