#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suite poll in small: poll_test.py PROGRAM INSTRUCTIONS

Every case of ours is measured, and DPDK's beside it where DPDK is there; the figures that are no times are what they must be;
instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No time is
judged: that is for people, and for quiet machines.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
import small_run  # noqa: E402

BESIDE_DPDK = {"rx_nothing", "rx_1", "rx_8", "rx_32", "rx_64", "rx_1500", "rx_copy_64", "rx_copy_1500", "hash_ipv4", "hash_ipv6", "parse_tcp",
               "parse_ipv6", "parse_gre", "parse_pieces"}
ALONE = {"nothing", "in_vain", "turn_1", "turn_8", "turn_32", "turn_64", "among_1", "among_10", "among_100", "among_1000", "among_10000",
         "fair_share", "fair_jain", "count", "hashes_ipv4", "hashes_ipv6", "parse_vxlan"}
OF_TWO_THREADS = {"wake", "wake_cost", "hand_off", "hand_back"}


class Poll(small_run.CostsRun):
    def test_every_case_is_measured(self):
        results, text = self.measured("poll")
        expected = BESIDE_DPDK | ALONE | (OF_TWO_THREADS if len(os.sched_getaffinity(0)) > 1 else set())
        self.assertEqual({row["case"] for row in results["rows"]}, expected)
        theirs = {row["case"] for row in results["rows"] if row["origin"] == "neighbour"}
        if results["missing"]:
            self.assertEqual(theirs, set())
            self.assertIn(results["missing"], text)
        else:
            self.assertLessEqual(BESIDE_DPDK, theirs)
            self.assertTrue(results["machine"]["dpdk"])
            self.assertEqual(self.listed("poll"), [(row["case"], row["subject"]) for row in results["rows"]])

    def test_a_thousand_instances_get_the_same_but_for_the_round_that_was_cut_off(self):
        results, _ = self.measured("poll", "--cases", "fair_share,fair_jain")
        for row in results["rows"]:
            self.assertEqual(row["min"], row["max"], "it depends on nothing but the poller")
            if row["case"] == "fair_share":
                self.assertEqual(row["unit"], "least / most")
                self.assertAlmostEqual(row["median"], 40 / 41)
            else:
                self.assertTrue(0.999 < row["median"] < 1, row)

    def test_a_goal_can_compare_two_cases(self):
        results, _ = self.measured("poll", "--cases", "among_1,among_10000", "--subjects", "noria")
        of = {row["case"]: row["median"] for row in results["rows"]}
        [goal] = [goal for goal in results["goals"] if goal["case"] == "among_10000"]
        self.assertAlmostEqual(goal["ratio"], of["among_10000"] / of["among_1"])
        self.assertEqual(goal["against"], "noria, among_1")

    def test_instructions_are_counted_where_that_means_something(self):
        rows = self.counted("poll", "--cases", "turn_8,fair_share,hash_ipv4" + (",wake" if len(os.sched_getaffinity(0)) > 1 else ""))
        for row in rows:
            if row["case"] in OF_TWO_THREADS | {"fair_share"} or row["subject"] == "DPDK gfni":
                self.assertIsNone(row["instructions"])
            elif (row["case"], row["subject"]) != ("hash_ipv4", "noria"):  # which may be built for a processor with GFNI
                self.assertIsNotNone(row["instructions"], row)

    def test_quick_is_nine_short_repetitions(self):
        done = self.run_it("poll", "--quick", "--cases", "count", "--subjects", "noria", "--json", str(self.result))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["repetitions"] for row in json.loads(self.result.read_text())["rows"]], [9])
        self.refused(self.run_it("poll", "--quick", "--repetitions", "3"), "--quick")

    def test_unusable_options(self):
        self.refused(self.run_it("memory"), "poll")
        self.refused(self.run_it("poll", "--cases", "magic"), "unknown case 'magic'", "turn_8")
        self.refused(self.run_it("poll", "--subjects", "nobody"), "unknown subject 'nobody'", "noria", "all asked")


if __name__ == "__main__":
    small_run.main()
