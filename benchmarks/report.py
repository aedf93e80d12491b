"""Tables of the pages in Markdown, from the files in `results`.

    python benchmarks/report.py            # all of them
    python benchmarks/report.py big        # one; also of a data set or a kind of data
    python benchmarks/report.py --write    # renew those in the pages
    python benchmarks/report.py --check    # does a page differ from the files?

Of each data set, method and parameters the commit counts that the file names last.
"""

import argparse
import re
import sys

import numpy as np
import pandas as pd
from _results import HERE, read

PAGES = ["README.md", "selection.md", "tried.md", "../docs/user_guide.md"]
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
KEY = ["data", "kind", "method", "parameters"]
NONE = "Not measured yet."


def markdown(heads, rows):
    """A table, or the word that there is none."""
    lines = [list(heads), ["---"] * len(heads), *(list(map(str, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) if rows else NONE


def shown(value, digits=3):
    """A share without its 0; nothing where it isn't known."""
    text = "" if pd.isna(value) else f"{value:.{digits}f}"
    return re.sub(r"^(-?)0\.", r"\1.", text)


def count(value, digits=1):
    """A number of seconds or the like."""
    return "" if pd.isna(value) else f"{value:,.{digits}f}"


def said(values, joint=", "):
    """Distinct texts in their order."""
    return joint.join(dict.fromkeys(filter(None, values)))


def newest(frame, key=KEY):
    """Rows of the last commit of each key."""
    return frame[frame["commit"] == frame.groupby(key)["commit"].transform("last")]


def summary(frame, worst="accuracy", key=KEY):
    """Means over seeds, worst seed, number of seeds and clusters of each key.

    Seeds are numbers, or words such as "mean of 5" where only that is known.
    """
    frame = newest(frame[frame["commit"] != "published"], key)
    frame = frame[~frame["seed"].str.startswith("std")]
    low = frame["seed"].str.startswith("worst")
    single = frame["seed"].str.isdigit()
    groups = frame[~low].groupby(key, sort=False)
    table = groups.mean(numeric_only=True)
    several = frame[low | single].groupby(key)[worst].agg(["min", "size"])
    several = several.reindex(table.index)
    told = groups["seed"].first().str.extract(r"of (\d+)")[0].astype(float)
    table["seeds"] = told.fillna(groups.size()).astype(int)
    table["worst"] = several["min"].where(table["seeds"] > 1)
    table["clusters"] = groups["clusters"].agg(lambda own: said(own, " "))
    table["commit"] = groups["commit"].first()
    return table.reset_index()


def quality(accuracy, worst, nmi):
    """Accuracy, that of the worst seed where there are several, and NMI."""
    low = "" if pd.isna(worst) else f" ({shown(worst)})"
    return f"{shown(accuracy)}{low}" + ("" if pd.isna(nmi) else f", {shown(nmi)}")


def crossed(table, columns, rows=None):
    """Methods by data sets, with the commits behind each row."""
    lines = []
    for method in rows or dict.fromkeys(table["method"]):
        own = table[table["method"] == method].drop_duplicates("data").set_index("data")
        cells = [
            quality(*own.loc[data, ["accuracy", "worst", "nmi"]])
            if data in own.index
            else ""
            for data in columns
        ]
        used = own.reindex(columns)["commit"].fillna("")
        if any(cells):
            lines.append([method, *cells, said(used)])
    return markdown(["method", *columns.values(), "commit"], lines)


def alone(parameters=("",)):
    """Results of `quality.py` with some parameters, the first of which come first."""
    frame = read("quality")
    frame = frame[frame["parameters"].isin(parameters) & (frame["kind"] == "")]
    last = newest(frame[frame["commit"] != "published"], ["data", "method"])
    return summary(last).sort_values("parameters", kind="stable")


BIG = {
    "digits": "digits",
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
    "reuters": "Reuters, words",
    "reuters-minilm": "Reuters, embeddings",
}


def big():
    """What was measured on four of the sets at least."""
    table = alone(("", "--precision bf16", "--precision float32"))
    methods = table.drop_duplicates(["data", "method"])
    methods = methods[methods["data"].isin(BIG)]["method"].value_counts(sort=False)
    methods = list(methods[methods > 3].index)
    seconds = table[table["data"] == "mnist"].drop_duplicates("method")
    seconds = seconds.set_index("method")["cpu_seconds"]
    lines = crossed(table, BIG, methods).splitlines()
    heads = ["MNIST, s", "---"]
    cells = [count(seconds.get(line.split(" ")[1], np.nan), 0) for line in lines[2:]]
    return "\n".join(
        re.sub(r"\| ([^|]* \|)$", rf"| {cell} | \1", line)
        for line, cell in zip(lines, heads + cells, strict=True)
    )


def thinned():
    names = {name: name for name in ("pendigits", "optdigits", "satimage", "texture")}
    table = alone(("--unbalanced",))
    table["data"] += ", thinned"
    table = pd.concat([alone(), table])
    columns = names | {f"{name}, thinned": f"{name}, thinned" for name in names}
    columns["mnist, thinned"] = "MNIST, thinned"
    methods = table.loc[table["data"] == "texture, thinned", "method"]
    return crossed(table, columns, list(methods))


def synthetic():
    names = ["moons", "unbalanced", "manifolds", "fifty"]
    names += ["two", "circles", "oblique", "varied"]
    return crossed(alone(), {name: name for name in names})


def kinds():
    """Means over the sets of each kind; of some methods only the means are known."""
    table = read("quality")
    table = summary(table[(table["kind"] != "") & (table["parameters"] == "")])
    methods = list(dict.fromkeys(table["method"]))
    single = table[table["data"] != "mean of the sets"]
    groups = [*table.groupby("kind", sort=False), ("all sets", single)]
    lines = []
    for kind, own in groups:
        sets, cells = own["data"][own["data"] != "mean of the sets"], []
        for method in methods:
            rows = own[own["method"] == method]
            whole = kind != "all sets" or len(rows) == sets.nunique()
            cells.append(quality(rows["accuracy"].mean(), np.nan, rows["nmi"].mean()))
            cells[-1] = cells[-1] if whole else ""
        lines.append([kind, sets.nunique(), *cells, said(own["commit"])])
    return markdown(["kind", "sets", *methods, "commit"], lines)


def number():
    frame = read("quality")
    told = frame[(frame["method"] == "kmeans") & (frame["parameters"] == "")]
    classes = told[told["clusters"] != ""].groupby("data")["clusters"].first()
    table = summary(frame[frame["parameters"] == "--find-k"])
    sets = list(dict.fromkeys(table["data"]))
    lines = [
        [
            method,
            *(own.set_index("data")["clusters"].reindex(sets).fillna("")),
            said(own["commit"]),
        ]
        for method, own in table.groupby("method", sort=False)
    ]
    heads = [f"{name} ({classes.get(name, '?')})" for name in sets]
    return markdown(["method", *heads, "commit"], lines)


def ordinary():
    """Means over numbers of rows of each kind."""
    frame = newest(read("ordinary"), ["data", "method", "rows"])
    table = summary(frame, "ari", [*KEY, "rows"])
    lines = []
    for kind, own in table.groupby("data"):
        by_method = own.groupby("method")[["ari", "right"]].mean()
        cells = [
            shown(by_method[score].get(method, np.nan), 2)
            for score, methods in ORDINARY.items()
            for method in methods
        ]
        lines.append([kind, *cells, said(own["commit"])])
    heads = ORDINARY["ari"] + [f"number: {name}" for name in ORDINARY["right"]]
    return markdown(["kind", *heads, "commit"], lines)


ORDINARY = {
    "ari": ["k-means", "spectral", "graph", "hdbscan", "graph(None)"],
    "right": ["hdbscan", "graph(None)"],
}


def published():
    table = alone(("--epochs 50",))
    return crossed(table, {"mnist": "MNIST, 50 passes of pretraining"})


def precision():
    frame = read("quality")
    table = summary(frame[frame["parameters"].str.contains("--precision")])
    lines = [
        [
            *(row.data, row.parameters, quality(row.accuracy, row.worst, row.nmi)),
            *(row.seeds, count(row.cpu_seconds), row.commit),
        ]
        for row in table[table["method"] == "dec"].itertuples()
    ]
    heads = ["data", "parameters", "DEC", "seeds", "processor s", "commit"]
    return markdown(heads, lines)


def options():
    """What an option of the network changes, beside the same without it."""
    table = summary(read("quality"))
    lines = []
    for row in table.itertuples():
        option = re.search(r" ?(--(objective|augment) [a-z ]+)$", row.parameters)
        if not option:
            continue
        rest = row.parameters[: option.start()]
        beside = f"{rest} beside --{option[2]}".strip()
        own = table[(table["data"] == row.data) & (table["method"] == row.method)]
        own = own[own["kind"] == ""].set_index("parameters")
        known = [name for name in (beside, rest) if name in own.index][:1]
        cells = [quality(*own.loc[n, ["accuracy", "worst", "nmi"]]) for n in known]
        cell = " ".join(cells)
        done = quality(row.accuracy, row.worst, row.nmi)
        lines.append([row.data, row.method, rest, option[1], cell, done, row.commit])
    heads = ["data", "method", "parameters", "option", "without", "with", "commit"]
    return markdown(heads, lines)


def views():
    table = summary(read("views"))
    lines = [
        [
            *(name, own["data"].nunique(), shown(own["accuracy"].mean())),
            *(shown(own["nmi"].mean()), said(own["commit"])),
        ]
        for name, own in table.groupby("parameters", sort=False)
    ]
    return markdown(["views", "sets", "accuracy", "NMI", "commit"], lines)


def speed():
    lines = [
        [
            row.data,
            *(f"{row.seconds:.3f}", f"{row.bare_seconds:.3f}"),
            f"{row.seconds / row.bare_seconds:.3f}",
            f"{row.ms_a_step_over:+.3f} ms a step"
            if row.ms_a_step_over == row.ms_a_step_over
            else f"peak {row.megabytes:.1f} MB above the input",
            row.commit,
        ]
        for row in newest(read("speed"), ["data", "method", "parameters"]).itertuples()
    ]
    heads = ["", "ours, s", "bare, s", "ratio", "over bare", "commit"]
    return markdown(heads, lines)


def small():
    table = summary(read("small"))
    table = table[table["parameters"] == ""]
    lines = [
        [
            *(row.data, row.method),
            quality(row.accuracy, row.worst, row.nmi),
            *(count(row.cpu_seconds), count(row.pretraining)),
            *(count(row.initial_clusters), count(row.teaching), row.commit),
        ]
        for row in table.itertuples()
    ]
    heads = ["data", "method", "ACC (worst), NMI", "processor s"]
    heads += ["pretraining", "initial clusters", "teaching", "commit"]
    return markdown(heads, lines)


def peers():
    """What was run on three sets at least; `peers.py --report` has all of it."""
    frame = read("peers")
    done = frame["status"] == "ok"
    frame = frame[done & frame["parameters"].str.contains("--threads 1 ")].copy()
    frame["data"] += ", " + frame["shape"].str.partition(" x")[0]
    table = summary(frame)
    table["megabytes"] = table["peak_megabytes"] - table["base_megabytes"]
    columns = list(dict.fromkeys(table["data"]))
    lines = []
    for method, own in table.groupby("method", sort=False):
        own = own.drop_duplicates("data", keep="last").set_index("data")
        if len(own) < 3:
            continue
        cells = [
            f"{shown(row.accuracy)}, {shown(row.nmi)}; {count(row.seconds)} s, "
            f"{row.megabytes:.0f} MB"
            if row.seeds == row.seeds
            else ""
            for row in own.reindex(columns).itertuples()
        ]
        lines.append([method, *cells, said(own["commit"])])
    return markdown(["method", *columns, "commit"], lines)


def limit():
    frame = newest(read("limit"))
    lines = [
        [
            *(row.method, row.parameters.rpartition(" ")[2], f"{row.seconds:.2f}"),
            *(f"{row.gflop / row.seconds:.0f}", f"{row.products_seconds:.2f}"),
            *(f"{row.adam_seconds:.2f}", f"{row.reached:.0%}"),
            row.commit,
        ]
        for row in frame[frame["kind"] == "phase"].itertuples()
    ]
    heads = ["phase", "precision", "seconds", "GFLOP/s", "products, s", "Adam, s"]
    return markdown([*heads, "reached", "commit"], lines)


def outliers():
    """Means over the two halves of the tasks, of tasks or as they are said."""
    table = summary(read("anomaly"), "auc")
    lines = []
    for method, own in table.groupby("method", sort=False):
        own = newest(own, ["method"])
        said_mean = own[own["data"].str.startswith("mean of")]
        said_worst = own[own["data"].str.startswith("worst of")]
        tasks = own.drop([*said_mean.index, *said_worst.index])
        halves = said_mean if len(said_mean) else tasks
        cells = [
            shown(halves.loc[halves["kind"] == half, score].mean())
            for half in ("choose", "confirm")
            for score in ("auc", "ap")
        ]
        worst = (said_worst if len(said_worst) else tasks)["auc"].min()
        seconds = halves["cpu_seconds"].mean()
        lines.append([method, *cells, shown(worst, 2), count(seconds, 2)])
        lines[-1].append(said(own["commit"]))
    heads = ["detector", "choose AUC", "choose AP", "confirm AUC", "confirm AP"]
    return markdown([*heads, "worst task AUC", "seconds", "commit"], lines)


def mixed():
    """Means over the tables, and in how many a method is the best of all."""
    table = summary(read("tables"))
    scores = table.pivot(index="data", columns="method", values="ari")
    best = scores.eq(scores.max(axis=1), axis=0).sum()
    lines = [
        [
            *(method, len(own), *(shown(own[s].mean()) for s in ("accuracy", "nmi"))),
            *(shown(own["ari"].mean()), best[method]),
            *(count(own["cpu_seconds"].mean()), said(own["commit"])),
        ]
        for method, own in table.groupby("method", sort=False)
    ]
    heads = ["way", "tables", "accuracy", "NMI", "ARI", "best in", "processor s"]
    return markdown([*heads, "commit"], lines)


def labelling():
    frame = read("labelling")
    table = summary(frame, key=["data", "method", "parameters", "answers"])
    budgets = sorted(table["answers"].unique())
    lines = []
    for (method, given), own in table.groupby(["method", "parameters"], sort=False):
        own = own.set_index("answers").reindex(budgets)
        cells = [
            quality(row.accuracy, row.worst, np.nan) if row.seeds == row.seeds else ""
            for row in own.itertuples()
        ]
        lines.append([f"{method} {given}".strip(), *cells])
        lines[-1].append(said(own["commit"].fillna("")))
    return markdown(["method", *(f"{b:g} answers" for b in budgets), "commit"], lines)


def sure():
    """Means over the sets, each of which counts once."""
    frame = newest(read("confidence"), ["data", "method"])
    lines = []
    for method, own in frame.groupby("method", sort=False):
        means = own.groupby("data")[["auc", "auc_matched"]].mean()
        cells = [shown(value) for value in means.mean()]
        lines.append([method, len(means), *cells, said(own["commit"])])
    heads = ["sign", "sets", "AUC, majority", "AUC, matched", "commit"]
    return markdown(heads, lines)


def chosen(question):
    frame = read("selection")
    return newest(frame[frame["kind"] == question], ["data", "method"])


def selection_settings():
    frame = chosen("settings")
    sets = list(dict.fromkeys(frame["data"]))
    lines = []
    for method, own in frame.groupby("method", sort=False):
        own = own.groupby("data")[["rho", "regret"]].mean().reindex(sets)
        cells = [c for rho, r in own.to_numpy() for c in (shown(rho, 2), shown(r))]
        lines.append([method, *cells, shown(own["rho"].mean(), 2)])
    heads = [f"{name}: {part}" for name in sets for part in ("rho", "regret")]
    return captioned(["score", *heads, "mean rho"], lines, frame)


def selection_number():
    frame = chosen("number")
    sets = list(dict.fromkeys(frame["data"]))
    lines = []
    for method, own in frame.groupby("method", sort=False):
        groups = own.groupby("data")
        picks = groups["clusters"].agg(" ".join).reindex(sets)
        regrets = groups["regret"].mean().reindex(sets)
        cells = [c for name in sets for c in (picks[name], shown(regrets[name]))]
        lines.append([method, *cells, shown(regrets.mean())])
    heads = [f"{name}: {part}" for name in sets for part in ("picks", "regret")]
    return captioned(["score", *heads, "mean regret"], lines, frame)


def selection_any():
    frame = chosen("any")
    methods = list(dict.fromkeys(frame["method"]))
    lines = []
    for (data, classes), own in frame.groupby(["data", "classes"], sort=False):
        answers = own.groupby("method")["clusters"].agg(" ".join)
        lines.append([data, f"{classes:g}", *answers.reindex(methods)])
    return captioned(["rows", "clusters", *methods], lines, frame)


def captioned(heads, lines, frame):
    """A table whose commits are in a line of their own."""
    return f"Commit: {said(frame['commit'])}.\n\n{markdown(heads, lines)}"


def by_set(frame):
    """Accuracy, NMI, seconds and share of right numbers of each set, over seeds."""
    table = frame.assign(clusters=pd.to_numeric(frame["clusters"], errors="coerce"))
    told = table[table["method"] == "kmeans"].groupby("data")["clusters"].max()
    classes = table["data"].map(told)
    table["right"] = (table["clusters"] == classes).where(classes.notna()).astype(float)
    key = ["method", "parameters", "commit", "kind", "data"]
    scores = ["accuracy", "nmi", "cpu_seconds", "right"]
    return table.groupby(key, sort=False)[scores].mean().reset_index()


def baseline():
    """Means over all sets and over those of each kind, of each commit."""
    table = by_set(read("graph")) if len(read("graph")) else pd.DataFrame()
    lines, kinds_of = [], []
    if len(table):
        kinds_of = list(dict.fromkeys(table["kind"]))
        groups = table.groupby(["method", "parameters", "commit"], sort=False)
        for (method, given, commit), own in groups:
            means = own.groupby("kind")[["accuracy", "nmi"]].mean().reindex(kinds_of)
            known = own["right"].dropna()
            lines.append(
                [
                    *(f"{method} {given}".strip(), commit, own["data"].nunique()),
                    *(shown(own["accuracy"].mean()), shown(own["nmi"].mean())),
                    count(own["cpu_seconds"].mean(), 2),
                    f"{known.sum():.3g} of {len(known)}" if len(known) else "",
                    *(f"{shown(a)}, {shown(n)}" for a, n in means.to_numpy()),
                ]
            )
    heads = ["method", "commit", "sets", "accuracy", "NMI", "processor s"]
    return markdown([*heads, "number right", *kinds_of], lines)


def rules():
    """What leaving out each rule changes, on the sets and seeds that both have."""
    frame, lines = read("rules"), []
    graph = read("graph")
    every = pd.concat([graph, frame]) if len(frame) and len(graph) else frame
    left_out = newest(frame[frame["parameters"] != ""], ["method", "parameters"])
    groups = left_out.groupby(["method", "parameters", "commit"], sort=False)
    for (method, rule, commit), own in groups if len(left_out) else ():
        whole = every[(every["method"] == method) & (every["parameters"] == "")]
        here = whole[whole["commit"] == commit]
        whole = here if len(here) else newest(whole, ["method"])
        pairs = own.merge(whole, on=["data", "kind", "seed"], suffixes=("", "_whole"))
        if pairs.empty:
            continue
        for score in ("accuracy", "nmi"):
            pairs[f"{score}_moved"] = pairs[score] - pairs[f"{score}_whole"]
        # Every set counts once, however many seeds it has.
        moved = ["accuracy_moved", "nmi_moved", "cpu_seconds"]
        sets = pairs.groupby(["kind", "data"])[moved].mean()
        of_kinds = sets["accuracy_moved"].groupby("kind").mean()
        most = of_kinds.abs().idxmax() if of_kinds.notna().any() else ""
        lines.append(
            [
                *(rule, method, len(sets)),
                *(f"{sets[name].mean():+.4f}" for name in moved[:2]),
                f"{most} ({of_kinds[most]:+.3f})" if most in of_kinds else "",
                *(count(sets["cpu_seconds"].mean(), 2), commit),
            ]
        )
    heads = ["left out", "method", "sets", "accuracy", "NMI", "kind that moves most"]
    return markdown([*heads, "processor s", "commit"], lines)


def detailed(name):
    """All that is known of a data set, or of the sets of a kind."""
    frame = read("quality")
    frame = frame[(frame["data"] == name) | (frame["kind"] == name)]
    lines = [
        [
            *(row.data, row.method, row.parameters, row.seeds),
            *(quality(row.accuracy, row.worst, row.nmi), shown(row.ari)),
            *(row.clusters, count(row.cpu_seconds), row.commit),
        ]
        for row in summary(frame).itertuples()
    ]
    heads = ["data", "method", "parameters", "seeds", "ACC (worst), NMI", "ARI"]
    return markdown([*heads, "clusters", "seconds", "commit"], lines)


TABLES = {
    "baseline": baseline,
    "rules": rules,
    "big": big,
    "published": published,
    "kinds": kinds,
    "thinned": thinned,
    "synthetic": synthetic,
    "number": number,
    "ordinary": ordinary,
    "options": options,
    "views": views,
    "precision": precision,
    "speed": speed,
    "small": small,
    "limit": limit,
    "peers": peers,
    "outliers": outliers,
    "labelling": labelling,
    "mixed": mixed,
    "confidence": sure,
    "selection-settings": selection_settings,
    "selection-number": selection_number,
    "selection-any": selection_any,
}


def renewed(text):
    """A page with its tables as the files have them."""
    return MARKED.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}\n{m[3]}", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true", help="renew the pages")
    parser.add_argument("--check", action="store_true", help="say if a page is old")
    options = parser.parse_args()
    if options.write or options.check:
        pages = {HERE / name: (HERE / name).read_text() for name in PAGES}
        old = {page: text for page, text in pages.items() if renewed(text) != text}
        for page, text in old.items():
            print(f"{page.name} {'was' if options.write else 'is'} older than results")
            if options.write:
                page.write_text(renewed(text))
        sys.exit(bool(old) and options.check)
    for name in options.names or TABLES:
        table = TABLES[name]() if name in TABLES else detailed(name)
        print(table if options.names else f"\n{name}\n\n{table}")


if __name__ == "__main__":
    main()
