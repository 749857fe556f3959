#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of the copy-or-not bench into a page to read: index.html, and its charts as SVG files.

  report.py RESULT.json FOLDER [--quiet]

reading.py checks the result, charts.py draws with drawing.py, words.py and page.css say and style the rest.
"""

import argparse
import sys
from html import escape
from pathlib import Path

sys.dont_write_bytecode = True
import words  # noqa: E402
from charts import CHARTS, hold_label, letter, percent, plain, short  # noqa: E402
from drawing import STYLE, Drawing, Missing, variables  # noqa: E402
from reading import Unusable, number, read_run  # noqa: E402


def table(heads, bodies, kind=""):
    """heads: (text, class); bodies: (heading or None, rows); a row is a list of (html, class)."""
    def cells(row):
        return "".join(f'<td class="{name}">{html}</td>' if name else f"<td>{html}</td>" for html, name in row)
    top = "".join(f'<th class="{name}" scope="col">{escape(text)}</th>' for text, name in heads)
    parts = [f'<div class="wide"><table class="{kind}"><thead><tr>{top}</tr></thead>']
    for heading, rows in bodies:
        title = f'<tr><th colspan="{len(heads)}" scope="rowgroup">{escape(heading)}</th></tr>' if heading else ""
        parts.append(f"<tbody>{title}" + "\n".join(f"<tr>{cells(row)}</tr>" for row in rows) + "</tbody>")
    return "\n".join(parts) + "</table></div>"


def swatch(strategy):
    drawing = Drawing("", "")
    drawing.mark(7, 7, strategy)
    return f'<svg viewBox="0 0 14 14" aria-hidden="true">{"".join(drawing.shapes)}</svg>'


# ---- the parts of the page, from top to bottom ---------------------------------------------------

def answer_part(run):
    sentences = run["answer"]["sentences"] or ["This run was too small to answer the question."]
    lead = "".join(f'<p class="lead">{escape(sentence)}</p>' for sentence in sentences)
    return f'<div class="answer">{lead}</div>{tiles(run)}{limits(run)}'


def tiles(run):
    rows, regret = run["rows"], run["regret"]
    wrong = max((cell["ratio"] or 0 for cell in run["answer"]["cost_of_wrong"]), default=0)
    facts = [(plain(len({row["case"] for row in rows})), "cells measured"),
             (plain(min((row["repetitions"] or 0 for row in rows), default=0)), "interleaved repetitions of each, at least"),
             (f"{plain(wrong)}×" if wrong else "–", "the most that a wrong choice costs"),
             (percent(regret["median"]), "adaptive behind the best fixed strategy, median cell, net of noise"),
             (percent(regret["worst"]), "the same in its worst cell")]
    return '<div class="tiles">' + "".join(f"<div><b>{value}</b><span>{fact}</span></div>" for value, fact in facts) + "</div>"


def limits(run):
    """Up to which length to copy, by holding time."""
    def limit(value):
        return "everything" if value is None else "nothing" if value == 0 else f"{plain(value)} bytes"
    rows = [[(escape(hold_label(run, entry["hold"])), "n"), (escape(entry["touch"]), ""), (limit(entry["copybreak"]), "n"),
             (escape(entry["text"]), "")] for entry in run["answer"]["by_hold"]]
    heads = [("packets held", "n"), ("consumer touches", ""), ("copy up to", "n"), ("in words", "")]
    return words.LIMITS + table(heads, [(None, rows)]) if rows else ""


def chart_part(name, drawing):
    if isinstance(drawing, Missing):
        title = words.CHARTS[name][0].split(": {")[0]
        return f'<p class="soft left-out">The chart “{title}” is left out: {escape(str(drawing))}.</p>'
    return (f'<figure id="{name}"><h2>{escape(drawing.title)}</h2>'
            f'<figcaption>{escape(drawing.caption)} <a href="{name}.svg">SVG</a></figcaption>'
            f'<div class="wide">{drawing.inline()}</div></figure>')


def strategy_part(run):
    used = {row["strategy"] for row in run["rows"]}
    rows = [[(f"{swatch(name)}{letter(name)}", "name"), (f"<code>{name}</code>", ""), (escape(what), ""), (copied, "name")]
            for name, (_, _, what, copied) in words.STRATEGIES.items() if name in used or not used]
    heads = [("", ""), ("strategy", ""), ("what it does with a frame", ""), ("bytes copied", "")]
    return "<h2>The strategies</h2>" + table(heads, [(None, rows)])


CELL_HEADS = ("strategy", "ns/packet", "min – max", "adaptive ÷ this", "ns/byte", "memcpy, ns", "copies per byte",
              "alloca\u00adtions", "maps + unmaps", "syncs", "refer\u00adences", "pinned peak, KiB", "delivered", "dropped")


def cell_row(row, best):
    packets = row["packets_measured"] or row["delivered"]

    def each(*keys):  # for each packet of the measured part, which is what they were counted in
        known = packets and row[keys[0]] is not None
        return plain(sum(row[key] or 0 for key in keys) / packets) if known else "–"
    pinned = row["pinned_peak_bytes"]
    drops = ", ".join(f"{plain(count)} {escape(reason)}" for reason, count in row["dropped"].items()) or "0"
    numbers = [f"{plain(row['min'])} – {plain(row['max'])}", plain(row["ratio"]), plain(row["ns_per_byte"]),
               plain(row["memcpy_floor_ns"]), plain(row["copies_per_byte"]), each("allocations"), each("maps", "unmaps"),
               each("syncs"), each("references"), plain(None if pinned is None else pinned / 1024), plain(row["delivered"]), drops]
    return [(swatch(row["strategy"]) + escape(short(row["strategy"])), "name"),
            (plain(row["median"]), "n best" if row is best else "n"), *((text, "n") for text in numbers)]


def cells_part(run):
    cases = {}
    for row in run["rows"]:
        cases.setdefault(row["case"], []).append(row)
    bodies = []
    for case, rows in cases.items():
        best = min((row for row in rows if row["median"]), key=lambda row: row["median"], default=None)
        bodies.append((case, [cell_row(row, best) for row in rows]))
    heads = [(text, "n" if i else "") for i, text in enumerate(CELL_HEADS)]
    return (f"<h2>Every cell</h2>{words.CELLS}<details><summary>{len(run['rows'])} measurements in {len(cases)} cells</summary>"
            f"{table(heads, bodies, 'cells')}</details>")


def machine_fact(key, value):
    if key == "core_share" and number(value) is not None:
        return percent(value)
    if key in ("l1d", "l2", "l3") and number(value):
        return f"{plain(value / 1024)} KiB" if value < 1 << 20 else f"{plain(value / (1 << 20))} MiB"
    return str(value)


def machine_part(run):
    machine = run["machine"]
    keys = [key for key in {**words.MACHINE, **machine} if machine.get(key) is not None]
    names = [words.MACHINE.get(key, key) for key in keys]
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(machine_fact(key, machine[key]))}</dd>" for name, key in zip(names, keys))
    share = number(machine.get("core_share"))
    return f"<h2>The machine</h2>{words.SHARED_CORE if share is not None and share < 0.9 else ''}<dl>{facts}</dl>"


def page(run, drawings):
    charts = "\n".join(chart_part(name, drawing) for name, drawing in drawings.items())
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<!-- SPDX-License-Identifier: BSL-1.0 -->
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Copy, or not? Noria {escape(run["noria"])}</title>
<style>{variables()}{STYLE}{style}</style></head><body><main>
<div class="eyebrow">Noria {escape(run["noria"])} · {escape(str(run["machine"].get("cpu", "unknown processor")))}</div>
<h1>Copy, or not?</h1>
<p class="lead soft">{words.QUESTION}</p>
{answer_part(run)}
{charts}
{strategy_part(run)}
{cells_part(run)}
{machine_part(run)}
{words.METHOD}
<h2>Do it again</h2><pre><code>{escape(run["command"])}</code></pre>
<p>The numbers behind this page, with every repetition: <a href="copy_or_not.json">copy_or_not.json</a>.</p>
</main></body></html>
"""


# ---- writing it ----------------------------------------------------------------------------------

def draw(run, chart):
    try:
        return chart(run)
    except Missing as reason:
        return reason


def save(folder, name, html, drawings):
    """Writes a page and its charts, and takes away charts of an earlier run that this one lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for chart, drawing in drawings.items():
        if isinstance(drawing, Missing):
            (folder / f"{chart}.svg").unlink(missing_ok=True)
        else:
            (folder / f"{chart}.svg").write_text(drawing.standalone(), encoding="utf-8")
    (folder / name).write_text(html, encoding="utf-8")


def write(run, folder):
    """Writes the page and the charts; returns how many charts."""
    drawings = {name: draw(run, chart) for name, chart in CHARTS.items()}
    save(folder, "index.html", page(run, drawings), drawings)
    return sum(isinstance(drawing, Drawing) for drawing in drawings.values())


def fail(sentence):
    print(f"{Path(sys.argv[0]).name}: {sentence}", file=sys.stderr)
    sys.exit(2)


def main():
    options = argparse.ArgumentParser(description="Makes a page of what the copy-or-not bench measured.")
    options.add_argument("result", type=Path, help="the bench's JSON file")
    options.add_argument("folder", type=Path, help="where index.html and the SVG files go")
    options.add_argument("--quiet", action="store_true", help="do not say what was written")
    chosen = options.parse_args()
    try:
        charts = write(read_run(chosen.result), chosen.folder)
    except Unusable as reason:
        fail(f"cannot use {chosen.result}: {reason}.")
    except OSError as error:
        fail(f"cannot write {error.filename or chosen.folder}: {error.strerror}.")
    if not chosen.quiet:
        print(f"{chosen.folder / 'index.html'} with {charts} charts")


if __name__ == "__main__":
    main()
