# SPDX-License-Identifier: BSL-1.0
"""What the report says, apart from the numbers."""

# name: (letter, short name, what it does, bytes copied)
STRATEGIES = {
    "per_packet": ("A", "per packet", "One buffer for each packet, mapped before and unmapped after, handed on as it is.", "none"),
    "per_packet_copybreak": (
        "A′", "copybreak", "As A, but a small frame is copied into a small buffer, and the big buffer stays with the device.",
        "small frames"),
    "stride_copy": (
        "B", "stride copy", "Strides of pool pages, mapped once. Every frame is copied out whole; its strides are free at once.",
        "all"),
    "stride_attach": (
        "C", "stride attach", "As B, but only the head of the frame is copied; the rest stays where it is and is attached as "
        "fragments.", "256 at most"),
    "page_attach": (
        "D", "page attach", "Half pages. The parsed headers are pulled into a linear head, the rest is attached.", "headers"),
    "build_around": (
        "E", "build around", "The packet's metadata is built around the frame, where the device put it.", "none"),
    "stride_around": (
        "E′", "stride around", "As E, on strides of a large page instead of halves of a small one.", "none"),
    "adaptive": (
        "N", "adaptive", "Noria decides for each packet, by its length and by how much memory is pinned, with a threshold that "
        "it learns while running.", "as it decides"),
}

# chart: (title, how to read it)
CHARTS = {
    "map": ("The map: who wins where", """
        Each cell is a frame size and a holding time. Blue: copying won; orange: handing on in place won. The name (or letter) is
        the fastest strategy, the number how many times faster it was than the best of the other family: near 1.00 it hardly
        matters. Where blue turns to orange is the copybreak."""),
    "by_size": ("Time for each packet, by frame size", """
        Lower is better; both axes are logarithmic. A line that stays flat does not care for size: nothing is copied. A line that
        climbs with the dotted one, a plain memcpy of the same bytes in the same run, copies. They cross at the copybreak; watch
        it move from panel to panel. Thin bars: fastest and slowest repetition. The consumer touches: {touch}."""),
    "by_hold": ("Time for each packet on mixed traffic, by holding time", """
        Lower is better. This is the chart for traffic as it comes, large and small frames together: a strategy that copies what
        is small and hands on what is large can beat those that do only one. The consumer touches: {touch}."""),
    "pinned": ("What zero-copy costs in memory", """
        Bytes of memory kept from the device at the peak, for each byte of the frames that the consumer holds (packets held × mean
        frame). 1 would be no waste. A small frame handed on in place pins the whole stride, half page or page around it; a copied
        one pins only its copy."""),
    "cost_of_wrong": ("The cost of choosing wrong", """
        {which} How many times longer the worst strategy takes than the best one of the same cell: what a default that nobody
        questioned can cost."""),
    "regret": ("How far adaptive is behind", """
        {which} A dot is how much slower adaptive was than the best fixed strategy, which was chosen on one half of the repetitions
        and measured on the other, for many ways to halve them. The grey band is the same strategy against itself: a hollow dot lies within it and says
        nothing. Right: what is left net of that noise. Goal: median at most 5 %, worst at most 15 %."""),
    "traffic": ("The traffic: {name}", """
        Share of the frames by size ({facts}). Look for two humps, acknowledgements and full frames: any threshold in the valley
        between them treats nearly every packet alike."""),
}

QUESTION = """A frame has arrived. Copy it out and give the buffer back at once, or hand it on where it lies? Measured on this
machine, for this traffic."""

LIMITS = """<p>Drivers fix this limit at 128, 256 or 512 bytes. It moves with the caches, with how long packets are held and with
what the consumer reads, so it is measured here:</p>"""

CELLS = """<p>Traffic / packets held / what the consumer touches. Bold: the fastest. Allocations, maps, syncs and references are
counted for each measured packet. Below 1 in “adaptive ÷ this”, adaptive was faster.</p>"""

MACHINE = {
    "cpu": "processor", "cores": "cores", "kernel": "kernel", "compiler": "compiler", "flags": "flags",
    "memory_backing": "packet memory", "governor": "frequency governor", "tsc_mhz": "time-stamp counter, MHz",
    "l1d": "L1 data cache", "l2": "L2 cache", "l3": "L3 cache", "core_share": "share of the core we got",
}

SHARED_CORE = """<p class="warn">Something else ran on the measuring core for more than a tenth of the time. Compare strategies with
care, and numbers with other machines not at all.</p>"""

METHOD = """<h2>Method</h2>
<p>The device is software: one thread, pinned to a core of its own, writes frames into posted memory and publishes completions
through a descriptor ring, so the data is not in the receiver's first caches. Another core receives, builds packets, lets a
consumer touch them, keeps as many as the cell says, and frees the oldest. There is no NIC, no DMA and no interrupt here: expect
the same shapes on hardware, not the same nanoseconds.</p>
<p><b>ns for each packet</b> is time on the receiving core; empty polls do not count, and neither do slices of a thousand packets
that took four times the median slice: the system was elsewhere. The card stays 64 to 128 frames ahead of the receiver, whatever
the ring holds, so that every strategy finds its data in the same state. Each cell runs several times, the strategies
taking turns, so that a disturbance hits all of them; the number is the median, with the fastest and slowest repetition beside it.
<b>memcpy</b> is a plain copy of the same bytes in the same run: what copying must cost at least.</p>
<p><b>Regret</b> would flatter whoever chooses with hindsight. So the best fixed strategy of a cell is chosen on one half of the
repetitions and compared with adaptive on the other half, and the same strategy is compared with itself to know the noise.</p>
<p>In every cell offered = delivered + dropped + still held, to the packet; the bench stops if not. <b>Pinned</b> memory is what the
consumer's packets keep from the device.</p>"""
