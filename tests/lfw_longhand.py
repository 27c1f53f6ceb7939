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


def pfe(mu, pairs):
    """PFE's and ProbFace's metrics.py: genuine scores as thresholds, the mean of the best, same at it or above."""
    out = []
    score = [angle(mu[a], mu[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    for fold in range(int(max(pairs.fold)) + 1):
        training = [i for i in range(len(score)) if pairs.fold[i] != fold]
        best, maximisers = -1, []
        for i in training:
            if not pairs.same[i]:
                continue
            right = sum((score[k] >= score[i]) == pairs.same[k] for k in training)
            if right > best:
                best, maximisers = right, []
            if right == best:
                maximisers.append(score[i])
        t = math.nextafter(max(score[i] for i in training), math.inf)
        if maximisers:
            t = maximisers[0] if len(set(maximisers)) == 1 else sum(maximisers) / len(maximisers)
        testing = [i for i in range(len(score)) if pairs.fold[i] == fold]
        out.append((sum((score[i] >= t) == pairs.same[i] for i in testing) / len(testing), t))
    return out, score


def validation_rates(mu, pairs, far_target):
    """verification.py's calculate_val: (VAL, FAR) of each fold."""
    out = []
    distance = [squared_distance(mu[a], mu[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    for fold in range(int(max(pairs.fold)) + 1):
        training = [i for i in range(len(distance)) if pairs.fold[i] != fold and not pairs.same[i]]
        testing = [i for i in range(len(distance)) if pairs.fold[i] == fold]
        fars = [sum(distance[i] < step * 0.001 for i in training) / len(training) for step in range(4000)]
        threshold = 0.0
        if max(fars) >= far_target:
            below = [step for step in range(4000) if fars[step] <= far_target][-1]
            threshold = below * 0.001
            if fars[below] < far_target:
                threshold += 0.001 * (far_target - fars[below]) / (fars[below + 1] - fars[below])
        genuine = [distance[i] < threshold for i in testing if pairs.same[i]]
        impostor = [distance[i] < threshold for i in testing if not pairs.same[i]]
        out.append((sum(genuine) / len(genuine), sum(impostor) / len(impostor)))
    return out


def squared_distance(x, y):
    return float(sum((x / (math.sqrt(sum(x * x)) or 1) - y / (math.sqrt(sum(y * y)) or 1)) ** 2))
