"""A page of rows to label, complete in one file, and the answers that it saves."""

import base64
import csv
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>@title@</title>
<style>
  body { font: 16px system-ui, sans-serif; margin: 2em auto; max-width: 60em; }
  fieldset { border: 1px solid #999; border-radius: 4px; margin: 0 0 1em; }
  img { display: block; width: 9em; image-rendering: pixelated; margin-bottom: .5em; }
  p { white-space: pre-wrap; }
  label { display: inline-block; margin-right: 1em; }
</style>
<h1>@title@</h1>
<main></main>
<button id="save">Save answers.csv</button> <span id="count"></span>
<script id="questions" type="application/json">@questions@</script>
<script>
"use strict";
const { choices, questions } = JSON.parse(
  document.getElementById("questions").textContent);
const answers = new Map();
function count() {
  document.getElementById("count").textContent =
    `${answers.size} of ${questions.length} answered`;
}
for (const question of questions) {
  const box = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = `row ${question.row}`;
  box.append(legend);
  if (question.image) {
    const image = document.createElement("img");
    image.src = question.image;
    image.alt = `row ${question.row}`;
    box.append(image);
  }
  if (question.text !== undefined) {
    const text = document.createElement("p");
    text.textContent = question.text;
    box.append(text);
  }
  choices.concat([null]).forEach((choice) => {
    const label = document.createElement("label");
    const button = document.createElement("input");
    button.type = "radio";
    button.name = `row ${question.row}`;
    button.checked = choice === null;
    button.addEventListener("change", () => {
      if (choice === null) answers.delete(question.row);
      else answers.set(question.row, choice);
      count();
    });
    label.append(button, choice === null ? "don't know" : ` ${choice}`);
    box.append(label);
  });
  document.querySelector("main").append(box);
}
count();
function table() {
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
  const lines = questions.map(({ row }) =>
    `${row},${answers.has(row) ? quoted(answers.get(row)) : ""}`);
  return ["row,answer", ...lines].join("\\r\\n") + "\\r\\n";
}
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
});
</script>
</html>
"""


def write_questions(
    path: Any,
    rows: Any,
    choices: Sequence[str],
    *,
    images: Any = None,
    texts: Any = None,
    title: str = "Which class?",
) -> None:
    """Write a page on which a person chooses the class of each row.

    The page is one file, which any browser opens from the disk and which loads nothing.
    A button saves ``answers.csv`` in the browser's folder of downloads; `read_answers`
    reads it.

    Parameters
    ----------
    path : str or path-like
        File to write.
    rows : array-like of int of shape (n_rows,)
        Indices of the rows to show, as from `ClusterThenLabelClassifier.query`.
    choices : sequence of str
        Names of the classes. "don't know" is always there as well.
    images : sequence of array-like, default=None
        An image for every row of the data: of shape (height, width) for greys, in the
        range of each image's own values, or (height, width, 3) for colours, as whole
        numbers from 0 to 255 or fractions of 1. Needs matplotlib.
    texts : sequence of str, default=None
        A text for every row of the data.
    title : str, default="Which class?"
        Heading of the page.

    Raises
    ------
    ValueError
        If there is nothing to show, or not for each of the rows, or no choice.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skdeepcluster.labelling import write_questions
    >>> texts = ["great", "awful", "fine"]
    >>> with TemporaryDirectory() as folder:
    ...     page = Path(folder, "page.html")
    ...     write_questions(page, [2, 0], ["good", "bad"], texts=texts)
    ...     "awful" in page.read_text()
    False
    """
    if images is None and texts is None:
        raise ValueError("There is nothing to show: give images, texts or both.")
    if isinstance(choices, str) or len(choices) == 0:
        raise ValueError(f"choices={choices!r} must be a list of names of classes.")
    questions = []
    for row in np.asarray(rows).ravel().tolist():
        for name, shown in (("images", images), ("texts", texts)):
            if shown is not None and not (
                isinstance(row, int) and 0 <= row < len(shown)
            ):
                raise ValueError(f"rows holds {row}, and {name} has {len(shown)}.")
        question: dict[str, Any] = {"row": row}
        if images is not None:
            question["image"] = as_png(images[row])
        if texts is not None:
            question["text"] = str(texts[row])
        questions.append(question)
    data = json.dumps({"choices": [str(it) for it in choices], "questions": questions})
    # Texts must not end the script that holds them.
    page = PAGE.replace("@title@", html.escape(title))
    page = page.replace("@questions@", data.replace("<", "\\u003c"))
    Path(path).write_text(page, encoding="utf-8")


def as_png(image: Any) -> str:
    """Return an image as the address of a PNG that holds it."""
    pyplot_image = import_extra("matplotlib.image", "plot", "A page of images")
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(
            f"images holds one of shape {image.shape}: give (height, width) or "
            "(height, width, 3), as X.reshape(-1, height, width) makes them of rows."
        )
    file = io.BytesIO()
    settings = {"cmap": "gray"} if image.ndim == 2 else {}
    pyplot_image.imsave(file, image, format="png", **settings)
    code = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/png;base64,{code}"


def read_answers(path: Any, n_samples: int) -> np.ndarray:
    """Read the answers that a page of `write_questions` has saved.

    Parameters
    ----------
    path : str or path-like
        The file ``answers.csv``, a table with the columns ``row`` and ``answer``.
    n_samples : int
        Rows of the data.

    Returns
    -------
    ndarray of shape (n_samples,), object
        Class of each row as a string, and -1 where it is unknown, for
        `ClusterThenLabelClassifier.fit`.

    Raises
    ------
    ValueError
        If the file has other columns, or rows that are not there.
    """
    answers = np.full(n_samples, -1, dtype=object)
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if table.fieldnames != ["row", "answer"]:
            raise ValueError(
                f"{path} must have the columns row and answer, as the page of "
                f"write_questions saves them, got {table.fieldnames}."
            )
        for line in table:
            row = str(line["row"])
            if not row.isdecimal() or int(row) >= n_samples:
                raise ValueError(
                    f"{path} holds an answer for row {row!r}; the rows are 0 to "
                    f"{n_samples - 1}."
                )
            if line["answer"]:
                answers[int(row)] = line["answer"]
    return answers
