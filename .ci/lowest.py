"""Print the declared lower bounds as constraints."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"].values()
optional = [requirement for extra in extras for requirement in extra]
for requirement in [*project["dependencies"], *optional]:
    bound = re.fullmatch(r"([\w-]+)(\[.*\])?>=([\d.]+)", requirement)
    if bound:
        print(f"{bound[1]}=={bound[3]}.*")
