#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suite hardware in small: hardware_test.py PROGRAM INSTRUCTIONS

Every burst is received and forwarded with every strategy, and the model of the card finds no fault; a burst that is sent has one
doorbell; instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No time
is judged: that is for people, and for quiet machines.
"""
import sys

sys.dont_write_bytecode = True
import small_run  # noqa: E402

BURSTS = (1, 8, 32, 64)
STRATEGIES = {"build_around", "page_attach", "per_packet"}


class Hardware(small_run.CostsRun):
    def test_every_case_is_measured(self):
        results, text = self.measured("hardware")
        self.assertNotIn("DPDK", text)
        found = {(row["case"], row["subject"]) for row in results["rows"]}
        self.assertEqual(found, {(f"{what}_{burst}", who) for what in ("receive", "forward", "rx_bell", "tx_bell")
                                 for burst in BURSTS for who in STRATEGIES})

    def test_doorbells_are_few(self):
        results, _ = self.measured("hardware", "--cases", ",".join(f"{what}_bell_{burst}" for what in ("rx", "tx") for burst in BURSTS))
        # One a send, which has at most the queue's 64 posts; and one for each lot of 16 buffers.
        for row in results["rows"]:
            self.assertEqual(row["unit"], "descriptors/doorbell")
            self.assertEqual(row["min"], row["max"], "it depends on nothing but the driver")
            burst = int(row["case"].rsplit("_", 1)[1])
            if row["case"].startswith("tx"):
                self.assertEqual(row["median"], burst, row)
            else:
                self.assertEqual(row["median"], 16, row)

    def test_instructions_are_counted(self):
        rows = self.counted("hardware", "--cases", "receive_8,forward_32,tx_bell_8")
        self.assertEqual({row["case"] for row in rows if row["instructions"] is None}, {"tx_bell_8"})

    def test_unusable_options(self):
        self.refused(self.run_it("poll"), "hardware")
        self.refused(self.run_it("hardware", "--cases", "magic"), "unknown case 'magic'", "forward_32")
        self.refused(self.run_it("hardware", "--subjects", "nobody"), "unknown subject 'nobody'", "build_around")


if __name__ == "__main__":
    small_run.main()
