"""Imports point only downwards, and the light modules stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pdebench"
# Layer of each module or package directly below pdebench (design: L0 kernel ... L5 surfaces).
LAYERS = {
    "errors": 0, "domain": 0, "equation": 0, "problem": 0,
    "running": 1, "samples": 1, "solver": 1, "metric": 1, "dataset": 1, "task": 1, "access": 1,
    "atomic": 2, "baselines": 2, "cost": 2, "equations": 2, "files": 2, "formats": 2,
    "file_statistics": 2, "heap": 2, "stored": 2,
    "chebyshev": 2,
    "estimate": 2, "generated": 2, "generation": 2, "learning": 2, "workers": 2,
    "metrics": 2, "mixture": 2, "origin": 2, "paths": 2, "progress": 2, "reading": 2, "session": 2,
    "wrap": 2,
    "spectral": 2, "statistics": 2,
    "config": 3, "grid": 3, "hookspecs": 3, "plugins": 3,
    "harness": 4, "notebook": 4,
    "cli": 5, "leaderboard": 5, "testing": 5, "__main__": 5,
}  # fmt: skip
KERNEL_MAY_IMPORT = {"torch", "numpy", "pdebench"} | set(sys.stdlib_module_names)


def _modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def _layer(path: Path) -> int:
    return LAYERS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]


def _runtime_imports(tree: ast.AST) -> list[str]:
    """Imported module names, those under TYPE_CHECKING left out: annotations bind nothing at run
    time.
    """
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            return
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.extend(
                [node.module]
                if node.module != "pdebench"
                else [f"pdebench.{a.name}" for a in node.names]
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_only_downwards(path: Path) -> None:
    mine = _layer(path)
    for name in _runtime_imports(ast.parse(path.read_text())):
        top, _, rest = name.partition(".")
        if top == "pdebench" and rest and rest != "__version__":
            assert LAYERS[rest.split(".")[0]] <= mine, f"{path.name} (L{mine}) imports {name}"
        elif mine <= 1:
            assert top in KERNEL_MAY_IMPORT, f"{path.name} (L{mine}) imports {name}"


def test_only_learning_imports_lightning() -> None:
    for path in _modules():
        uses = any(
            name.split(".")[0] == "lightning"
            for name in _runtime_imports(ast.parse(path.read_text()))
        )
        assert not uses or path.is_relative_to(PACKAGE / "learning"), path


def _plugin_modules() -> list[Path]:
    folders = (ROOT / kind for kind in ("plugins", "datasets"))
    return sorted(p for f in folders for p in f.glob("*/pdebench_*/**/*.py"))


@pytest.mark.parametrize("path", _plugin_modules(), ids=lambda p: p.parent.name + "/" + p.name)
def test_plugins_import_neither_each_other_nor_the_upper_layers(path: Path) -> None:
    own = next(part for part in path.parts if part.startswith("pdebench_"))
    for name in _runtime_imports(ast.parse(path.read_text())):
        top, _, rest = name.partition(".")
        assert not (top.startswith("pdebench_") and top != own), f"{path} imports {name}"
        if top == "pdebench" and rest:
            module = rest.split(".")[0]
            allowed = LAYERS.get(module, 0) <= 2 or module == "hookspecs"
            assert allowed, f"{path} imports {name} (L{LAYERS[module]})"


@pytest.mark.parametrize(
    "module",
    ["pdebench", "pdebench.cli", "pdebench.plugins", "pdebench.harness.run", "pdebench.cli.run"],
)
def test_light_modules_import_neither_torch_nor_lightning(module: str) -> None:
    heavy = ("torch", "lightning", "h5py", "numpy")
    probe = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
