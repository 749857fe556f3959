#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the rings bench in small: rings_test.py PROGRAM

Every ring of ours delivers every item whole and in order, the results have the shape that is promised for every suite, and what
is bad is said in a sentence and ends with exit status 2. No figure is judged: that is for people, and for quiet machines.
"""
import sys

sys.dont_write_bytecode = True
import small_run  # noqa: E402

SPSC = {"one", "burst", "in_place", "round_trip", "thread_one", "thread_burst"}
MPSC = SPSC | {"shared_one", "shared_burst", "progress"}
OURS = {"spsc_ring": SPSC, "spsc_ring same_core": SPSC, "spsc_ring 8 B": SPSC, "hybrid_ring": SPSC - {"in_place"}, "fan_in": MPSC,
        "mpsc_ring": MPSC - {"in_place"}}
FINDINGS = ["prefetch for write", "failed polls write nothing", "constants per side", "chunked return", "one line per hop"]


class Rings(small_run.SmallRun):
    options = ["--repetitions", "1", "--milliseconds", "0.3"]
    repetitions = 1
    row_keys = ["type", "item_bytes", "wait", "broken", "discarded", "disturbed", "samples"]
    result_keys = ["suite", "missing"]

    def test_every_ring_delivers_in_every_case_at_every_capacity(self):
        results, _ = self.measured()
        seen = {}
        for row in results["rows"]:
            # Neighbours may break, and are shown as broken; ours and the limits may not.
            self.assertTrue(row["broken"] is None or row["origin"] == "neighbour", row)
            seen.setdefault(row["subject"], set()).add((row["work"], row["capacity"]))
        for subject, works in OURS.items():
            self.assertEqual(seen[subject], {(work, capacity) for work in works for capacity in (64, 256, 1024, 4096)}, subject)
        for subject in seen:  # what is listed is measured
            self.assertIn(subject, self.run_it("--list").stdout)

    def test_shape_of_the_results(self):
        results, text = self.measured("--capacity", "64", "--cases", "one,shared_one", "--subjects", "spsc_ring,fan_in,hybrid_ring")
        self.assertEqual(results["suite"], "rings")
        self.assertEqual({(row["case"], row["subject"]) for row in results["rows"]},
                         {("one/64", "spsc_ring"), ("one/64", "fan_in"), ("one/64", "hybrid_ring"), ("shared_one/64", "fan_in")})
        self.assertTrue(all(row["ratio"] is None for row in results["rows"]))  # all ours
        self.assertIn("spsc_ring<descriptor, {.capacity = N}>", text)

    def test_ratio_is_ours_by_theirs(self):
        results, _ = self.measured("--capacity", "64", "--cases", "round_trip", "--subjects", "spsc_ring,limit: two lines")
        ours, limit = results["rows"]
        self.assertIsNone(ours["ratio"])
        self.assertAlmostEqual(limit["ratio"], ours["median"] / limit["median"], places=6)

    def test_goals_that_cannot_be_judged_are_not_judged(self):
        results, text = self.measured("--capacity", "64", "--cases", "one", "--subjects", "spsc_ring")
        self.assertGreater(len(results["goals"]), 10)
        self.assertTrue(all(goal["met"] is None for goal in results["goals"]))
        self.assertIn("not measured", text)

    def test_explain_switches_each_finding_off(self):
        results, text = self.measured("--explain")
        self.assertEqual([(row["case"], row["subject"]) for row in results["rows"]],
                         [(f"finding/{name}", side) for name in FINDINGS for side in ("with", "without")])
        for name in FINDINGS:
            self.assertIn(name, text)

    def test_unusable_options(self):
        self.refused(self.run_it("--capacity", "100"), "unknown capacity 100", "1024")
        self.refused(self.run_it("--cases", "magic"), "unknown case 'magic'", "round_trip")
        self.refused(self.run_it("--subjects", "ring of power"), "unknown subject 'ring of power'", "spsc_ring")
        self.refused(self.run_it("--repetitions", "0"))
        self.refused(self.run_it("--wings"), "--wings")
        self.refused(self.run_it(*self.options, "--capacity", "64", "--cases", "one", "--subjects", "spsc_ring", "--json", "/no/folder/x"),
                     "cannot write")


if __name__ == "__main__":
    small_run.main()
