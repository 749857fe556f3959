#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Every header compiles alone: without exceptions and run-time types, in a program with one-letter globals.

headers_alone.py [ROOT] [COMPILER ...]     with these compilers only
"""

import os
import string
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

FLAGS = ["-std=c++20", "-fsyntax-only", "-fno-exceptions", "-fno-rtti",
         "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
# Unchecked code is where parameters become unused, checked code is where there is more to compile.
COMPILERS = {"g++-12": "-DNORIA_CONTRACT=0", "clang++-19": "-DNORIA_CONTRACT=2"}


def compile_alone(root, header, compiler):
    program = f"int {', '.join(string.ascii_letters)};\n#include \"{header}\"\n"
    command = [compiler, *FLAGS, COMPILERS[compiler], f"-I{root / 'include'}", "-x", "c++", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True)
    if done.returncode:
        return f"{header}: does not compile alone with {compiler}:\n{done.stderr}"
    return None


def check(root):
    compilers = [name for name in COMPILERS if name in sys.argv] or list(COMPILERS)
    tree.need(*compilers)
    jobs = [(root, header, compiler) for compiler in compilers for header in tree.headers(root)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(lambda job: compile_alone(*job), jobs))


tree.run(check)
