"""The walls between the parts, read from the source: who imports whom, who prints, who starts threads."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from numpydoc.validate import validate

import napari_mitostain

SOURCE = Path(napari_mitostain.__file__).parent
NAME = "napari_mitostain"
FILES = {str(path.relative_to(SOURCE)): ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}

# What each part may import of the package, beside itself. The lowest first; nothing imports cli or _qt.
_BASE = {"errors", "config", "events"}
_ARRAYS = {"image", "tiling", "weighting", "scoring"}  # blind to each other, and to simulation
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "config": {"errors"},
    "events": set(),
    **dict.fromkeys(_ARRAYS, _BASE),
    "simulation": _BASE,
    "model": _BASE | _ARRAYS,
    "prefetching": set(),
    "staining": _BASE | _ARRAYS | {"model", "prefetching"},
    "training": _BASE | _ARRAYS | {"model", "prefetching"},
    "evaluation": _BASE | _ARRAYS | {"model"},
    "weighing": _BASE | _ARRAYS,
    "simulating": _BASE | _ARRAYS | {"simulation"},
    "benchmarking": _BASE | _ARRAYS | {"model", "prefetching", "staining", "training"},
}
_CORE = set(ALLOWED)
ALLOWED |= {"cli": _CORE | {"_qt"}, "_qt": _CORE}  # of _qt, the command line opens the demo
ENTRANCES = {"__init__.py", "__main__.py"}

# Libraries that only some parts may use.
LIBRARIES = {
    **{name: {"_qt"} for name in ("qtpy", "napari", "superqt", "magicgui", "pyqtgraph", "PyQt5", "PyQt6", "PySide6")},
    "torch": {"model", "staining", "training", "evaluation", "benchmarking", "_qt"},
    "safetensors": {"model"},
    "openvino": {"model"},
    "distributed": {"staining"},
    "tqdm": {"cli"},
    "argparse": {"cli"},
}


def part_of(file: str) -> str:
    return Path(file).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of all modules that a file imports, at the top or within functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", sorted(set(FILES) - ENTRANCES))
def test_imports_go_one_way(file: str) -> None:
    part = part_of(file)
    assert part in ALLOWED, f"where {part} stands in the import rule is not decided"
    for name in imported(FILES[file]):
        if name.startswith(f"{NAME}."):
            other = name.split(".")[1]
            assert other in ALLOWED[part] | {part}, f"{file} imports {name}"
        else:
            assert part in LIBRARIES.get(name.split(".")[0], {part}), f"{file} imports {name}"


def calls(tree: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


@pytest.mark.parametrize("file", sorted(FILES))
def test_only_the_command_line_prints(file: str) -> None:
    assert part_of(file) == "cli" or "print" not in calls(FILES[file])


THREADS = ("concurrent.futures", "multiprocessing", "_thread", "asyncio", "queue")
THREAD_MAKERS = {"Thread", "Timer", "ThreadPoolExecutor", "ProcessPoolExecutor", "QThread", "QThreadPool", "QRunnable"}


@pytest.mark.parametrize("file", sorted(FILES))
def test_only_the_jobs_of_the_viewer_prefetching_and_the_crew_start_threads_or_processes(file: str) -> None:
    if file in ("_qt/jobs.py", "prefetching.py", "staining/crew.py"):
        return
    names = set(imported(FILES[file]))
    if file == "image/files/zarr_here.py":  # runs what zarr would in threads of its own
        names -= {"asyncio", "asyncio.Future"}
    assert not [name for name in names if name.startswith(THREADS)]
    assert not {name.rsplit(".", 1)[-1] for name in names} & THREAD_MAKERS
    assert not {node.attr for node in ast.walk(FILES[file]) if isinstance(node, ast.Attribute)} & THREAD_MAKERS


@pytest.mark.parametrize("file", sorted(FILES))
def test_nothing_is_unpickled(file: str) -> None:
    names = set(imported(FILES[file]))
    assert not [name for name in names if name.split(".")[0] in {"pickle", "cPickle", "dill", "joblib", "shelve"}]
    loads = [
        node
        for node in ast.walk(FILES[file])
        if isinstance(node, ast.Attribute)
        and node.attr == "load"
        and isinstance(node.value, ast.Name)
        and node.value.id in {"torch", "np", "numpy"}
    ]
    assert not loads


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = ("torch", "qtpy", "napari", "superqt", "magicgui", "pyqtgraph", "PyQt6", "scipy", "skimage", "numpy")


@pytest.mark.parametrize("statement", [f"import {NAME}", f"import {NAME}; dir({NAME}); {NAME}.__all__"])
def test_importing_the_package_loads_nothing_heavy(statement: str) -> None:
    loaded = json.loads(run(f"{statement}; import sys, json; print(json.dumps([n for n in sys.modules]))"))
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]


def test_weights_of_an_array_load_neither_torch_nor_qt() -> None:
    loaded = json.loads(run(f"from {NAME} import tn_weights; import sys, json; print(json.dumps([*sys.modules]))"))
    assert not [name for name in loaded if name.split(".")[0] in ("torch", "qtpy", "napari")]
    assert "numpy" in loaded


def test_command_line_loads_torch_only_in_the_commands_that_compute() -> None:
    code = f"""
import sys, json, contextlib, io
from {NAME}.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["--help"])
print(json.dumps([*sys.modules]))
"""
    loaded = json.loads(run(code))
    assert not [name for name in loaded if name.split(".")[0] in ("torch", "qtpy", "napari")]


@pytest.mark.parametrize("name", napari_mitostain.__all__)
def test_every_exported_name_is_there_and_documented(name: str) -> None:
    value = getattr(napari_mitostain, name)
    assert callable(value)
    assert value.__doc__
    assert name in dir(napari_mitostain)


def test_exported_names_are_those_that_scripts_rely_on() -> None:
    names = {"stain", "tn_weights", "TNLoss", "load_model", "train", "evaluate", "simulate_cell"}
    assert napari_mitostain.__all__ == sorted(names)
    assert dir(napari_mitostain) == napari_mitostain.__all__


@pytest.mark.parametrize("name", napari_mitostain.__all__)
def test_docstring_of_every_exported_name_describes_what_goes_in_and_out(name: str) -> None:
    value = getattr(napari_mitostain, name)
    checked = validate(f"{value.__module__}.{value.__qualname__}")
    # A long summary, a description of what the type already says, a list of relatives, an example: where they help.
    assert {code for code, _ in checked["errors"]} <= {"ES01", "RT03", "SA01", "EX01"}


def test_every_dependency_is_imported() -> None:
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[>=<!~\[ ]", line)[0] for line in project["dependencies"]}
    used = {name.split(".")[0] for tree in FILES.values() for name in imported(tree)}
    providers = packages_distributions()
    provided = {name.lower() for module in used for name in providers.get(module, ())}
    assert required - provided == {"npe2"}  # napari reads the manifest


def test_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"napari_mitostain.*no attribute 'colour'"):
        napari_mitostain.colour  # noqa: B018
