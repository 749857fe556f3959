#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Boots Debian's kernel in QEMU, with an emulated IOMMU and four cards on two cables, and runs the script init in it.

run.py CACHE PROGRAM...: the programs that init calls, linked statically; in the guest they are in /bin. The kernel and
busybox come out of Debian's packages: they are downloaded into CACHE, once, and not installed. Ends with 77, as a
skipped test does, when a part is not to be had.
"""

import gzip
import pathlib
import shutil
import subprocess
import sys
import tarfile

# Some kernels have one or the other built in.
MODULES = [f"{name}.ko" for name in ("irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci",
                                     "e1000e")]
LONGEST = 240  # seconds; it takes 10 on an idle machine


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def newest_kernel():
    """What Debian's package linux-image-amd64 stands for today: linux-image-6.1.0-NN-amd64."""
    told = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True)
    for line in told.stdout.splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    return None


def unpacked(cache, name, package, wanted):
    """The folder with some of a package's files; downloads and unpacks it when it is not there."""
    folder = cache / name
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        skip("this is no Debian: there is no apt-get to download a kernel with")
    get = ["apt-get", "download", package() or ""]
    if not get[-1] or subprocess.run(get, cwd=folder, capture_output=True).returncode != 0:
        subprocess.run(["apt-get", "update"], capture_output=True)  # there were no lists, or old ones
        get[-1] = package()
        if not get[-1]:
            skip(f"apt knows no package for {name}")
        got = subprocess.run(get, cwd=folder, capture_output=True, text=True)
        if got.returncode != 0:
            skip(f"{get[-1]} could not be downloaded: {got.stderr.strip().splitlines()[-1:]}")
    for file in folder.glob("*.deb"):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as unpacking:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
                for each in archive:
                    if each.isfile() and wanted(each.name):
                        (folder / pathlib.Path(each.name).name).write_bytes(archive.extractfile(each).read())
        file.unlink()
    (folder / "done").touch()
    return folder


class Archive:
    """A cpio archive in the form the kernel unpacks ("newc": Documentation/driver-api/early-userspace)."""

    def __init__(self):
        self.bytes = bytearray()
        self.files = 0

    def add(self, name, mode, content=b"", device=(0, 0)):
        self.files += 1
        fields = [self.files, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
        self.bytes += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        self.pad()
        self.bytes += content
        self.pad()

    def pad(self):
        self.bytes += b"\0" * (-len(self.bytes) % 4)


def initramfs(kernel, busybox, programs):
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "modules"):
        archive.add(folder, 0o40755)
    archive.add("dev/console", 0o20600, device=(5, 1))
    archive.add("bin/busybox", 0o100755, (busybox / "busybox").read_bytes())
    archive.add("init", 0o100755, (pathlib.Path(__file__).parent / "init").read_bytes())
    for program in programs:
        archive.add(f"bin/{program.name}", 0o100755, program.read_bytes())
    for file in kernel.glob("*.ko"):
        archive.add(f"modules/{file.name}", 0o100644, file.read_bytes())
    archive.add("TRAILER!!!", 0)
    return gzip.compress(bytes(archive.bytes), 1)


def main():
    cache, *programs = (pathlib.Path(word) for word in sys.argv[1:])
    if not shutil.which("qemu-system-x86_64"):
        skip("there is no qemu-system-x86_64 (Debian: qemu-system-x86)")
    kernel = unpacked(cache, "kernel", newest_kernel,
                      lambda file: "/boot/vmlinuz-" in file or pathlib.Path(file).name in MODULES)
    busybox = unpacked(cache, "busybox", lambda: "busybox-static", lambda file: file.endswith("/bin/busybox"))
    initrd = cache / f"initramfs-{programs[0].parent.parent.name}"
    initrd.write_bytes(initramfs(kernel, busybox, programs))
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512M", "-nodefaults",
               "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
               "-kernel", next(kernel.glob("vmlinuz-*")), "-initrd", initrd,
               "-append", "console=ttyS0 panic=-1 intel_iommu=on quiet",
               "-device", "intel-iommu,intremap=on"]
    for slot, cable in ((2, 0), (3, 0), (4, 1), (5, 1)):
        command += ["-netdev", f"hubport,id=port{slot},hubid={cable}", "-device",
                    f"e1000e,netdev=port{slot},addr={slot}.0,mac=52:54:00:12:34:0{slot},romfile="]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST)
        said = ran.stdout.decode(errors="replace") + ran.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace") + f"\nnot ready after {LONGEST} s\n"
    finally:
        initrd.unlink()
    print(said)
    sys.exit(0 if "EXIT 0 after" in said else 1)


main()
