#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs copy_or_not on small and on bad inputs: copy_or_not_test.py PROGRAM CAPTURE

What is bad is said in a sentence and ends with exit status 2, or is left out and the rest is used; every ledger closes;
the results have the shape that is promised for every suite.
"""
import struct
import sys

sys.dont_write_bytecode = True
import small_run  # noqa: E402

CAPTURE = small_run.OTHERS[0]
STRATEGIES = ["per_packet", "per_packet_copybreak", "stride_copy", "stride_attach", "page_attach", "build_around", "stride_around", "adaptive"]


def pcap(frames, link=1, magic=0xA1B2C3D4):
    """A capture of (bytes, length on the wire)."""
    head = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack("<IIII", 0, 0, len(kept), length) + kept for kept, length in frames)


class CopyOrNot(small_run.SmallRun):
    options = ["--hold", "0", "--frames", "500", "--repetitions", "2"]
    row_keys = ["strategy", "frame_bytes", "hold", "touch", "offered", "delivered", "dropped", "held", "bytes_copied", "allocations",
                "pinned_peak_bytes", "memcpy_floor_ns"]
    result_keys = ["answer", "regret", "traffic"]

    def on(self, capture):
        """Options for a run on a capture of its own."""
        file = self.folder / "given.pcap"
        file.write_bytes(capture)
        return ["--capture", str(file), "--sizes", "capture", "--strategies", "stride_attach"]

    def test_every_strategy_closes_its_ledger_on_the_shipped_capture(self):
        self.options = ["--hold", "0,1024,half", "--frames", "3000", "--repetitions", "2"]
        results, _ = self.measured("--capture", CAPTURE, "--sizes", "capture,64,9018", "--touch", "headers,copy-out")
        self.assertEqual(len(results["rows"]), 3 * 3 * 2 * len(STRATEGIES))
        for row in results["rows"]:
            dropped = sum(row["dropped"].values())
            self.assertEqual(row["offered"], row["delivered"] + dropped + row["held"], row["case"])
            self.assertEqual(dropped, 0, row)
            self.assertGreaterEqual(row["delivered_bytes"], row["packets_measured"] * 60)

    def test_only_the_adaptive_one_is_compared_with_nobody(self):
        results, _ = self.measured(*self.on(pcap([(bytes(64), 64)])), "--strategies", "stride_attach,adaptive")
        self.assertEqual({row["subject"]: row["ratio"] is None for row in results["rows"]}, {"stride_attach": False, "adaptive": True})

    def test_copies_what_the_strategy_says(self):
        results, _ = self.measured("--sizes", "64,1514", "--strategies",
                                   "per_packet,per_packet_copybreak,stride_copy,stride_attach,build_around")
        copied = {(row["strategy"], row["frame_bytes"]): row["bytes_copied"] / row["packets_measured"] for row in results["rows"]}
        self.assertEqual(copied, {("per_packet", 64): 0, ("per_packet", 1514): 0, ("per_packet_copybreak", 64): 64,
                                  ("per_packet_copybreak", 1514): 0, ("stride_copy", 64): 64, ("stride_copy", 1514): 1514,
                                  ("stride_attach", 64): 64, ("stride_attach", 1514): 256, ("build_around", 64): 0,
                                  ("build_around", 1514): 0})

    def test_snapped_frames_are_filled_up(self):
        results, said = self.measured(*self.on(pcap([(bytes(96), 1514), (bytes(80), 80)])))
        self.assertIn("1 frames were cut short", said)
        self.assertEqual(results["traffic"][0]["bytes"], 1514 + 80)

    def test_truncated_file_is_used_up_to_the_break(self):
        whole = pcap([(bytes(100), 100)] * 10)
        results, said = self.measured(*self.on(whole[:-30]))
        self.assertIn("breaks off after 9 frames", said)
        self.assertEqual(results["traffic"][0]["frames"], 9)

    def test_frames_longer_than_any_wire_are_left_out(self):
        results, said = self.measured(*self.on(pcap([(bytes(60000), 60000), (bytes(80), 80)])))
        self.assertIn("1 frames are longer than 9018 bytes", said)
        self.assertEqual(results["traffic"][0]["frames"], 1)

    def test_unusable_captures(self):
        self.refused(self.run_it(*self.on(pcap([]))), "no frame that can be used", "empty")
        self.refused(self.run_it(*self.on(b"")), "cannot read the capture", "give a pcap or pcapng file")
        self.refused(self.run_it(*self.on(b"not a capture at all, but long enough to be one")), "cannot read the capture")
        self.refused(self.run_it(*self.on(pcap([(bytes(64), 64)], link=113))), "link type 113", "only Ethernet")
        self.refused(self.run_it(*self.on(pcap([(b"", 0)]))), "no frame that can be used")
        self.refused(self.run_it("--capture", str(self.folder / "absent.pcap"), "--quick"), "cannot read the capture")

    def test_unusable_options(self):
        self.refused(self.run_it("--sizes", "12"), "60 to 9018")
        self.refused(self.run_it("--sizes", "huge"), "unknown traffic 'huge'")
        self.refused(self.run_it("--hold", "-3"), "unknown holding '-3'")
        self.refused(self.run_it("--strategies", "magic"), "unknown strategy 'magic'", "stride_attach")
        self.refused(self.run_it("--touch", "smell"), "unknown touch 'smell'")
        self.refused(self.run_it("--wings"), "--wings")

    def test_list_of_cells(self):
        cells = self.run_it("--list").stdout.splitlines()
        self.assertLessEqual(len(cells), 60)
        self.assertEqual(len(cells), len(set(cells)))
        self.assertLess(len(self.run_it("--quick", "--list").stdout.splitlines()), len(cells))


if __name__ == "__main__":
    small_run.main()
