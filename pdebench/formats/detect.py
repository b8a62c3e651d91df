"""Which layout a path has, by its content."""

from functools import cache
from importlib import import_module

from pdebench.errors import ConfigError, DataError
from pdebench.formats.contents import Contents
from pdebench.formats.place import Place
from pdebench.formats.reader import Reader

# The most specific first; one class a module.
_READERS = (
    "native.Native",
    "the_well.TheWell",
    "pdearena.PDEArena",
    "pdebench_single.PDEBenchSingle",
    "pdebench_grouped.PDEBenchGrouped",
    "pdebench_incompressible.PDEBenchIncompressible",
    "fno_mat.FNOMat",
    "poseidon.Poseidon",
    "geo_fno.GeoFNO",
    "cfdbench.CFDBench",
    "blastnet.BLASTNet",
)
_SHOWN = 6  # names of an unknown file that are told


@cache
def readers() -> tuple[Reader, ...]:
    """One reader of every layout that is known."""
    made = []
    for name in _READERS:
        module, _, kind = name.partition(".")
        made.append(getattr(import_module(f"pdebench.formats.{module}"), kind)())
    return tuple(made)


def detect(place: Place, layout: str | None = None) -> Reader:
    """Return the reader of a path. Raises DataError saying what is inside where none fits,
    ConfigError for a layout that is not known.
    """
    if layout is not None:
        chosen = [reader for reader in readers() if reader.name == layout]
        if not chosen:
            known = ", ".join(reader.name for reader in readers())
            raise ConfigError(f"layout={layout} is unknown, expected one of {known}")
        if not chosen[0].matches(place):
            raise DataError(
                f"'{place.path}' has {_inside(place)}, expected {chosen[0].expects} "
                f"(layout {layout}); leave layout out and it is detected"
            )
        return chosen[0]
    for reader in readers():
        if reader.matches(place):
            return reader
    known = "; ".join(f"{reader.title}: {reader.expects}" for reader in readers())
    raise DataError(
        f"'{place.path}' has {_inside(place)}, which is no layout that is known; expected {known}"
    )


def contents(path: str, split: str | None = None, layout: str | None = None) -> Contents:
    """Describe what ``path`` holds; reads names, shapes and coordinates, no fields."""
    place = Place(str(path))
    return detect(place, layout).open(place, split)


def _inside(place: Place) -> str:
    if place.kind == "folder":
        names = [file.name for file in place.files]
        return f"{len(names)} files ({_few(names)})" if names else "no files"
    if place.kind in ("hdf5", "mat"):
        names = [f"{n} {s}" for n, s in place.shapes.items()] + [f"{g}/" for g in place.groups]
        return f"the members {_few(names)}" if names else "no members"
    return {
        "npy": "one NumPy array without names",
        "netcdf3": "the classic NetCDF format",
    }.get(place.kind, "neither HDF5, NetCDF 4, MATLAB nor NumPy content")


def _few(names: list[str]) -> str:
    short = [name if len(name) <= 60 else name[:57] + "..." for name in names[:_SHOWN]]
    more = len(names) - len(short)
    return ", ".join(short) + (f" and {more} more" if more > 0 else "")
