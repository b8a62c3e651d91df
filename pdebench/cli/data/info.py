"""``pdebench data info``: what a reader must know of a data set before believing a number."""

import json
import sys
from typing import Any

from pdebench.cli.data.target import Target, parser, target
from pdebench.cli.data.text import size

_ABOUT = """Print the card of a data set or of a public file.

Equation, units, how the samples were made and by which reference solver, the error of that
reference, the digest, statistics of every field, the splits and why those off the distribution are
harder. A data set that is not made yet is described without digest, error and statistics.
"""


def main(argv: list[str]) -> int:
    """Print the card as text or JSON."""
    made = parser("info", _ABOUT)
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument(
        "--samples", type=int, default=64, help="samples of a split the statistics are of"
    )
    options = made.parse_intermixed_args(argv)
    chosen = target(options)
    found = described(chosen, options.samples)
    sys.stdout.write(
        json.dumps(found, indent=2, default=str) + "\n" if options.json else _text(found)
    )
    return 0


def described(chosen: Target, samples: int) -> dict[str, Any]:
    """Return the card with digest, statistics and variables where the data are there."""
    ready = chosen.imported or bool(list(chosen.folder.glob("*.h5")))
    digest = chosen.prepare() if ready and not chosen.imported else None
    card = chosen.dataset.card.to_json()
    found: dict[str, Any] = {**card, "digest": digest, "folder": str(chosen.folder)}
    if chosen.imported:
        found["folder"] = chosen.config["path"]
    if not ready:
        found["folder"] = f"not made; make it: pdebench data make {chosen.name}"
        return found
    found["variables"] = {}
    for split, contents in chosen.parts():
        if contents.layout == "native":
            part = slice(0, min(samples, contents.num_samples))
        else:
            start, stop = contents.splits[split]
            part = slice(start, min(start + samples, stop))
        for name, variable in contents.variables.items():
            entry = found["variables"].setdefault(
                name,
                {
                    "dims": list(variable.dims),
                    "dtype": str(variable.array.dtype),
                    "unit": variable.unit,
                    "summary": variable.summary,
                    "splits": {},
                },
            )
            entry["splits"][split] = _statistics(variable, part)
    return found


def _statistics(variable: Any, part: slice) -> dict[str, Any]:
    from pdebench.statistics.moments import moments

    return {"shape": list(variable.array.shape), **moments(variable.array, part)}


def _text(found: dict[str, Any]) -> str:
    errors = found.get("reference_error") or {}
    lines = [
        f"{found['name']} version {found['version']}: {found['summary']}",
        f"  equation   {found['equation']}",
        "  units      " + ", ".join(f"{k} [{u}]" for k, u in found["units"].items()),
        f"  made by    {found['how']}",
        f"  recipe of  {found['reference']}",
        "  reference  "
        + (", ".join(f"{k} {v:.2e}" for k, v in errors.items()) or "error not measured")
        + (" (relative L2 against a finer solution)" if errors else ""),
        f"  digest     {found['digest'] or 'not known'}",
        f"  where      {found['folder']}",
        "  splits",
    ]
    for split, num in found["splits"].items():
        why = found["shifts"].get(split)
        lines.append(f"    {split:<20} {num:>7}" + (f"  harder: {why}" if why else ""))
    for name, variable in found.get("variables", {}).items():
        lines.append(
            f"  {name} ({', '.join(variable['dims'])}) {variable['dtype']} "
            f"[{variable['unit']}] {variable['summary']}"
        )
        for split, row in variable["splits"].items():
            if "mean" in row:
                lines.append(
                    f"    {split:<20} {row['shape']}  mean {row['mean']:.4g}  deviation "
                    f"{row['deviation']:.4g}  from {row['min']:.4g} to {row['max']:.4g}"
                    f"  ({row['samples']} samples, {size(row['nbytes'])} in all)"
                    + (f"; {row['not_finite']} values NaN or infinite" * bool(row["not_finite"]))
                )
    return "\n".join(lines) + "\n"
