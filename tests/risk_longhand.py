"""Risk-controlled verification, one pair and one threshold at a time."""


def kept(uncertainty, share):
    """Indices of the pairs that stay: linear percentile of the sorted values."""
    values = sorted(uncertainty)
    place = (1 - share) * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    cut = values[low] + (values[high] - values[low]) * (place - low)
    return [i for i, value in enumerate(uncertainty) if value <= cut or abs(value - cut) < 1e-12]


def accuracy(scores, same, threshold):
    return sum((score >= threshold) == truth for score, truth in zip(scores, same, strict=True)) / len(scores)


def table_row(scores, same, uncertainty, share, folds=10):
    """(number kept, mean accuracy, mean threshold)."""
    rows = kept(uncertainty, share)
    scores, same = [scores[i] for i in rows], [same[i] for i in rows]
    sizes = [len(rows) // folds + (number < len(rows) % folds) for number in range(folds)]
    accuracies, thresholds, first = [], [], 0
    for size in sizes:
        here = range(first, first + size)
        first += size
        rest = [i for i in range(len(rows)) if i not in here]
        train, truth = [scores[i] for i in rest], [same[i] for i in rest]
        candidates = [score for score, genuine in zip(train, truth, strict=True) if genuine]
        reached = [accuracy(train, truth, candidate) for candidate in candidates]
        best = [c for c, value in zip(candidates, reached, strict=True) if value == max(reached)]
        thresholds.append(sum(best) / len(best))
        accuracies.append(accuracy([scores[i] for i in here], [same[i] for i in here], thresholds[-1]))
    return len(rows), sum(accuracies) / folds, sum(thresholds) / folds


def fnmr_curve(scores, same, uncertainty, threshold, shares):
    """(kept, FNMR, FMR) at each share; a rate without pairs is the one before."""
    points = []
    for share in shares:
        rows = kept(uncertainty, share)
        genuine = [scores[i] for i in rows if same[i]]
        impostor = [scores[i] for i in rows if not same[i]]
        fnmr = sum(s < threshold for s in genuine) / len(genuine) if genuine else points[-1][1]
        fmr = sum(s >= threshold for s in impostor) / len(impostor) if impostor else points[-1][2]
        points.append((len(rows), fnmr, fmr))
    return points


def trapezia(x, y):
    return sum((b - a) * (p + q) / 2 for a, b, p, q in zip(x, x[1:], y, y[1:], strict=False))
