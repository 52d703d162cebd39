"""Compares the lines that `fit` prints with numpy's."""

import csv
import os
import subprocess
from collections import defaultdict

import numpy as np

path = os.environ["QUARTET"]
points = defaultdict(list)
with open(path, newline="") as file:
    for row in csv.DictReader(file):
        points[row["set"]].append((float(row["x"]), float(row["y"])))

expected = []
for name, pairs in points.items():
    slope, intercept = np.polyfit(*np.array(pairs).T, 1)
    expected.append(f"{name:<4} y = {intercept:.2f} + {slope:.3f} x")

printed = subprocess.run(["fit", path], check=True, capture_output=True, text=True).stdout.splitlines()
assert printed == expected, (printed, expected)
print(f"C and numpy agree on {len(expected)} lines")
