#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The two ends of the traffic in mixed.pcap, and what is done to the file afterwards.

  traffic.py serve               answer on TCP 7000, UDP 53 and UDP 7001 until killed
  traffic.py drive               run all flows against the server, once
  traffic.py tag DEVICE ID PRIO  make the TAP device DEVICE.ID, its frames tagged on DEVICE
  traffic.py merge OUT IN...     merge captures by time
  traffic.py check FILE          verify every checksum, print what is in the file

`make` calls them. `check` works anywhere and needs no privilege.
"""

import collections
import concurrent.futures
import fcntl
import ipaddress
import os
import random
import select
import socket
import struct
import sys
import threading
import time

TCP_PORT, DNS_PORT, DATAGRAM_PORT = 7000, 53, 7001
V4, V6, VLAN, JUMBO = "10.77.0.2", "fd00:77::2", "10.77.100.2", "10.77.9.2"

# ---- serve --------------------------------------------------------------------------------------
# TCP: a request is (bytes that follow, bytes wanted back), both 32 bits, and then the bytes.


def read_exactly(sock, count):
    parts = []
    while count:
        part = sock.recv(min(count, 65536))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def answer_stream(sock):
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (head := read_exactly(sock, 8)) is not None:
            up, down = struct.unpack("!II", head)
            if read_exactly(sock, up) is None:
                return
            sock.sendall(random.Random(up ^ down << 8).randbytes(down))


def dns_question(ident, name):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def dns_answer(question):
    """1 to 27 addresses for the name asked, as many as the name says: answers of 60 to 500 bytes."""
    ident = struct.unpack_from("!H", question)[0]
    rng = random.Random(question[12:])
    count = min(rng.choice((1, 1, 1, 2, 2, 3, 4, 6, 8, 13, 20, 27)), (500 - len(question)) // 16)
    out = struct.pack("!6H", ident, 0x8180, 1, count, 0, 0) + question[12:]
    for _ in range(count):
        out += struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + b"\x0a" + rng.randbytes(3)
    return out


def answer_datagrams(sock, make):
    while True:
        data, peer = sock.recvfrom(65535)
        sock.sendto(make(data), peer)


def serve():
    for port, make in ((DNS_PORT, dns_answer), (DATAGRAM_PORT, lambda data: data[:40])):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        threading.Thread(target=answer_datagrams, args=(sock, make), daemon=True).start()
    with socket.create_server(("::", TCP_PORT), family=socket.AF_INET6, dualstack_ipv6=True,
                              backlog=64) as listener:
        print("ready", flush=True)
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=answer_stream, args=(peer,), daemon=True).start()


# ---- drive --------------------------------------------------------------------------------------


def exchange(sock, rng, up, down):
    sock.sendall(struct.pack("!II", up, down) + rng.randbytes(up))
    if read_exactly(sock, down) is None:
        raise RuntimeError("the server hung up")


def connect(host):
    sock = socket.create_connection((host, TCP_PORT), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def bulk(seed, host, up, down, chunk=24000):
    """Bytes in one direction or both, in chunks with a breath between, so that flows mix."""
    rng = random.Random(seed)
    with connect(host) as sock:
        while up > 0 or down > 0:
            exchange(sock, rng, max(0, min(up, chunk)), max(4, min(down, chunk)))
            up, down = up - chunk, down - chunk
            time.sleep(rng.uniform(0.001, 0.02))


def chat(seed, host, turns):
    """Small requests, small answers; now and then a pause long enough for a delayed ACK."""
    rng = random.Random(seed)
    with connect(host) as sock:
        for _ in range(turns):
            exchange(sock, rng, rng.choice((8, 24, 60, 100, 180, 320)),
                     rng.choice((4, 16, 40, 90, 200, 420, 900)))
            time.sleep(rng.choice((0, 0, 0.002, 0.005, 0.060)))


def ask_udp(host, port, data):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((host, port))
        sock.send(data)
        return sock.recv(65535)


def lookups(seed, host, count):
    rng = random.Random(seed)
    for _ in range(count):
        word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 14)))
        ask_udp(host, DNS_PORT, dns_question(rng.getrandbits(16), f"{word}.buckets.test"))
        time.sleep(rng.uniform(0, 0.008))


def large_datagrams(seed, host, sizes):
    rng = random.Random(seed)
    for size in sizes:
        ask_udp(host, DATAGRAM_PORT, rng.randbytes(size))
        time.sleep(0.05)


def drive():
    flows = [
        (bulk, 1, V4, 60000, 0), (bulk, 2, V4, 0, 60000), (bulk, 3, V4, 24000, 24000),
        (bulk, 4, V6, 60000, 0), (bulk, 5, V6, 0, 48000),
        (bulk, 6, VLAN, 36000, 0), (bulk, 7, VLAN, 0, 24000),
        (bulk, 8, JUMBO, 7 * 24000, 0),
        *((chat, 20 + i, V4, 26) for i in range(10)),
        *((chat, 40 + i, V6, 14) for i in range(3)),
        (chat, 50, VLAN, 20),
        *((lookups, 60 + i, V4, 60) for i in range(3)),
        (lookups, 70, V6, 40), (lookups, 71, VLAN, 30),
        (large_datagrams, 80, V4, (4000, 8000, 5200, 6500, 7300)),
        (large_datagrams, 81, V6, (4000, 6000)),
    ]
    with concurrent.futures.ThreadPoolExecutor(len(flows)) as pool:
        for done in [pool.submit(flow, *args) for flow, *args in flows]:
            done.result()


# ---- tag ----------------------------------------------------------------------------------------
# Numbers of the Linux headers that the socket module has no names for.

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
ETH_P_ALL, TP_STATUS_VLAN_VALID = 3, 1 << 4


def tag(device, vlan, priority):
    """A VLAN device in user space, for kernels without. It knows no MTU but that of the device."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", f"{device}.{vlan}".encode(), IFF_TAP | IFF_NO_PI))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    wire.bind((device, ETH_P_ALL))
    header = struct.pack("!HH", 0x8100, priority << 13 | vlan)
    print("ready", flush=True)
    while True:
        for ready in select.select([tap, wire], [], [])[0]:
            if ready is tap:
                frame = os.read(tap, 65536)
                wire.send(frame[:12] + header + frame[12:])
                continue
            frame, notes, _, _ = wire.recvmsg(65536, 256)
            for level, what, data in notes:  # the kernel takes the tag off and hands it over beside
                if (level, what) == (SOL_PACKET, PACKET_AUXDATA):
                    status, tci = struct.unpack("=I12xH2x", data)
                    if status & TP_STATUS_VLAN_VALID and tci & 0xFFF == vlan:
                        os.write(tap, frame)


# ---- the file -----------------------------------------------------------------------------------

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET = 1


class Broken(Exception):
    pass


def read_pcap(path):
    """Yields (nanoseconds, frame); refuses snapped frames and any link type but Ethernet."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24:
        raise Broken("no pcap header")
    for order in "<>":
        magic = struct.unpack_from(order + "I", data)[0]
        if magic in (MICRO, NANO):
            break
    else:
        raise Broken("not a classic pcap")
    if struct.unpack_from(order + "I", data, 20)[0] != ETHERNET:
        raise Broken("the link type is not Ethernet")
    unit = 1 if magic == NANO else 1000
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            raise Broken("the file ends inside a record")
        sec, sub, kept, length = struct.unpack_from(order + "4I", data, at)
        at += 16
        if kept != length:
            raise Broken("a frame was snapped")
        if at + kept > len(data):
            raise Broken("the file ends inside a frame")
        yield sec * 10**9 + sub * unit, data[at:at + kept]
        at += kept


def merge(out, paths):
    frames = sorted((f for path in paths for f in read_pcap(path)), key=lambda f: f[0])
    with open(out, "wb") as file:
        file.write(struct.pack("<IHHiIII", NANO, 2, 4, 0, 0, 65535, ETHERNET))
        for stamp, frame in frames:
            file.write(struct.pack("<4I", *divmod(stamp, 10**9), len(frame), len(frame)) + frame)


# ---- check --------------------------------------------------------------------------------------

ICMP, TCP, UDP, ICMPV6, HOP_BY_HOP, FRAGMENT = 1, 6, 17, 58, 0, 44
OURS = tuple(ipaddress.ip_network(x) for x in (
    "10.0.0.0/8", "224.0.0.0/4", "fd00::/8", "fe80::/10", "ff02::/16", "::/128"))


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def right(data):
    """A stretch that includes its own checksum sums to all ones."""
    return ones_sum(data) == 0xFFFF


def check_transport(proto, source, dest, body):
    """The checksum of one whole segment or datagram; source and dest as they are on the wire."""
    if proto == ICMP:
        return right(body)
    if proto == UDP:
        if len(body) < 8 or struct.unpack_from("!H", body, 4)[0] != len(body):
            return False
        if body[6:8] == b"\0\0":  # allowed in IPv4, but this file promises real ones
            return False
    if len(source) == 4:
        pseudo = source + dest + struct.pack("!BBH", 0, proto, len(body))
    else:
        pseudo = source + dest + struct.pack("!II", len(body), proto)
    return right(pseudo + body)


class Check:
    def __init__(self):
        self.frames = collections.Counter()   # by kind
        self.bytes = collections.Counter()
        self.sizes = collections.Counter()    # by upper bound of the bucket
        self.marks = collections.Counter()    # across the kinds
        self.mark_bytes = collections.Counter()
        self.checked = collections.Counter()  # checksums verified
        self.pieces = {}                      # fragments waiting for the rest
        self.faults = []
        self.largest = 0

    def verify(self, what, good):
        self.checked[what] += 1
        if not good:
            raise Broken(f"bad {what} checksum")

    def mark(self, name, frame):
        self.marks[name] += 1
        self.mark_bytes[name] += len(frame)

    def frame(self, frame):
        """Judges one frame and returns its kind."""
        if len(frame) < 14:
            raise Broken("shorter than an Ethernet header")
        if not frame[6] & 2 or not frame[0] & 3:
            raise Broken("a MAC address that is not locally administered")
        kind, at = struct.unpack_from("!H", frame, 12)[0], 14
        if kind == 0x8100:
            if struct.unpack_from("!H", frame, 14)[0] & 0xFFF != 100:
                raise Broken("a VLAN other than 100")
            kind, at = struct.unpack_from("!H", frame, 16)[0], 18
            self.mark("VLAN tagged", frame)
        if len(frame) - at > 1500:
            self.mark("jumbo (MTU 9000)", frame)
            if len(frame) - at > 9000:
                raise Broken("longer than any MTU here")
        if kind == 0x0806:
            return "ARP"
        if kind == 0x0800:
            return self.ipv4(frame[at:])
        if kind == 0x86DD:
            return self.ipv6(frame[at:])
        raise Broken(f"unknown ether type {kind:#06x}")

    def addresses(self, *raw):
        for one in raw:
            address = ipaddress.ip_address(one)
            if not any(address in net for net in OURS):
                raise Broken(f"{address} is not private")

    def ipv4(self, data):
        head = (data[0] & 15) * 4
        total, ident, where = struct.unpack_from("!HHH", data, 2)
        proto, source, dest = data[9], data[12:16], data[16:20]
        if data[0] >> 4 != 4 or not 20 <= head <= total <= len(data):
            raise Broken("bad IPv4 lengths")
        self.verify("IPv4 header", right(data[:head]))
        self.addresses(source, dest)
        body = data[head:total]
        if where & 0x3FFF:
            self.piece((source, dest, ident, proto), (where & 0x1FFF) * 8, where & 0x2000, body)
            return "IPv4 fragment"
        return self.transport("IPv4", proto, source, dest, body)

    def ipv6(self, data):
        length, proto = struct.unpack_from("!HB", data, 4)
        source, dest, body = data[8:24], data[24:40], data[40:40 + length]
        if data[0] >> 4 != 6 or len(body) != length:
            raise Broken("bad IPv6 lengths")
        self.addresses(source, dest)
        if proto == HOP_BY_HOP:  # multicast listener reports carry a router alert
            proto, body = body[0], body[8 + body[1] * 8:]
        if proto == FRAGMENT:
            proto, _, where, ident = struct.unpack_from("!BBHI", body)
            self.piece((source, dest, ident, proto), where & 0xFFF8, where & 1, body[8:])
            return "IPv6 fragment"
        return self.transport("IPv6", proto, source, dest, body)

    def transport(self, family, proto, source, dest, body):
        name = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}.get(proto)
        if name is None:
            raise Broken(f"unknown protocol {proto}")
        self.verify(f"{family} {name}" if name in ("TCP", "UDP") else name,
                    check_transport(proto, source, dest, body))
        if proto == TCP:
            payload = len(body) - (body[12] >> 4) * 4
            if payload >= 1400:
                return f"{family} TCP, full-size data"
            return f"{family} TCP, less data" if payload else f"{family} TCP, no data"
        if proto == UDP:
            dns = DNS_PORT in struct.unpack_from("!HH", body)
            return f"{family} UDP, DNS" if dns else f"{family} UDP, other"
        if proto == ICMP:
            return "ICMP echo" if body[0] in (0, 8) else "ICMP, other"
        if body[0] in (128, 129):
            return "ICMPv6 echo"
        return "ICMPv6 neighbours" if 133 <= body[0] <= 137 else "ICMPv6, other"

    def piece(self, key, offset, more, body):
        """Collects fragments; the last one to come completes the datagram, which is then checked."""
        known = self.pieces.setdefault(key, {"parts": {}, "end": None})
        known["parts"][offset] = body
        if not more:
            known["end"] = offset + len(body)
        whole = b""
        for start, part in sorted(known["parts"].items()):
            if start != len(whole):
                return
            whole += part
        if known["end"] != len(whole):
            return
        del self.pieces[key]
        source, dest, _, proto = key
        self.verify("reassembled datagram", check_transport(proto, source, dest, whole))


# The least that makes the file worth its name: frames of a kind, and marks that cut across kinds.
WANTED = {
    "ARP": 6, "ICMP echo": 20, "ICMPv6 echo": 4, "ICMPv6 neighbours": 4,
    "IPv4 TCP, full-size data": 100, "IPv4 TCP, less data": 200, "IPv4 TCP, no data": 50,
    "IPv6 TCP, full-size data": 40, "IPv6 TCP, less data": 40, "IPv6 TCP, no data": 20,
    "IPv4 UDP, DNS": 200, "IPv6 UDP, DNS": 40, "IPv4 fragment": 20, "IPv6 fragment": 4,
}
WANTED_MARKS = {"VLAN tagged": 80, "jumbo (MTU 9000)": 10}
MOST_JUMBO = 40
BUCKETS = (63, 127, 255, 511, 1023, 1518, 9014)
LIMIT = 1 << 20


def check(path):
    state, last, count, total = Check(), 0, 0, 0
    size = 24
    try:
        for stamp, frame in read_pcap(path):
            count, total, size = count + 1, total + len(frame), size + 16 + len(frame)
            try:
                if stamp < last:
                    raise Broken("time runs backwards")
                kind = state.frame(frame)
                state.frames[kind] += 1
                state.bytes[kind] += len(frame)
                state.sizes[next((b for b in BUCKETS if len(frame) <= b), BUCKETS[-1])] += 1
                state.largest = max(state.largest, len(frame))
            except (Broken, struct.error, IndexError) as why:
                state.faults.append(f"frame {count}: {why}")
            last = stamp
    except Broken as why:
        state.faults.append(str(why))

    print("| kind | frames | bytes |\n| --- | ---: | ---: |")
    for kind in sorted(state.frames):
        print(f"| {kind} | {state.frames[kind]} | {state.bytes[kind]} |")
    print(f"| all | {count} | {total} |")
    for name in sorted(state.marks):
        print(f"| of these: {name} | {state.marks[name]} | {state.mark_bytes[name]} |")
    print("\n| frame size | frames |\n| --- | ---: |")
    low = 0
    for high in BUCKETS:
        print(f"| {low} to {high} | {state.sizes[high]} |")
        low = high + 1
    print(f"\nlargest frame {state.largest}, file {size} bytes; checksums verified: "
          + ", ".join(f"{n} {what}" for what, n in sorted(state.checked.items())))

    for kind, least in WANTED.items():
        if state.frames[kind] < least:
            state.faults.append(f"{kind}: {state.frames[kind]} frames, {least} wanted")
    for name, least in WANTED_MARKS.items():
        if state.marks[name] < least:
            state.faults.append(f"{name}: {state.marks[name]} frames, {least} wanted")
    if state.marks["jumbo (MTU 9000)"] > MOST_JUMBO:
        state.faults.append(f"more than {MOST_JUMBO} jumbo frames")
    if state.largest != 9014:
        state.faults.append(f"the largest frame has {state.largest} bytes, not 9014")
    if state.pieces:
        state.faults.append(f"{len(state.pieces)} datagrams lack fragments")
    if count < 1500:
        state.faults.append(f"{count} frames, 1500 wanted")
    if size >= LIMIT:
        state.faults.append(f"{size} bytes, must stay below {LIMIT}")
    for fault in state.faults:
        print(f"check: {fault}", file=sys.stderr)
    return 1 if state.faults else 0


def main(args):
    if args == ["serve"]:
        serve()
    elif args == ["drive"]:
        drive()
    elif len(args) == 4 and args[0] == "tag":
        tag(args[1], int(args[2]), int(args[3]))
    elif len(args) >= 3 and args[0] == "merge":
        merge(args[1], args[2:])
    elif len(args) == 2 and args[0] == "check":
        return check(args[1])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
