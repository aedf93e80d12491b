"""Check what the archives in dist/ hold, and where the links of their page lead."""

import re
import subprocess
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

# Tracked files that only a checkout needs.
NOT_SHIPPED = (".git", ".pre-commit", "findings/")


def check(is_so, message):
    if not is_so:
        raise SystemExit(f"The archives are not fit to publish: {message}")


(wheel,) = Path("dist").glob("*.whl")
(sdist,) = Path("dist").glob("*.tar.gz")
listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
tracked = {name for name in listed.stdout.splitlines() if Path(name).exists()}

with tarfile.open(sdist) as archive:
    inside = {name.partition("/")[2] for name in archive.getnames()}
wanted = {name for name in tracked if not name.startswith(NOT_SHIPPED)}
check(wanted <= inside, f"{sdist.name} lacks {sorted(wanted - inside)}.")
strays = inside - tracked - {"PKG-INFO", ".gitignore"}
check(not strays, f"{sdist.name} holds {sorted(strays)}, which git doesn't track.")

with zipfile.ZipFile(wheel) as archive:
    inside = set(archive.namelist())
    (name,) = [name for name in inside if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(archive.read(name).decode())
folder = name.partition("/")[0]
modules = {name for name in tracked if name.startswith("skdeepcluster/")}
others = {name for name in inside if not name.startswith(f"{folder}/")}
check(others == modules, f"{wheel.name} differs in {sorted(others ^ modules)}.")
check(f"{folder}/licenses/LICENSE" in inside, f"{wheel.name} has no licence.")

urls = tomllib.loads(Path("pyproject.toml").read_text())["project"]["urls"]
version = metadata["Version"]
cited = f"\nversion: {version}\n" in Path("CITATION.cff").read_text()
check(cited, f"CITATION.cff is not that of version {version}.")
homes = [
    f"{urls['Source']}/blob/v{version}/",
    urls["Source"].replace("github.com", "raw.githubusercontent.com") + f"/v{version}/",
]
page = metadata.get_payload()
links = re.findall(r"\]\(([^)\s]+)", page) + re.findall(r'(?:src|href)="([^"]+)"', page)
check(links, "the page of the package index has no links.")
for link in links:
    check(
        link.startswith(("https://", "#")),
        f"the package index can't follow the link {link}.",
    )
    for home in homes:
        if link.startswith(home):
            target = link.removeprefix(home).partition("#")[0].rstrip("/")
            there = any(f"{name}/".startswith(f"{target}/") for name in tracked)
            check(there, f"{link} leads to no file.")
print(f"{wheel.name} and {sdist.name} are whole; {len(links)} links lead on.")
