"""Markdown of one task and track, made from its JSON lines alone: the two cannot disagree."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pdebench.leaderboard.lines import from_jsonl
from pdebench.leaderboard.numbers import count, interval, memory, number, seconds, timed

_SPECIAL = re.compile(r"([\\`*\[\]{}#!~|]|(?<!\w)_|_(?!\w))")
# Control characters, line and paragraph separators, direction overrides, lone surrogates.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

Line = Mapping[str, Any]
Column = tuple[str, Callable[[Line], str]]


def text(value: Any) -> str:
    """Return free text that Markdown and the HTML within it show as it is, on one line."""
    flat = _BREAKS.sub(" ", str(value))
    html = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html).replace("://", ":&#8203;//").replace("@", "@&#8203;")


def code(value: Any) -> str:
    """Return a name as a code span that can stand in a table's cell."""
    flat = _BREAKS.sub(" ", str(value)).replace("`", "'").strip() or "?"
    return f"`{flat}`".replace("|", "\\|")


def markdown_from_jsonl(lines: str) -> str:
    """Return the Markdown that belongs to the JSON lines of one task and track.

    Raises StoreError where a line is none of ours.
    """
    tables = from_jsonl(lines)
    first = tables[0][0]["key"]
    title = " · ".join(part for part in (first["task"], first["track"]) if part)
    parts = [f"# {text(title)}", *(_section(table, rows) for table, rows in tables), _FOOTER]
    return "\n\n".join(parts) + "\n"


_FOOTER = (
    "Made by `pdebench board` from the JSON lines beside this file. Errors are means over seeds "
    "and samples with 95 % intervals; *rank* is the range of places that paired tests, corrected "
    "for their number, allow; *against the first* gives the ratio of the means, the test's p and "
    "Cliff's delta; *solve* is online time per sample. How every column is computed: "
    "`docs/boards.md`."
)


def _section(table: Line, rows: Sequence[Line]) -> str:
    key = table["key"]
    card = table["card"]
    fixed = " · ".join(
        [
            f"**{text(key['device'])}** {text(key['hardware'])}",
            f"precision {text(key['precision'])}",
            f"data {code(key['dataset'][:12])}",
            f"task version {text(key['version'])}",
        ]
    )
    metric = table["metrics"][table["headline"]]
    asked = (
        f"Headline: {code(metric['name'])} on split {code(table['splits'][0])}, "
        f"{text(metric['better'])} is better."
    )
    blocks = [f"## {text(key['device'])} {text(key['hardware'])}", fixed]
    if card.get("summary"):
        blocks.append(text(card["summary"]))
    blocks += [asked, _grid(_columns(table, rows), rows)]
    blocks += ["\n".join(f"- {text(note)}" for note in table["notes"])] if table["notes"] else []
    return "\n\n".join([*blocks, _commands(rows)])


def _columns(table: Line, rows: Sequence[Line]) -> list[Column]:
    headline, (split, *shifted) = table["headline"], table["splits"]
    columns: list[Column] = [
        ("Rank", _rank),
        ("Solver", lambda row: code(row["label"])),
        ("Family", lambda row: text(row["family"])),
        (f"{text(headline)} [95 %]", lambda row: _score(row, split, headline, full=True)),
    ]
    further = [name for name in table["metrics"] if name != headline]
    columns += [(text(name), lambda row, m=name: _score(row, split, m)) for name in further]
    columns += [
        (f"on {text(name)}", lambda row, s=name: _score(row, s, headline)) for name in shifted
    ]
    if any(row.get("behind") for row in rows):
        columns.append(("Against the first", _behind))
    columns += [
        *(
            [("Pretrain", lambda row: seconds(row["costs"].get("pretrain", {}).get("seconds")))]
            if any(row.get("pretrained") for row in rows)
            else []
        ),
        ("Fit", lambda row: seconds(row["costs"].get("fit", {}).get("seconds"))),
        ("Prepare", lambda row: seconds(row["costs"].get("prepare", {}).get("seconds"))),
        ("Solve / sample", _solve),
    ]
    if any(row["versus"] for row in rows):
        columns += [("At equal error", _versus), ("Break-even", _break_even)]
    columns += [
        ("Parameters", lambda row: count(row["parameters"])),
        (
            "Memory",
            lambda row: memory(
                max((c.get("peak_bytes") or 0 for c in row["costs"].values()), default=0) or None
            ),
        ),
        ("Uses", _uses),
        ("Precision", lambda row: text((row.get("protocol") or {}).get("precision") or "—")),
        ("Protocol", _protocol),
        ("Seeds × samples", lambda row: f"{row['seeds_ok']} × {row['samples']}"),
        ("Status", _status),
    ]
    return columns


def _grid(columns: Sequence[Column], rows: Sequence[Line]) -> str:
    head = "| " + " | ".join(name for name, _ in columns) + " |"
    rule = "|" + "|".join(
        " --- " if name in ("Solver", "Family", "Uses", "Protocol", "Status") else " ---: "
        for name, _ in columns
    )
    body = ["| " + " | ".join(cell(row) for _, cell in columns) + " |" for row in rows]
    return "\n".join([head, f"{rule}|", *body])


def _rank(row: Line) -> str:
    if not row["rank"]:
        return "—"
    low, high = row["rank"]
    return str(low) if low == high else f"{low}–{high}"


def _score(row: Line, split: str, metric: str, full: bool = False) -> str:
    score = row["scores"].get(split, {}).get(metric)
    if not score:
        return "—"
    if "not_applicable" in score:
        return "diverged" if score["not_applicable"].startswith("diverged") else "n/a"
    if full:
        return interval(score.get("mean"), score.get("low"), score.get("high"))
    return number(score.get("mean"))


def _solve(row: Line) -> str:
    cost = row["costs"].get("solve", {})
    noisy = " noisy" if cost.get("noisy") else ""
    return timed(cost.get("seconds"), cost.get("low"), cost.get("high")) + noisy


def _behind(row: Line) -> str:
    """Ratio of the means, adjusted p and Cliff's delta."""
    behind = row.get("behind")
    if not behind:
        return "—"
    p = behind["p_value"]
    ratio = f"×{number(behind['ratio'])}, " if behind.get("ratio") is not None else ""
    said = "p < 0.001" if p < 1e-3 else f"p = {number(p)}"
    return f"{ratio}{said}, δ = {number(behind['delta'])}"


def _protocol(row: Line) -> str:
    """Trials, and the guards that the row violates; their reasons are among the notes."""
    protocol = row.get("protocol") or {}
    if not protocol.get("examined"):
        return "not examined"
    guards = sorted({text(v["guard"]) for v in protocol["violations"]})
    trials = protocol.get("trials")
    known = f"{trials} trial{'s' if trials != 1 else ''}" if trials else "trials not declared"
    return f"**violates {', '.join(guards)}**; {known}" if guards else f"ok, {known}"


def _uses(row: Line) -> str:
    """What the harness granted, and what the weights saw before: † where that was related data."""
    uses = [text(use) for use in row["uses"]]
    before = row.get("pretrained")
    if before:
        uses.append(f"pretrained{' †' if before['related'] else ''}")
    return ", ".join(uses) or "—"


def _versus(row: Line) -> str:
    versus = row["versus"]
    if not versus:
        return "—"
    if "speedup" not in versus:
        return text(versus["verdict"])
    none = "none, " if max(versus["speedup"], versus.get("high") or 0.0) < 1 else ""
    return f"{none}×{interval(versus['speedup'], versus.get('low'), versus.get('high'))}"


def _break_even(row: Line) -> str:
    versus = row["versus"] or {}
    if versus.get("break_even") is None:
        return "—"
    said = f"{count(versus['break_even'])} solves"
    if versus.get("break_even_low") is None:
        return said
    high = versus.get("break_even_high")
    end = "never)" if high is None else f"{count(high)}]"
    return f"{said} [{count(versus['break_even_low'])}, {end}"


def _status(row: Line) -> str:
    if row["status"] == "ok":
        return "ok"
    return f"**{text(row['status'].replace('_', ' '))}**: {text(row['reason'] or '')}"


def _commands(rows: Sequence[Line]) -> str:
    """Return one command per row, folded; the fence is longer than any run of backticks inside."""
    commands = [_BREAKS.sub(" ", row["runs"][0]["command"]) for row in rows if row["runs"]]
    longest = max(
        (len(run) for command in commands for run in re.findall("`+", command)), default=0
    )
    fence = "`" * max(3, longest + 1)
    body = "\n".join([f"{fence}sh", *commands, fence])
    return f"<details><summary>Commands (first seed of each row)</summary>\n\n{body}\n\n</details>"
