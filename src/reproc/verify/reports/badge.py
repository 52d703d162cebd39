"""The report as a badge: two words in an SVG image, for a README."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from reproc.verify.reports import words

_COLORS = {"passed": "#1a7f37", "failed": "#cf222e", "flaky": "#9a6700", "incomplete": "#9a6700"}
"""White on each of them has a contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""
_ADVANCE = 6.8
"""Pixels a letter, at 11 px Verdana; `textLength` makes up for other fonts."""


def badge(document: Mapping[str, Any]) -> str:
    """`reproc | R3`: the lowest level that every image reached, or how the run came out."""
    outcome = words.verdict(document)
    level = words.level(document)
    says = f"{level} {words.LEVELS[level]}" if outcome == "passed" and level else outcome
    left, right = "reproc", says
    widths = [round(len(each) * _ADVANCE + 12) for each in (left, right)]
    label = escape(f"{left}: {right}", quote=True)
    texts = "".join(
        f'<text x="{sum(widths[:at]) + widths[at] / 2:g}" y="14" textLength="{widths[at] - 12}">{escape(each)}</text>'
        for at, each in enumerate((left, right))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{sum(widths)}" height="20" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<clipPath id="r"><rect width="{sum(widths)}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{widths[0]}" height="20" fill="#444"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" fill="{_COLORS[outcome]}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g>'
        "</svg>\n"
    )
