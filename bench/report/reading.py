# SPDX-License-Identifier: BSL-1.0
"""Reads the bench's result: every key may be missing, but what is there must have the right shape."""

import json
import math
from pathlib import Path

ROW_NUMBERS = """median min max repetitions ratio frame_bytes ns_per_byte offered delivered held bytes_copied copies_per_byte
                 allocations descriptors maps unmaps syncs references pinned_peak_bytes packets_measured held_payload_bytes delivered_bytes memcpy_floor_ns""".split()
ROW_TEXTS = ("case", "subject", "strategy", "traffic", "hold", "touch")


class Unusable(Exception):
    """The result cannot be made into a page; the text says why."""


def number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else None  # not NaN, not infinite


def amount(value):
    """A number that cannot be negative: a time, a size, a count."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def section(parent, key, kind):
    value = parent.get(key)
    if value is not None and not isinstance(value, kind):
        raise Unusable(f"'{key}' is not {'a list' if kind is list else 'an object'}")
    return value or kind()


def objects(parent, key, numbers, texts, convert=amount):
    """A list of objects, each with all these keys: numbers are float or None, texts are str."""
    found = section(parent, key, list)
    if not all(isinstance(entry, dict) for entry in found):
        raise Unusable(f"'{key}' holds something that is not an object")
    return [{**entry, **{name: convert(entry.get(name)) for name in numbers},
             **{name: "" if entry.get(name) is None else str(entry[name]) for name in texts}} for entry in found]


def read_row(row):
    packets = amount(row.get("hold_packets"))
    if packets is None:
        packets = float(row["hold"]) if row["hold"].isdecimal() else math.inf
    dropped = row.get("dropped") if isinstance(row.get("dropped"), dict) else {}
    return {**row, "hold_packets": packets, "strategy": row["strategy"] or row["subject"] or "?",
            "dropped": {reason: number(count) for reason, count in dropped.items() if number(count)}}


def read_traffic(traffic):
    pairs = [pair for pair in section(traffic, "histogram", list) if isinstance(pair, list) and len(pair) == 2]
    return {**traffic, "histogram": [pair for pair in pairs if all(amount(value) is not None for value in pair)]}


def read_answer(answer):
    return {"sentences": [str(sentence) for sentence in section(answer, "sentences", list)],
            "by_hold": objects(answer, "by_hold", ("copybreak",), ("hold", "touch", "text")),
            "map": objects(answer, "map", ("frame_bytes", "margin"), ("hold", "touch", "winner", "family")),
            "cost_of_wrong": objects(answer, "cost_of_wrong", ("ratio",), ("case", "best", "worst"))}


def read_regret(regret):
    return {**{key: number(regret.get(key)) for key in ("median", "worst", "noise_median")},
            "cells": objects(regret, "cells", ("regret", "noise", "net"), ("case", "best_fixed"), number)}


def read_result(path, suite):
    """What a bench has written; it must be of that suite."""
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"it is not JSON ({error})") from error
    if not isinstance(result, dict):
        raise Unusable("it is not a JSON object")
    if result.get("suite", suite) != suite:
        raise Unusable(f"its suite is '{result['suite']}', and this page is for {suite}")
    return result


def read_run(path):
    result = read_result(path, "copy_or_not")
    return {"noria": str(result.get("noria", "")), "command": str(result.get("command") or "bench/run"),
            "machine": section(result, "machine", dict),
            "traffic": [read_traffic(mix) for mix in objects(result, "traffic", ("frames", "bytes", "mean_bytes"), ("name",))],
            "rows": [read_row(row) for row in objects(result, "rows", ROW_NUMBERS, ROW_TEXTS)],
            "answer": read_answer(section(result, "answer", dict)), "regret": read_regret(section(result, "regret", dict))}
