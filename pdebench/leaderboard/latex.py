"""A task and track as a LaTeX table for papers, made from its JSON lines like the Markdown; and the
BibTeX of the methods in it.

Needs the packages booktabs and, for what is wider than the page, graphicx; nothing else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pdebench.errors import ConfigError
from pdebench.leaderboard.lines import from_jsonl

Line = Mapping[str, Any]

_SPECIAL = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "·": r"\textperiodcentered{}",
    "–": "--",
}
_ENTRY = re.compile(r"^@(\w+)\{\s*([A-Za-z0-9:_.-]+)\s*,", re.MULTILINE)
_SOLVERS = re.compile(r"^\s*keywords\s*=\s*\{([^}]*)\}", re.MULTILINE)
_UNITS = ((1e-6, 1e9, "ns"), (1e-3, 1e6, r"\textmu{}s"), (1.0, 1e3, "ms"), (float("inf"), 1, "s"))


def text(value: Any) -> str:
    """Return free text that LaTeX prints as it is; what an 8-bit font may lack becomes ``?``."""
    return "".join(
        _SPECIAL.get(mark) or (mark if " " <= mark <= "~" else "?") for mark in str(value)
    )


def number(value: Any, digits: int = 3) -> str:
    r"""Return a number in mathematics, 1.23 \times 10^{-5} below a thousandth."""
    if not isinstance(value, int | float):
        return "--" if value is None else text(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return rf"${mantissa} \times 10^{{{int(exponent)}}}$"
    return f"${value:#.{digits}g}$".replace(".$", "$")


def latex_from_jsonl(lines: str, cited: Mapping[str, Sequence[str]] | None = None) -> str:
    r"""Return one table environment per table of the JSON lines.

    ``cited`` maps a row's solver to the keys of its papers, printed as ``\cite``. Raises StoreError
    where a line is none of ours.
    """
    head = (
        "% Made by `pdebench board --latex` from the JSON lines beside this file.\n"
        "% Needs \\usepackage{booktabs,graphicx,textcomp}\n"
    )
    return head + "\n".join(_table(t, rows, cited or {}) for t, rows in from_jsonl(lines))


def _table(table: Line, rows: Sequence[Line], cited: Mapping[str, Sequence[str]]) -> str:
    split, headline, key = table["splits"][0], table["headline"], table["key"]
    ranked = [row for row in rows if row["place"] is not None]
    shifted = [s for s in table["splits"][1:] if any(_mean(row, s, headline) for row in ranked)]
    own = f"{text(headline)} [95\\,\\%]"
    head = ["Rank", "Method", own, *map(text, shifted), "Fit", "Solve [95\\,\\%]"]
    body = [" & ".join(_cells(row, split, headline, shifted, cited)) + r" \\" for row in ranked]
    left = len(rows) - len(ranked)
    where = f"{text(key['task'])}, track {text(key['track'] or 'none')}, {text(key['hardware'])}"
    caption = (
        f"{where}: mean {text(headline)} over seeds and samples with 95\\,\\% intervals on "
        f"{text(split)}{', means on the shifted splits' if shifted else ''}; rank: places that "
        "paired tests, corrected for their number, allow; solve: online seconds per sample."
        + (f" {left} further rows have no rank." if left else "")
    )
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9]+', '-', table['slug'])}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{rl{'r' * (len(head) - 2)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _mean(row: Line, split: str, metric: str) -> Any:
    return row["scores"].get(split, {}).get(metric, {}).get("mean")


def _cells(
    row: Line,
    split: str,
    headline: str,
    shifted: Sequence[str],
    cited: Mapping[str, Sequence[str]],
) -> list[str]:
    low, high = row["rank"] or ("", "")
    score = row["scores"][split][headline]
    keys = cited.get(row["solver"], ())
    cite = rf"~\cite{{{','.join(keys)}}}" if keys else ""
    fit = row["costs"].get("fit", {}).get("seconds")
    solve = row["costs"].get("solve", {})
    return [
        str(low) if low == high else f"{low}--{high}",
        text(row["label"]) + cite,
        number(score.get("mean")) + _span(score.get("low"), score.get("high")),
        *(number(_mean(row, name, headline)) for name in shifted),
        _seconds(fit),
        _seconds(solve.get("seconds"), solve.get("low"), solve.get("high")),
    ]


def _span(low: Any, high: Any) -> str:
    return "" if low is None or high is None else f" [{number(low)}, {number(high)}]"


def _seconds(value: Any, low: Any = None, high: Any = None) -> str:
    if not isinstance(value, int | float):
        return "--"
    factor, unit = next((f, u) for limit, f, u in _UNITS if value < limit)
    ends = _span(*(None if e is None else e * factor for e in (low, high)))
    return f"{number(value * factor)}{ends} {unit}"


def citations(files: Mapping[str, Path], solvers: Iterable[tuple[str, str]]) -> "Citations":
    """Return the entries of the plugins' ``citation.bib`` that the solvers need.

    Args:
        files: distribution -> its file.
        solvers: (solver, distribution) of rows.

    An entry with ``keywords = {fno, tfno}`` is for these solvers, one without for every solver of
    its plugin. Raises ConfigError naming the file without an entry, or a key that two plugins use
    differently.
    """
    found: dict[str, str] = {}
    cited: dict[str, list[str]] = {}
    for solver, distribution in sorted(set(solvers)):
        if distribution not in files:
            continue
        for key, entry in _entries(files[distribution]):
            asked = _SOLVERS.search(entry)
            if asked and solver not in re.split(r"[,\s]+", asked[1].strip()):
                continue
            if found.setdefault(key, entry) != entry:
                raise ConfigError(f"'{files[distribution]}': another plugin's entry is {key}, too")
            cited.setdefault(solver, []).append(key)
    return cited, "\n".join(found[key] for key in sorted(found))


Citations = tuple[dict[str, list[str]], str]


def _entries(file: Path) -> list[tuple[str, str]]:
    content = file.read_text(encoding="utf-8")
    starts = [(match.start(), match[2]) for match in _ENTRY.finditer(content)]
    if not starts:
        raise ConfigError(f"'{file}' holds no BibTeX entry, expected '@article{{key, ...}}'")
    ends = [start for start, _ in starts[1:]] + [len(content)]
    return [(k, content[a:b].strip() + "\n") for (a, k), b in zip(starts, ends, strict=True)]


def plugin_citations() -> dict[str, Path]:
    """Return distribution -> ``<package>/citation.bib`` of every plugin that has one."""
    from pdebench.plugins import healthy

    found = {plugin.distribution: plugin.folder / "citation.bib" for plugin in healthy()}
    return {name: file for name, file in found.items() if file.is_file()}
