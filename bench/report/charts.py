# SPDX-License-Identifier: BSL-1.0
"""The charts of the copy-or-not report: each takes the run and returns a Drawing, or raises Missing with the reason."""

import math
from collections import Counter
from dataclasses import dataclass

import words
from drawing import Drawing, Missing, known, linear_ticks, log_ticks, shorten, spread


def short(strategy):
    return words.STRATEGIES.get(strategy, ("", strategy.replace("_", " ")))[1]


def letter(strategy):
    return words.STRATEGIES.get(strategy, (strategy[:2],))[0]


def start(chart, height=0, **facts):
    """An empty drawing with the chart's title and caption."""
    title, caption = words.CHARTS[chart]
    return Drawing(title.format(**facts), " ".join(caption.format(**facts).split()), height=height)


def which_cells(shown, cells, order):
    return f"The {len(shown)} {order} of {len(cells)} cells." if len(shown) < len(cells) else f"All {len(cells)} cells."


def plain(value):
    """A number for an axis or a cell: three digits that count, thin spaces in long ones."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def percent(value, sign=""):
    return "–" if value is None else f"{100 * value:{sign}.1f}\u202f%".replace("-", "−")


def holds(run):
    """The holding times in order: name to number of packets."""
    found = {row["hold"]: row["hold_packets"] for row in reversed(run["rows"])}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def hold_label(run, hold):
    packets = holds(run).get(hold, math.inf)
    return hold if hold.isdecimal() else \
        f"{hold} ({packets:.0f})" if packets < math.inf else hold


def main_touch(run):
    counts = Counter(row["touch"] for row in run["rows"] if row["median"])
    if not counts:
        raise Missing("the run has no measured cell")
    return "headers" if "headers" in counts else counts.most_common(1)[0][0]


# ---- the map ------------------------------------------------------------------------------------

TOUCHES = ["headers", "none", "every byte", "checksum", "copy-out"]
WIDE = 78  # a cell of the map at least this wide has room for the strategy's name


def map_panel(drawing, run, cells, x, y, width, title):
    sizes = sorted({cell["frame_bytes"] for cell in cells})
    rows = sorted({cell["hold"] for cell in cells}, key=lambda hold: -holds(run).get(hold, math.inf))
    left, cell_w = 94, min(116.0, (width - 94) / len(sizes))
    cell_h, by_place = (56 if cell_w >= WIDE else 42), {(cell["hold"], cell["frame_bytes"]): cell for cell in cells}
    drawing.text(x, y + 14, title, "head")
    drawing.text(x + left - 10, y + 36, "packets held", "soft fine", "end")
    for r, hold in enumerate(rows):
        top = y + 44 + r * cell_h
        drawing.text(x + left - 10, top + cell_h / 2 + 4, hold_label(run, hold), "", "end")
        for c, size in enumerate(sizes):
            map_cell(drawing, by_place.get((hold, size)), x + left + c * cell_w, top, cell_w - 3, cell_h - 3)
    bottom = y + 44 + len(rows) * cell_h
    for c, size in enumerate(sizes):
        drawing.text(x + left + (c + 0.5) * cell_w - 1.5, bottom + 15, f"{size:g}", "" if cell_w > 40 else "fine", "middle")
    drawing.text(x + left - 10, bottom + 15, "frame bytes", "soft fine", "end")
    return bottom + 30, cell_w >= WIDE


def map_cell(drawing, cell, x, y, width, height):
    if cell is None:
        return drawing.rect(x + 1, y + 1, width - 2, height - 2, "none", "not measured", rx=3)
    margin, winner = cell["margin"] or 1.0, cell["winner"]
    strength = 0.16 + 0.46 * min(1.0, max(0.0, math.log2(max(margin, 1.0)) / 2))
    wide = width + 3 >= WIDE
    hint = f"{short(winner)}: {margin:.2f} times ahead of the best of the other family"
    drawing.rect(x, y, width, height, f"tile {known(cell['family'])}", hint, rx=3, **{"fill-opacity": f"{strength:.2f}"})
    number = f"{margin:.2f}×" if wide else f"{margin:.1f}"
    drawing.text(x + width / 2, y + height / 2 - 3, number, "big" if wide else "fine", "middle")
    name = short(winner) if wide else letter(winner)
    drawing.text(x + width / 2, y + height / 2 + (15 if wide else 12), name, "fine", "middle")


def draw_map(run):
    cells = [cell for cell in run["answer"]["map"] if cell["frame_bytes"] and cell["winner"]]
    if not cells:
        raise Missing("the run compared no fixed frame size")
    touches = sorted({cell["touch"] for cell in cells}, key=lambda touch: (TOUCHES + [touch]).index(touch))
    drawing = start("map")
    for i, kind in enumerate(("copy", "attach")):
        drawing.rect(i * 180, 4, 14, 14, f"tile {kind}", rx=3)
        drawing.text(i * 180 + 21, 16, ("copying wins", "in place wins")[i])
    y, bottom, letters = 34, 34, False
    for i, touch in enumerate(touches):
        half = i > 0
        x = 490 * ((i - 1) % 2) if half else 0
        if half and x == 0:
            y = bottom + 14
        end, named = map_panel(drawing, run, [cell for cell in cells if cell["touch"] == touch], x, y, 470 if half else 960,
                               f"Consumer touches: {touch}")
        bottom, letters = max(bottom, end), letters or not named
    if letters:
        winners = {cell["winner"] for cell in cells}
        names = [f"{letter(name)}: {short(name)}" for name in words.STRATEGIES if name in winners]
        drawing.text(0, bottom + 16, "   ".join(names).replace(" ", "\u00a0"), "soft")
    drawing.height = bottom + (24 if letters else 0)
    return drawing


# ---- lines, one panel for each value of something ------------------------------------------------

@dataclass
class Panel:
    title: str
    ticks: list  # (x, label)
    lines: dict  # strategy: [(x, y, low, high)]
    axis: str


def line_panels(drawing, panels, unit, write):
    """Panels two abreast, with one logarithmic y axis for all of them."""
    panels = [panel for panel in panels if len(panel.ticks) > 1 and panel.lines]
    if not panels:
        raise Missing("it takes two points on the x axis to draw a line, and the run has fewer")
    values = [v for panel in panels for line in panel.lines.values() for point in line for v in point[1:] if v]
    low, high = min(values) / 1.15, max(values) * 1.15
    for i, panel in enumerate(panels):
        one_panel(drawing, panel, 490 * (i % 2), 364 * (i // 2), low, high, unit, write)
    drawing.height = 364 * math.ceil(len(panels) / 2) - 10
    return drawing


def one_panel(drawing, panel, x, y, low, high, unit, write):
    left, right, top, bottom = x + 52, x + 346, y + 44, y + 306
    first, last = min(t[0] for t in panel.ticks), max(t[0] for t in panel.ticks)
    place_x = lambda v: left + 8 + (right - left - 16) * (v - first) / (last - first)
    place_y = lambda v: bottom - (bottom - top) * math.log(v / low) / math.log(high / low)
    drawing.text(x, y + 14, panel.title, "head")
    drawing.text(x, y + 32, unit, "soft fine")
    for tick in log_ticks(low, high):
        drawing.line(left, place_y(tick), right, place_y(tick), "grid")
        drawing.text(left - 8, place_y(tick) + 4, write(tick), "soft fine", "end")
    drawing.line(left, bottom, right, bottom, "rule")
    x_labels(drawing, [(place_x(v), label) for v, label in panel.ticks], bottom)
    drawing.text((left + right) / 2, bottom + 36, panel.axis, "soft fine", "middle")
    names = sorted(panel.lines, key=lambda name: (name != "memcpy", name == "adaptive"))  # floor below, Noria on top
    for name in names:
        one_line(drawing, name, [(place_x(p[0]), *p[1:]) for p in sorted(panel.lines[name])], place_y, write)
    ends = [max(panel.lines[name]) for name in names]
    for name, end, label_y in zip(names, ends, spread([place_y(end[1]) for end in ends], 16, top + 4, bottom - 4)):
        drawing.path([(place_x(end[0]) + 6, place_y(end[1])), (right + 12, label_y)],
                     "floor" if name == "memcpy" else f"line {known(name)} lead")
        if name != "memcpy":
            drawing.mark(right + 19, label_y, name)
        drawing.text(right + 28, label_y + 4, short(name), "soft fine" if name == "memcpy" else "fine")


def x_labels(drawing, ticks, bottom):
    """All ticks; labels only where they do not touch, the ends and 1514 first."""
    taken = []
    for place, label in sorted(ticks, key=lambda t: (t not in (ticks[0], ticks[-1]), t[1] != "1514", t[0])):
        drawing.line(place, bottom, place, bottom + 4, "rule")
        half = 3.6 * len(label) + 4
        if all(abs(place - other) >= half + width for other, width in taken):
            taken.append((place, half))
            drawing.text(place, bottom + 18, label, "fine", "middle")


def one_line(drawing, name, points, place_y, write):
    places = [(p[0], place_y(p[1])) for p in points]
    drawing.path(places, "floor" if name == "memcpy" else f"line {known(name)}")
    for (x, y), (_, value, low, high) in zip(places, points):
        if name != "memcpy":
            if low and high:
                drawing.line(x, place_y(low), x, place_y(high), f"range {known(name)}")
            drawing.mark(x, y, name, f"{short(name)}: {write(value)}")


def lines_of(rows, x_of, y_of):
    lines = {}
    for row in rows:
        point = y_of(row)
        if point and point[0] and point[0] > 0:
            lines.setdefault(row["strategy"], []).append((x_of(row), *point))
    return lines


def timing(row):
    return row["median"], row["min"], row["max"]


def with_floor(rows, x_of):
    floor = lines_of(rows, x_of, lambda row: (row["memcpy_floor_ns"], None, None))
    by_x = {x: y for line in floor.values() for x, y, *_ in line}
    return {**lines_of(rows, x_of, timing), **({"memcpy": [(x, y, None, None) for x, y in by_x.items()]} if by_x else {})}


def draw_sizes(run):
    touch, panels = main_touch(run), []
    for hold, packets in holds(run).items():
        rows = [row for row in run["rows"] if row["hold"] == hold and row["touch"] == touch and row["frame_bytes"]]
        sizes = sorted({row["frame_bytes"] for row in rows})
        panels.append(Panel("Freed at once" if packets == 0 else f"Packets held: {hold_label(run, hold)}",
                            [(math.log2(size), f"{size:g}") for size in sizes],
                            with_floor(rows, lambda row: math.log2(row["frame_bytes"])), "frame bytes"))
    return line_panels(start("by_size", touch=touch), panels, "ns for each packet", plain)


def by_hold(run, rows, title, points):
    order = list(holds(run))
    here = [hold for hold in order if any(row["hold"] == hold for row in rows)]
    return Panel(title, [(order.index(hold), hold) for hold in here], points(rows, lambda row: order.index(row["hold"])),
                 "packets held")


def draw_mixes(run):
    touch, panels = main_touch(run), []
    for traffic in dict.fromkeys(row["traffic"] for row in run["rows"] if not row["frame_bytes"]):
        rows = [row for row in run["rows"] if row["traffic"] == traffic and row["touch"] == touch]
        panels.append(by_hold(run, rows, f"Traffic: {traffic}", with_floor))
    return line_panels(start("by_hold", touch=touch), panels, "ns for each packet", plain)


def pinned(row):
    """Peak pinned bytes for each byte of the packets that the consumer holds."""
    if not (row["held_payload_bytes"] and row["pinned_peak_bytes"]):
        return None
    return row["pinned_peak_bytes"] / row["held_payload_bytes"], None, None


def draw_pinned(run):
    touch, panels = main_touch(run), []
    rows = [row for row in run["rows"] if row["touch"] == touch and pinned(row)]
    order = sorted({row["traffic"]: row["frame_bytes"] or 0 for row in rows}.items(), key=lambda item: item[1])
    for traffic, size in order:
        here = [row for row in rows if row["traffic"] == traffic]
        title = f"Frames of {size:g} bytes" if size else f"Traffic: {traffic}"
        panels.append(by_hold(run, here, title, lambda rows, x_of: lines_of(rows, x_of, pinned)))
    panels = [panel for panel in panels if len(panel.ticks) > 1]
    if len(panels) > 4:  # mixes, then the smallest, the middle and the largest frames
        fixed = [panel for panel in panels if panel.title.startswith("Frames")]
        panels = [panel for panel in panels if panel not in fixed][:1] + [fixed[0], fixed[len(fixed) // 2], fixed[-1]]
    return line_panels(start("pinned"), panels, "pinned bytes for each held byte", lambda v: f"{v:.2g}×")


# ---- bars and dots ------------------------------------------------------------------------------

def draw_regret(run):
    cells = [cell for cell in run["regret"]["cells"] if cell["regret"] is not None]
    if not cells:
        raise Missing("the run did not measure adaptive against fixed strategies")
    net = lambda cell: cell["net"] if cell["net"] is not None else cell["regret"] - (cell["noise"] or 0)
    shown = sorted(cells, key=lambda cell: (-net(cell), -cell["regret"]))[:60]
    drawing = start("regret", which=which_cells(shown, cells, "worst"))
    spans = [v for cell in shown for v in (cell["regret"], cell["noise"] or 0, -(cell["noise"] or 0))]
    low, high = min(spans + [-0.01]) * 1.05, max(spans + [0.05]) * 1.05
    left, right, top = 300, 850, 34
    bottom, place = top + 21 * len(shown), lambda v: left + (right - left) * (v - low) / (high - low)
    drawing.text(left - 14, 15, "cell", "soft fine", "end")
    drawing.text(960, 15, "net of noise", "soft fine", "end")
    for tick in linear_ticks(low, high):
        drawing.line(place(tick), top - 6, place(tick), bottom, "rule" if abs(tick) < 1e-9 else "grid")
        drawing.text(place(tick), bottom + 18, percent(tick, "+" if tick > 0 else ""), "soft fine", "middle")
    for i, cell in enumerate(shown):
        y, noise = top + 21 * i + 8, cell["noise"] or 0
        hint = f"{cell['case']}: {percent(cell['regret'])} behind {short(cell['best_fixed'])}, noise {percent(noise)}"
        drawing.text(left - 14, y + 4, shorten(cell["case"], 42), "fine", "end")
        drawing.rect(place(-noise), y - 6, max(1.0, place(noise) - place(-noise)), 12, "band", rx=2)
        kind = "ring" if abs(cell["regret"]) <= noise else "mark adaptive"
        drawing.add("circle", kind, hint, cx=place(cell["regret"]), cy=float(y), r=4.5)
        drawing.text(960, y + 4, percent(net(cell)), "fine", "end")
    drawing.text((left + right) / 2, bottom + 38, "behind (+) or ahead (−) of the best fixed strategy", "soft fine", "middle")
    drawing.height = bottom + 46
    return drawing


def draw_traffic(run):
    mixes = [traffic for traffic in run["traffic"] if traffic["histogram"]]
    mix = next((traffic for traffic in mixes if traffic["name"] == "capture"), mixes[0] if mixes else None)
    if mix is None or not sum(count for _, count in mix["histogram"]):
        raise Missing("the run has no histogram of its traffic")
    bars, total = mix["histogram"], sum(count for _, count in mix["histogram"])
    names = {"frames": "frames", "bytes": "bytes", "mean_bytes": "bytes on average"}
    facts = ", ".join(f"{plain(mix[key])} {name}" for key, name in names.items() if mix[key])
    drawing = start("traffic", name=mix["name"], facts=facts, height=290)
    step, highest, lower = min(130.0, 960 / len(bars)), max(count for _, count in bars), 0
    for i, (edge, count) in enumerate(bars):
        height, x = 200 * count / highest, i * step
        drawing.rect(x + step * 0.09, 230 - height, step * 0.82, height, "bar", f"{count} frames", rx=2)
        drawing.text(x + step / 2, 222 - height, percent(count / total), "fine", "middle")
        drawing.text(x + step / 2, 249, f"{lower + 1:g}–{edge:g}" if lower else f"to {edge:g}", "fine", "middle")
        lower = edge
    drawing.line(0, 230, step * len(bars), 230, "rule")
    drawing.text(step * len(bars) / 2, 276, "frame bytes", "soft fine", "middle")
    return drawing


def draw_wrong(run):
    cells = sorted((cell for cell in run["answer"]["cost_of_wrong"] if cell["ratio"]), key=lambda cell: -cell["ratio"])
    if not cells:
        raise Missing("the run has no cell with two strategies to compare")
    shown, highest = cells[:25], max(1.1, cells[0]["ratio"])
    drawing = start("cost_of_wrong", which=which_cells(shown, cells, "costliest"), height=24 * len(shown) + 8)
    for i, cell in enumerate(shown):
        y, width = 24 * i + 4, 330 * (cell["ratio"] - 1) / (highest - 1)
        drawing.text(286, y + 13, shorten(cell["case"], 42), "fine", "end")
        drawing.rect(300, y, max(1.0, width), 18, "bar", rx=2)
        choice = f"{plain(cell['ratio'])}×  {short(cell['worst'])} instead of {short(cell['best'])}"
        drawing.text(308 + width, y + 14, choice, "fine")
    drawing.line(300, 0, 300, 24 * len(shown) + 4, "rule")
    return drawing


CHARTS = {"map": draw_map, "by_size": draw_sizes, "by_hold": draw_mixes, "pinned": draw_pinned, "cost_of_wrong": draw_wrong,
          "regret": draw_regret, "traffic": draw_traffic}
