"""Vega-Lite specifications as SVG, drawn while the site is built: pages need no script to show a chart.

Owns the theme, which takes its colours from the page's own style sheet, so that a chart is dark where the page is, and the drawn
pictures of earlier builds: a chart whose figures are the same is not drawn again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakesmith.extras import needs_extra

__all__ = ["Pictures"]

_VEGA_LITE = "5.20"
_CACHE = ".charts.json"
_CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "titleFontWeight": "normal",
        "titlePadding": 14,
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
    "axisX": {"grid": False, "labelOverlap": True, "labelSeparation": 10, "titlePadding": 6},
    "legend": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "labelFontSize": 11,
        "orient": "top",
        "title": None,
        "columnPadding": 26,
    },
    "header": {"labelColor": "var(--soft)", "titleColor": "var(--soft)"},
    "title": {"color": "var(--ink)", "fontSize": 12, "fontWeight": 600, "anchor": "start"},
    "bar": {"color": "var(--s1)"},
    "line": {"color": "var(--s1)", "strokeWidth": 1.5},
    "area": {"color": "var(--s1)", "opacity": 0.75},
    "point": {"color": "var(--s1)", "filled": True, "size": 30},
    "rule": {"color": "var(--soft)"},
    "range": {"category": [f"var(--s{n})" for n in range(1, 9)]},
}
_OUTER = re.compile(r'^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*?viewBox="([^"]+)"[^>]*>')
_LONG = re.compile(r"(\d+\.\d)\d{2,}")


class Pictures:
    """Draws charts, each once.

    Args:
        folder: where the pictures of the last build are kept; None keeps none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder / _CACHE if folder is not None else None
        self._before: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self.drawn = 0
        if self._file is not None and self._file.exists():
            try:
                self._before = json.loads(self._file.read_text(encoding="utf-8"))
            except ValueError:
                self._before = {}

    def draw(self, spec: Mapping[str, Any]) -> str:
        """The SVG of a specification, all its texts escaped; it scales with the page and names no size of its own.

        Raises:
            ExtraMissing: vl-convert-python is not installed.
        """
        whole = {"config": _CONFIG, **spec}
        text = json.dumps(whole, sort_keys=True, allow_nan=False)
        key = hashlib.sha256(f"{_VEGA_LITE} {text}".encode()).hexdigest()[:32]
        if key not in self._used:
            self._used[key] = self._before.get(key) or self._drawn(whole)
        return self._used[key]

    def _drawn(self, spec: Mapping[str, Any]) -> str:
        with needs_extra("site"):
            import vl_convert
        self.drawn += 1
        svg = str(vl_convert.vegalite_to_svg(dict(spec), vl_version=_VEGA_LITE))
        found = _OUTER.match(svg)
        if found is None:
            return svg
        width, _, box = found.groups()
        # `role` and name are those of the figure around it.
        head = f'<svg class="vega" width="{width}" viewBox="{box}" aria-hidden="true" focusable="false">'
        return _LONG.sub(r"\1", head + svg[found.end() :])

    def finish(self) -> None:
        """Keeps the pictures of this build for the next one."""
        if self._file is not None:
            self._file.write_text(json.dumps(self._used), encoding="utf-8")
