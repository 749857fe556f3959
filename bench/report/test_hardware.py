#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of hardware.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import sys
import unittest

sys.dont_write_bytecode = True
import fixture  # noqa: E402


def row(case, subject, instructions, unit="ns/object"):
    return fixture.row(case, subject, "noria", 50.0, instructions=instructions, unit=unit)


def whole_run():
    return {"noria": "0.1.0", "suite": "hardware", "command": "bench/run hardware", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("receive_32", "build_around", 513.0), row("forward_32", "build_around", 1067.0),
                     row("forward_32", "page_attach", 1104.0), row("rx_bell_32", "build_around", None, "descriptors/doorbell")],
            "goals": []}


class Hardware(fixture.PageTest):
    script, page, charts = "hardware.py", "hardware.html", {"hardware_forward", "hardware_receive"}

    def test_whole_run_has_its_charts_and_its_rows(self):
        html = self.whole_page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run hardware", "descriptors/doorbell: build_around&lt;T&gt;", "three ways"]:
            self.assertIn(words, html)
        self.assertNotIn("DPDK", html)
        for words in ["forward_32 build_around", "forward_32 page_attach"]:
            self.assertIn(words, self.chart("hardware_forward"))
        self.assertIn("receive_32 build_around", self.chart("hardware_receive"))

    def test_the_goal_is_a_stroke_in_its_bar_alone(self):
        self.page_of(whole_run())
        self.assertEqual(self.chart("hardware_forward").count('class="range"'), 1)
        self.assertEqual(self.chart("hardware_receive").count('class="range"'), 0)

    def test_what_was_not_counted_is_left_out_with_a_sentence(self):
        run = whole_run()
        for each in run["rows"]:
            each["instructions"] = None
        html = self.page_of(run)
        self.assertIn("no instructions were counted for forward", html)
        self.assertEqual(html.count("left out"), 2)


if __name__ == "__main__":
    unittest.main()
