#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suite hardware in small: hardware_test.py PROGRAM INSTRUCTIONS

Every burst is received and forwarded with every strategy, and the model of the card finds no fault; a burst that is sent has one
doorbell; instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No time
is judged: that is for people, and for quiet machines.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, INSTRUCTIONS = sys.argv[1:3]
SMALL = ["--repetitions", "2", "--milliseconds", "0.05"]
BURSTS = (1, 8, 32, 64)
STRATEGIES = {"build_around", "page_attach", "per_packet"}


class Hardware(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.result = self.folder / "result.json"

    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False)

    def measured(self, *arguments):
        done = self.run_it("hardware", *SMALL, "--json", str(self.result), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.result.read_text()), done.stdout

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_every_case_is_measured(self):
        results, text = self.measured()
        self.assertNotIn("DPDK", text)
        found = {(row["case"], row["subject"]) for row in results["rows"]}
        self.assertEqual(found, {(f"{what}_{burst}", who) for what in ("receive", "forward", "rx_bell", "tx_bell")
                                 for burst in BURSTS for who in STRATEGIES})
        for row in results["rows"]:
            self.assertGreater(row["min"], 0)
            self.assertLessEqual(row["min"], row["median"])
            self.assertLessEqual(row["median"], row["max"])

    def test_doorbells_are_few(self):
        results, _ = self.measured("--cases", ",".join(f"{what}_bell_{burst}" for what in ("rx", "tx") for burst in BURSTS))
        # One a send, while the burst surely fits the queue's 64 posts; and one for each lot of 16 buffers.
        for row in results["rows"]:
            self.assertEqual(row["unit"], "descriptors/doorbell")
            self.assertEqual(row["min"], row["max"], "it depends on nothing but the driver")
            burst = int(row["case"].rsplit("_", 1)[1])
            if row["case"].startswith("tx"):
                self.assertEqual(row["median"], min(burst, 32), row)
            else:
                self.assertEqual(row["median"], 16, row)

    def test_instructions_are_counted(self):
        counts = self.folder / "counts.json"
        chosen = ["hardware", "--cases", "receive_8,forward_32,tx_bell_8"]
        done = subprocess.run([INSTRUCTIONS, PROGRAM, counts, *chosen], capture_output=True, text=True, timeout=240, check=False)
        if done.returncode != 0:
            self.assertIn("Instructions are not counted: ", done.stderr)
            self.skipTest(done.stderr.strip())
        results, _ = self.measured(*chosen[1:], "--instructions", str(counts))
        for row in results["rows"]:
            if row["case"] == "tx_bell_8":
                self.assertIsNone(row["instructions"])
            else:
                self.assertTrue(50 < row["instructions"] < 20000, row)

    def test_unusable_options(self):
        self.refused(self.run_it("poll"), "hardware")
        self.refused(self.run_it("hardware", "--cases", "magic"), "unknown case 'magic'", "forward_32")
        self.refused(self.run_it("hardware", "--subjects", "nobody"), "unknown subject 'nobody'", "build_around")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
