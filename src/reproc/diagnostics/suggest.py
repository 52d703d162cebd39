"""The nearest known name to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` most likely stands for, or None where none is near.

    Near is at most one slip (a letter added, lost, changed, or two neighbours swapped) in three letters;
    upper and lower case, `-` and `_` count as the same. Of equally near names the first one wins.
    """
    wanted = _folded(word)
    best: str | None = None
    best_distance = 0
    for name in known:
        candidate = _folded(name)
        limit = max(len(wanted), len(candidate)) // 3
        if best is not None:
            limit = min(limit, best_distance - 1)
        if name == word or abs(len(wanted) - len(candidate)) > limit:
            continue
        distance = _slips(wanted, candidate, limit)
        if distance <= limit:
            best, best_distance = name, distance
    return best


def _folded(name: str) -> str:
    return name.casefold().replace("_", "-")


def _slips(left: str, right: str, limit: int) -> int:
    """The optimal string alignment distance, or any number above `limit` once it cannot be reached."""
    if limit <= 0:
        return 0 if limit == 0 and left == right else limit + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, start=1):
        current = [row]
        for column, b in enumerate(right, start=1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b))
            if row > 1 and column > 1 and a == right[column - 2] and left[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > limit and min(previous) > limit:
            return limit + 1
        before, previous = previous, current
    return previous[-1]
