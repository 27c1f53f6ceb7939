"""Identification and the published IJB figures, written out: a loop over probes, subjects and thresholds."""

import math

import numpy as np


def searched(scores, gallery, probes):
    """(mated, own score, best other score, rank) of each probe."""
    out = []
    for row, subject in zip(scores, probes, strict=True):
        best = {}
        for score, who in zip(row, gallery, strict=True):
            best[who] = max(best.get(who, -math.inf), score)
        others = [score for who, score in best.items() if who != subject]
        own = best.get(subject, -math.inf)
        rank = 1 + sum(score >= own for score in others) if subject in best else 0
        out.append((subject in best, own, max(others, default=-math.inf), rank))
    return out


def tpir(found, fpir, rank):
    """The k-th highest false hit is the threshold, k = ⌊fpir·N⌋; where the next ties with it, the number above."""
    false = sorted((other for mated, _, other, _ in found if not mated), reverse=True)
    mates = [(own, place) for mated, own, _, place in found if mated]
    allowed = math.floor(len(false) * fpir + 1e-9)
    if not mates or allowed < 1 or len({*false, *(own for own, _ in mates)}) == 1:
        return None
    threshold = false[allowed - 1]
    if allowed < len(false) and false[allowed] == threshold:
        threshold = np.nextafter(threshold, np.inf)
    return sum(own >= threshold and (not rank or place <= rank) for own, place in mates) / len(mates)


def nearest(genuine, impostor, far):
    """What ijb_11.py prints: scikit-learn's curve turned round, the first of the points that are nearest."""
    from sklearn.metrics import roc_curve

    label = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    fpr, tpr, _ = roc_curve(label, np.r_[genuine, impostor])
    fpr, tpr = fpr[::-1], tpr[::-1]
    place = min(range(len(fpr)), key=lambda at: (abs(fpr[at] - far), at))
    return tpr[place], fpr[place]


def published_templates(features, template, media, keep_norm=True, detector=None):
    """ijb_11.py: norm kept or not, detector's score, mean of a medium, sum over media, length 1."""
    out = []
    for number in sorted(set(template.tolist())):
        total = 0
        for medium in sorted(set(media[template == number].tolist())):
            rows = [row for row in range(len(features)) if template[row] == number and media[row] == medium]
            faces = []
            for row in rows:
                face = features[row].astype(float)
                face = face if keep_norm else face / math.sqrt((face * face).sum())
                faces.append(face * (1 if detector is None else float(detector[row])))
            total = total + sum(faces) / len(faces)
        out.append(total / math.sqrt((total * total).sum()))
    return np.array(out)
