"""Python, whose functions have frames of their own with -X perf (3.12 and later)."""

import sys
import time


def leaf_of_script(n):
    x = n
    for i in range(n):
        x = (x * 3 ^ i) & 0xFFFF
    return x


def middle_of_script(n):
    return leaf_of_script(n) + 1


def outer_of_script(seconds):
    until = time.thread_time() + seconds
    x = 0
    while time.thread_time() < until:
        x += middle_of_script(20000)
    return x


outer_of_script(float(sys.argv[1]) if len(sys.argv) > 1 else 0.1)
