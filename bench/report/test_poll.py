#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of poll.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import sys
import unittest

sys.dont_write_bytecode = True
import fixture  # noqa: E402
from fixture import row  # noqa: E402


def whole_run():
    return {"noria": "0.1.0", "suite": "poll", "command": "bench/run poll", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("hash_ipv4", "noria", "noria", 6.0), row("hash_ipv4", "DPDK gfni", "neighbour", 5.0, ratio=1.2),
                     row("hash_ipv4", "DPDK softrss_be", "neighbour", 40.0, ratio=0.15),
                     row("wake", "futex", "noria", 5012.0), row("wake_cost", "futex", "noria", 1803.0),
                     row("wake", "bare store", "limit", 177.0), row("fair_share", "noria", "noria", 0.98, unit="least / most"),
                     row("among_1", "noria", "noria", 112.0), row("among_10000", "noria", "noria", 113.0),
                     row("among_1", "all asked", "limit", 2.0), row("among_10000", "all asked", "limit", 22361.0)],
            "goals": [{"goal": "a hash", "case": "hash_ipv4", "ours": "noria", "against": "DPDK gfni", "limit": 0.8, "ratio": 1.2, "met": False}]}


class Poll(fixture.PageTest):
    script, page, charts = "poll.py", "poll.html", {"poll_ratios", "poll_wake", "poll_growth"}

    def test_whole_run_has_its_charts_its_rows_and_its_goals(self):
        html = self.whole_page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run poll", "missed</td>", "least / most: noria&lt;T&gt;"]:
            self.assertIn(words, html)
        for words in ["hash_ipv4 gfni", "hash_ipv4 softrss_be", "1.20"]:
            self.assertIn(words, self.chart("poll_ratios"))
        for words in ["futex", "bare store", "5\u202f012"]:
            self.assertIn(words, self.chart("poll_wake"))
        for words in ["noria", "all asked", "10,000"]:
            self.assertIn(words, self.chart("poll_growth"))

    def test_the_call_that_wakes_is_a_stroke_in_its_bar(self):
        self.page_of(whole_run())
        self.assertEqual(self.chart("poll_wake").count('class="range"'), 1)
        run = whole_run()
        run["rows"] = [each for each in run["rows"] if each["case"] != "wake_cost"]
        self.page_of(run)
        self.assertEqual(self.chart("poll_wake").count('class="range"'), 0)

    def test_what_was_not_measured_is_left_out_with_a_sentence(self):
        for case, words in [("hash_ipv4", "nobody was measured beside Noria"), ("wake", "no wake-up was measured"),
                            ("among_1", "two numbers of instances")]:
            with self.subTest(case):
                run = whole_run()
                run["rows"] = [each for each in run["rows"] if each["case"] != case]
                html = self.page_of(run)
                self.assertIn(words, html)
                self.assertEqual(html.count("left out"), 1)


if __name__ == "__main__":
    unittest.main()
