"""Import everything that the extras for users bring, from an installed wheel."""

import re
import warnings
from importlib.metadata import requires

from skdeepcluster._extras import import_extra

# Names of modules that differ from those of their packages.
MODULES = {"umap-learn": "umap"}
EXTRAS = (
    "compare",
    "graph",
    "interactive",
    "manifold",
    "plot",
    "save",
    "scale",
    "tables",
)

found = {}
for requirement in requires("skdeepcluster") or []:
    match = re.fullmatch(r"([\w-]+)[^;]*; extra == '(\w+)'", requirement)
    if match and match[2] in EXTRAS:
        found.setdefault(match[2], []).append(match[1])
if sorted(found) != sorted(EXTRAS):
    raise SystemExit(f"The wheel's metadata names the extras {sorted(found)}.")
for extra, packages in found.items():
    for package in packages:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_extra(MODULES.get(package, package), extra, "The package")
print("Extras that import:", ", ".join(sorted(found)))
