# SPDX-License-Identifier: BSL-1.0
"""Colours, and the few shapes that the charts are made of."""

import math
import re
from html import escape

# name: (on a light page, on a dark page). The strategies' colours were searched for, not picked: at least 3:1 against
# their page, and as far apart as can be in OKLab for normal, protan, deutan and tritan eyes. Shape and label say it again.
COLOURS = {
    "page": ("#fbfaf7", "#151617"), "ink": ("#1c1b19", "#f1efe9"), "soft": ("#5f5c55", "#aaa69d"),
    "grid": ("#e4e1d9", "#2e3032"), "rule": ("#c9c5bb", "#4a4c4e"), "panel": ("#f3f1eb", "#1e2021"),
    "per_packet": ("#8f8b83", "#7d7a74"), "per_packet_copybreak": ("#6a51d4", "#b77ffe"),
    "stride_copy": ("#5592e2", "#4470c4"), "stride_attach": ("#055e2b", "#42bf8f"),
    "page_attach": ("#ab2a82", "#fea4e9"), "build_around": ("#e95e14", "#ff8207"),
    "stride_around": ("#9a6a00", "#d9b64a"), "adaptive": ("#1c1b19", "#f1efe9"),
    "copy": ("#5592e2", "#4d82dc"), "attach": ("#e95e14", "#ff8207"),
    "other": ("#5f5c55", "#aaa69d"), "bar": ("#75818e", "#8b98a6"),
}
MARKS = {  # points around (0, 0); a strategy without one gets a circle
    "per_packet": [(-4, -4), (4, -4), (4, 4), (-4, 4)], "per_packet_copybreak": [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
    "stride_copy": [(0, -5), (5, 4), (-5, 4)], "stride_attach": [(0, 5), (5, -4), (-5, -4)],
    "page_attach": [(-5, 0), (4, -5), (4, 5)], "build_around": [(5, 0), (-4, -5), (-4, 5)],
    "stride_around": [(-5, 3), (0, -5), (5, 3), (0, 5)],
}
STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--ink)}
text.soft{fill:var(--soft)} text.fine{font-size:12px} text.head{font-weight:600;font-size:14px}
text.big{font-weight:600;font-size:16px} text.title{font-weight:600;font-size:21px}
line.grid{stroke:var(--grid)} line.rule{stroke:var(--rule)} line.range{stroke:var(--other);stroke-width:1.5;opacity:.55}
path.line{fill:none;stroke:var(--other);stroke-width:2;stroke-linejoin:round}
path.line.adaptive{stroke-width:3} path.line.lead{stroke-width:1}
path.floor{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.page{fill:var(--page)} .mark,.tile{fill:var(--other)} .bar{fill:var(--bar)} .band{fill:var(--rule);opacity:.6}
.ring{fill:var(--page);stroke:var(--ink);stroke-width:1.5} .none{fill:none;stroke:var(--rule);stroke-dasharray:3 3}
""" + "".join(f"path.line.{name},line.range.{name}{{stroke:var(--{name})}} .mark.{name},.tile.{name}{{fill:var(--{name})}}\n"
              for name in COLOURS if name not in ("page", "ink", "soft", "grid", "rule", "panel", "other", "bar"))


def variables():
    """The colours as CSS variables of the page, for both schemes."""
    light, dark = ("".join(f"--{name}:{pair[i]};" for name, pair in COLOURS.items()) for i in (0, 1))
    return f":root{{color-scheme:light dark;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def literal_style():
    """The same rules with plain colours, because not every program that shows an SVG knows CSS variables."""
    light, dark = (re.sub(r"var\(--(\w+)\)", lambda name: COLOURS[name[1]][i], STYLE) for i in (0, 1))
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"


class Missing(Exception):
    """The run does not have what a chart needs; the text says what."""


class Drawing:
    """One chart: shapes drawn one after the other, a title and a caption."""

    def __init__(self, title, caption, width=960, height=0):
        self.title, self.caption, self.width, self.height, self.shapes = title, caption, width, height, []

    def add(self, tag, kind="", hint="", words=None, **attributes):
        values = "".join(f' {key}="{value:.1f}"' if isinstance(value, float) else f' {key}="{escape(str(value))}"'
                         for key, value in {"class": kind, **attributes}.items() if value != "")
        inside = escape(words, False) if words is not None else f"<title>{escape(hint, False)}</title>" if hint else ""
        self.shapes.append(f"<{tag}{values}>{inside}</{tag}>")

    def text(self, x, y, words, kind="", anchor=""):
        self.add("text", kind, words=str(words), x=float(x), y=float(y), **({"text-anchor": anchor} if anchor else {}))

    def line(self, x1, y1, x2, y2, kind):
        self.add("line", kind, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2))

    def rect(self, x, y, width, height, kind, hint="", **attributes):
        self.add("rect", kind, hint, x=float(x), y=float(y), width=float(width), height=float(height), **attributes)

    def path(self, points, kind):
        self.add("path", kind, d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points))

    def mark(self, x, y, strategy, hint=""):
        if strategy in MARKS:
            corners = "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in MARKS[strategy])
            self.add("path", f"mark {known(strategy)}", hint, d=f"M{corners}Z")
        else:
            self.add("circle", f"mark {known(strategy)}", hint, cx=float(x), cy=float(y), r=4.5)

    def element(self, attributes, view, inside=""):
        about = escape(f"{self.title}. {self.caption}")
        return f'<svg {attributes}viewBox="{view}" role="img" aria-label="{about}">{inside}{"".join(self.shapes)}</svg>\n'

    def inline(self):
        return self.element("", f"0 0 {self.width} {math.ceil(self.height)}")

    def standalone(self):
        """A file of its own: with its title, a margin, and the colours for both schemes."""
        x, y, width, height = -20, -58, self.width + 40, math.ceil(self.height) + 78
        size = f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        page = f'<rect class="page" x="{x}" y="{y}" width="{width}" height="{height}"/>'
        title = f'<text class="title" y="-24">{escape(self.title, False)}</text>'
        return ("<!-- SPDX-License-Identifier: BSL-1.0 -->\n"
                + self.element(size, f"{x} {y} {width} {height}", f"<style>{literal_style()}</style>{page}{title}"))


def known(name):
    return name if name in COLOURS else "other"


def shorten(words, letters):
    return words if len(words) <= letters else words[:letters - 1] + "…"


def spread(wanted, gap, low, high):
    """Positions near the wanted ones, in the same order, at least gap apart, between low and high if they fit."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = dict.fromkeys(order, 0.0)
    last = low - gap
    for i in order:
        last = places[i] = max(wanted[i], last + gap)
    limit = high + gap
    for i in reversed(order):
        limit = places[i] = min(places[i], limit - gap)
    return [places[i] for i in range(len(wanted))]


def log_ticks(low, high):
    steps = (1, 2, 5) if high / low < 3000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0 ** e for e in decades for step in steps if low <= step * 10.0 ** e <= high]


def linear_ticks(low, high, wanted=8):
    raw = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= raw * 0.999)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
