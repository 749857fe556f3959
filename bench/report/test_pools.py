#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of pools.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import sys
import unittest

sys.dont_write_bytecode = True
import fixture  # noqa: E402
from fixture import row  # noqa: E402


def whole_run():
    return {"noria": "0.1.0", "suite": "packet", "command": "bench/run packet", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("clone", "noria", "noria", 7.0, instructions=114.25), row("clone", "DPDK", "neighbour", 10.0, ratio=0.7, instructions=265),
                     row("clone", "memcpy", "limit", 12.5, ratio=0.56), row("read_edge", "DPDK", "neighbour", 8.0, ratio=1.375)],
            "goals": [{"goal": "clone & free", "case": "clone", "ours": "noria", "against": "DPDK", "limit": 0.7, "ratio": 0.7, "met": True},
                      {"goal": "read", "case": "read_edge", "ours": "noria", "against": "DPDK", "limit": 0.8, "ratio": 1.375, "met": False},
                      {"goal": "headroom", "case": "headroom", "ours": "noria", "against": "DPDK", "limit": 0.5, "ratio": None, "met": None}]}


class Pools(fixture.PageTest):
    script, suite, page, charts = "pools.py", "packet", "packet.html", {"packet_ratios"}

    def test_whole_run_has_its_chart_its_rows_and_its_goals(self):
        html = self.whole_page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run packet", "memcpy&lt;T&gt;", "clone &amp; free", "114", "265", "12.5", "met</td>",
                      "missed</td>", "not measured</td>"]:
            self.assertIn(words, html)
        for words in ["clone", "read_edge", "0.7"]:
            self.assertIn(words, self.chart("packet_ratios"))

    def test_without_dpdk_the_chart_is_left_out_with_a_sentence(self):
        self.page_of(whole_run())
        run = whole_run()
        run["missing"] = "DPDK was <not> installed."
        run["rows"] = [each for each in run["rows"] if each["subject"] != "DPDK"]
        html = self.page_of(run)
        self.assertIn("The chart is left out: nobody was measured beside Noria.", html)
        self.assertIn("DPDK was &lt;not&gt; installed.", html)
        self.assertEqual(self.charts_written(), set())  # the old one is gone

    def test_the_page_of_another_suite_is_refused(self):
        done = self.run_script('{"suite": "memory"}')
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("its suite is 'memory', and this page is for packet", done.stderr)


if __name__ == "__main__":
    unittest.main()
