"""The page of rows to label: what it holds, what it does, and what it saves."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

from skdeepcluster.labelling import read_answers, write_questions

# As much of a browser as the page needs, and a person who chooses.
BROWSER = """
const made = [], saved = [];
class Element {
  constructor(name) { this.name = name; this.heard = {}; this.children = []; }
  append(...parts) { this.children.push(...parts); }
  addEventListener(event, listener) { this.heard[event] = listener; }
  click() { (this.heard.click ?? (() => {}))(); }
}
const known = { questions: new Element("script"), save: new Element("button"),
                count: new Element("span"), main: new Element("main") };
known.questions.textContent = DATA;
globalThis.document = {
  getElementById: (id) => known[id], querySelector: (name) => known[name],
  createElement: (name) => { made.push(new Element(name)); return made.at(-1); },
};
globalThis.Blob = class { constructor(parts) { saved.push(parts.join("")); } };
globalThis.URL = { createObjectURL: () => "blob:" };
SCRIPT
const boxes = known.main.children;
const radios = made.filter((it) => it.type === "radio");
CHOOSE.forEach((which) => radios[which].heard.change());
known.save.click();
console.log(JSON.stringify({ saved: saved[0], count: known.count.textContent,
  n_boxes: boxes.length, n_radios: radios.length }));
"""


class Scripts(HTMLParser):
    """Collects scripts, and what would be loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.scripts, self.links, self.within = [], [], False

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.within = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.within = self.within and tag != "script"

    def handle_data(self, data):
        if self.within:
            self.scripts[-1] += data


def parts_of(path):
    parser = Scripts()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.links == []
    questions, script = parser.scripts
    return questions, script


def test_the_page_holds_what_is_asked(tmp_path):
    images = np.arange(5 * 12).reshape(5, 3, 4)
    texts = ["a", "b", "</script><b>ü", "d", "e"]
    page = tmp_path / "page.html"
    write_questions(
        page, np.array([2, 0]), ["x & y", "z"], images=images, texts=texts, title="<1>"
    )
    assert "<title>&lt;1&gt;</title>" in page.read_text(encoding="utf-8")
    held = json.loads(parts_of(page)[0])
    assert held["choices"] == ["x & y", "z"]
    assert [it["row"] for it in held["questions"]] == [2, 0]
    assert [it["text"] for it in held["questions"]] == ["</script><b>ü", "a"]
    code = re.fullmatch("data:image/png;base64,(.*)", held["questions"][0]["image"])[1]
    shown = imread(io.BytesIO(base64.b64decode(code)), format="png")[..., 0]
    np.testing.assert_allclose(shown, (images[2] - 24) / 11, atol=1 / 255)


def test_colours_are_kept(tmp_path):
    images = np.random.RandomState(0).randint(256, size=(2, 4, 3, 3), dtype=np.uint8)
    write_questions(tmp_path / "page.html", [1], ["a"], images=images)
    (question,) = json.loads(parts_of(tmp_path / "page.html")[0])["questions"]
    code = question["image"].partition(",")[2]
    shown = imread(io.BytesIO(base64.b64decode(code)), format="png")
    np.testing.assert_array_equal(np.round(shown[..., :3] * 255), images[1])


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_choices_are_saved_and_read(tmp_path):
    page, texts = tmp_path / "page.html", ["a", "b", "c", "d"]
    write_questions(page, [3, 0, 2], ['say "yes", or', "no"], texts=texts)
    questions, script = parts_of(page)
    # Two choices and "don't know" for each: the last person changes their mind.
    program = BROWSER.replace("DATA", json.dumps(questions))
    program = program.replace("SCRIPT", script).replace("CHOOSE", "[0, 3, 4, 6, 8]")
    done = subprocess.run(
        ["node", "-e", program], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["count"] == "2 of 3 answered"
    assert (found["n_boxes"], found["n_radios"]) == (3, 9)
    path = tmp_path / "answers.csv"
    path.write_bytes(found["saved"].encode())
    assert list(read_answers(path, 4)) == ["no", -1, -1, 'say "yes", or']


def test_unusable_arguments_are_named(tmp_path):
    page = tmp_path / "page.html"
    for arguments, settings, message in [
        (([0], ["a"]), {}, "nothing to show"),
        (([0], []), {"texts": ["t"]}, r"choices=\[\] must"),
        (([0], "ab"), {"texts": ["t"]}, "choices='ab' must"),
        (([1], ["a"]), {"texts": ["t"]}, "rows holds 1, and texts has 1"),
        (([-1], ["a"]), {"texts": ["t"]}, "rows holds -1"),
        (([0.5], ["a"]), {"texts": ["t"]}, "rows holds 0.5"),
        (([0], ["a"]), {"images": np.ones((1, 4))}, r"shape \(4,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_questions(page, *arguments, **settings)
    assert not page.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n0,x\n", "columns row and answer"), ("row,answer\n7,x\n", "row '7'")],
)
def test_unusable_answers_are_named(text, message, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_answers(path, 7)
