#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suites memory and packet in small: pools_test.py PROGRAM INSTRUCTIONS

Every case of ours is measured, and DPDK's beside it where DPDK is there; the results have the shape that is promised for every
suite; instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No figure
is judged: that is for people, and for quiet machines.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import small_run  # noqa: E402

CASES = {"memory": {"get_put_1", "get_put_8", "get_put_32", "other_thread"},
         "packet": {"alloc_free_1", "alloc_free_32", "alloc_free_256", "clone", "headroom", "linearize", "read_edge", "read_inside",
                    "build_around"}}
OF_TWO_THREADS = {"other_thread"}
if len(os.sched_getaffinity(0)) < 2:
    CASES["memory"] -= OF_TWO_THREADS


class Pools(small_run.CostsRun):
    def test_every_case_is_measured_by_us_and_by_dpdk(self):
        for suite, cases in CASES.items():
            results, text = self.measured(suite)
            seen = {}
            for row in results["rows"]:
                seen.setdefault(row["subject"], set()).add(row["case"])
            self.assertEqual(seen["noria"], cases)
            if results["missing"]:
                self.assertNotIn("DPDK", seen)
                self.assertIn(results["missing"], text)
            else:
                self.assertEqual(seen["DPDK"], cases)
                self.assertTrue(results["machine"]["dpdk"])
                self.assertTrue(all(isinstance(goal["met"], bool) for goal in results["goals"]))
                # What is listed is measured, in that order.
                self.assertEqual(self.listed(suite), [(row["case"], row["subject"]) for row in results["rows"]])

    def test_goals_that_cannot_be_judged_are_not_judged(self):
        results, text = self.measured("packet", "--cases", "headroom", "--subjects", "noria")
        self.assertEqual([row["subject"] for row in results["rows"]], ["noria"])
        self.assertEqual(len(results["goals"]), 9)
        self.assertTrue(all(goal["ratio"] is None for goal in results["goals"]))
        self.assertIn("not measured", text)

    def test_instructions_are_counted_and_shown(self):
        rows = self.counted("memory", "--cases", ",".join(CASES["memory"] & {"get_put_8", *OF_TWO_THREADS}))
        self.assertEqual({row["case"] for row in rows if row["instructions"] is None}, CASES["memory"] & OF_TWO_THREADS)

    def test_without_valgrind_a_sentence_says_so(self):
        done = subprocess.run([sys.executable, small_run.OTHERS[0], small_run.PROGRAM, self.result, "memory"], env={"PATH": str(self.folder)},
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "Instructions are not counted: valgrind is not installed.\n")
        self.assertFalse(self.result.exists())

    def test_unusable_options(self):
        self.refused(self.run_it(), "suite")
        self.refused(self.run_it("rings"), "memory", "packet")
        self.refused(self.run_it("memory", "--cases", "magic"), "unknown case 'magic'", "get_put_8")
        self.refused(self.run_it("memory", "--cases", "clone"), "unknown case 'clone'")
        self.refused(self.run_it("packet", "--subjects", "nobody"), "unknown subject 'nobody'", "noria", "memcpy")
        self.refused(self.run_it("packet", "--repetitions", "0"))
        self.refused(self.run_it("packet", "--wings"), "--wings")
        self.refused(self.run_it("packet", "--instructions", "/no/folder/x"), "cannot read /no/folder/x", "instructions.py")
        self.refused(self.run_it("packet", *self.options, "--cases", "headroom", "--subjects", "noria", "--json", "/no/folder/x"), "cannot write")


if __name__ == "__main__":
    small_run.main()
