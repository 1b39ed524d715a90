"""What a run comes to, as Markdown that is read as it is: rates, agreement, ratios."""

from typing import NamedTuple

OURS = ("warpface", "before")


class Ratio(NamedTuple):
    """Our rate to theirs, each by its best setting."""

    what: str
    ours: float
    our_setting: str
    theirs: float
    their_setting: str

    @property
    def value(self):
        return self.ours / self.theirs


def is_peer(name):
    return not name.startswith(OURS)


def ratios(contests):
    """All that is compared, of what is there."""
    found = []

    def add(contest, batch, words, ours, names):
        mine, others = contest.best(batch, [ours]), contest.best(batch, names)
        if mine and others:
            found.append(Ratio(words, mine[0], mine[2], others[0], f"{others[1]}, {others[2]}"))

    for key, contest in contests.items():
        peers = [name for name in contest.members if is_peer(name)]
        for batch in contest.batches:
            title = {"embed": f"embedding, f32, batch {batch}", "bf16": f"embedding, bf16, batch {batch}"}.get(key)
            title = title or {"detect": "detection", "train": f"a step of training, batch {batch}"}[key]
            if key in ("embed", "bf16", "train"):
                add(contest, batch, f"{title}: to the fastest peer", "warpface", peers)
            for name in peers:
                if key != "train" or len(peers) > 1:
                    add(contest, batch, f"{title}: to {name}", "warpface", [name])
            add(contest, batch, f"{title}: to the build before", "warpface", ["before"])
            add(contest, batch, f"{title}, both held to AVX2: to the build before", "warpface avx2", ["before avx2"])
    return found


def grid(head, rows):
    """A table whose columns stand below each other."""
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
    yield line(head)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    yield from (line(row) for row in rows[1:])


def agreement(key, contest, name, setting):
    """How what a member computes stands to ours."""
    found = contest.agreement.get(name) or {}
    if key in ("embed", "bf16"):
        return f"{found['least_cosine'][setting]:.7f}"
    if key == "detect":
        words = f"same count {found['same_count']} of {found['photographs']}; "
        words += f"{found['within_1px']} of {found['our_boxes']} boxes within 1 px"
        return words + ("" if found["median_iou"] is None else f", median IoU {found['median_iou']:.4f}")
    return ""


def table(key, contest):
    """A contest's medians; each member's best setting at each batch is bold."""
    unit = "faces/s" if contest.task == "embed" else "photographs/s"
    head = [unit, "setting", *(f"batch {batch}" if key != "detect" else "rate" for batch in contest.batches)]
    last = {"embed": "least cosine to ours", "bf16": "least cosine to our f32", "detect": "agreement with ours"}.get(key)
    rows = []
    for name, member in contest.members.items():
        best = {batch: contest.best(batch, [name])[2] for batch in contest.batches}
        for setting in member.settings:
            rates = {batch: f"{contest.median(batch, name, setting):.2f}" for batch in contest.batches}
            cells = [f"**{rates[batch]}**" if best[batch] == setting else rates[batch] for batch in contest.batches]
            rows.append([name, setting, *cells, *([agreement(key, contest, name, setting)] if last else [])])
    yield from grid([*head, *([last] if last else [])], rows)


TITLES = {
    "embed": "Embedding in f32; the same crops, the same weights:",
    "bf16": "Embedding in bf16; the same crops, the same weights. OpenVINO runs at its own default:",
    "detect": "Detection; the photographs are decoded first:",
    "train": "A step of training, Inception-ResNet-v1 with a classifier, Adagrad, weight decay, f32; made-up photographs:",
}


def lines(summary, contests, ratios):
    """The whole page, but for its title."""
    yield f"- device: {summary['cpu']}; warpface's kernels: {summary['kernels']}; {summary['threads']} threads"
    yield (
        f"- how: by turns of {summary['seconds']:g} s, {summary['rounds']} rounds, medians; bold is each one's best setting,"
        f" which the ratios compare; {summary['photographs']} photographs"
    )
    yield "- versions: " + ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    for name, reason in summary["missing"].items():
        yield f"- left out: {name}: {reason}"
    for key, contest in contests.items():
        yield ""
        yield TITLES[key]
        yield ""
        yield from table(key, contest)
    yield ""
    yield "Ratios, ours to theirs:"
    yield ""
    rows = [[r.what, f"{r.value:.2f}", f"{r.ours:.2f} ({r.our_setting})", f"{r.theirs:.2f} ({r.their_setting})"]
            for r in ratios]
    yield from grid(["", "ratio", "ours", "theirs"], rows)
