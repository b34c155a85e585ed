"""How much of score and cost a set of networks dominates."""

from __future__ import annotations


def hypervolume(points: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area that a set of (score, cost) dominates, up to a reference of low score and high cost (Zitzler 1999)."""
    area, best = 0.0, reference[0]
    front = []
    for score, cost in sorted(points, key=lambda point: (point[1], -point[0])):
        if score > best and cost < reference[1]:
            front.append((score, cost))
            best = score
    for i, (score, cost) in enumerate(front):
        following = front[i + 1][1] if i + 1 < len(front) else reference[1]
        area += (score - reference[0]) * (following - cost)
    return area
