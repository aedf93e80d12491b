"""Run the Python of Markdown pages, from the top of each to its end.

A page is one program: later blocks see the names of earlier ones. What a page needs and
its reader doesn't, such as texts to cluster, stands in a comment that begins with
``<!-- setup``. With ``--first``, only the first block is run. With ``--rows``,
`load_digits` has so many rows only: the code is tested, and not what it prints.
"""

import argparse
import os
import re
import tempfile
import time
from pathlib import Path

import sklearn.datasets

# A fenced block, or what is hidden from the reader.
CODE = re.compile(r"^```python\n(.*?)^```$|^<!-- setup\n(.*?)^-->$", re.DOTALL | re.M)


def blocks(text):
    """Number of the first line of each block, and its code."""
    for match in CODE.finditer(text):
        group = 1 if match[1] is not None else 2
        yield text.count("\n", 0, match.start(group)) + 1, match[group]


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("pages", nargs="+", type=Path)
parser.add_argument("--first", action="store_true", help="run the first block only")
parser.add_argument("--rows", type=int, help="rows of digits")
arguments = parser.parse_args()

os.environ["MPLBACKEND"] = "Agg"
if arguments.rows is not None:
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    few = X[: arguments.rows], y[: arguments.rows]
    sklearn.datasets.load_digits = lambda *, return_X_y: few
pages = [(page, page.read_text(encoding="utf-8")) for page in arguments.pages]
for page, text in pages:
    found = list(blocks(text))
    if not found:
        continue
    names = {"__name__": "__main__"}
    start = time.perf_counter()
    # What the code writes, such as saved models, is gone with the folder.
    with tempfile.TemporaryDirectory() as folder:
        home = os.getcwd()
        os.chdir(folder)
        for line, code in found[:1] if arguments.first else found:
            # So many blank lines that errors name the line of the page.
            exec(compile("\n" * (line - 1) + code, page, "exec"), names)
        os.chdir(home)
    count = 1 if arguments.first else len(found)
    print(f"{page}: {count} blocks ran in {time.perf_counter() - start:.0f} s")
