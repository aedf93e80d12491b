"""Sphinx configuration."""

import tomllib
from pathlib import Path

import skdeepcluster

metadata = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
urls = metadata["project"]["urls"]

project = "skdeepcluster"
author = "the skdeepcluster developers"
version = release = skdeepcluster.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "auto_examples/*.ipynb"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "download_all_examples": False,
}

# Publishers answer a program otherwise than a reader; anchors are made by scripts.
linkcheck_ignore = [r"https://doi\.org/"]
linkcheck_anchors = False
linkcheck_timeout = 20
linkcheck_workers = 4

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "skdeepcluster"
html_show_sourcelink = False
html_theme_options = {
    "github_url": urls["Source"],
    "header_links_before_dropdown": 3,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 1,
}
# The theme's own sidebar has the pages below that of the header, and most have none.
html_sidebars = {"**": ["pages.html"]}
