"""The house keeps its own rules: floors, sizes, vectors, generated code, the package."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import audit_receiver
from tests.kit.server import environment

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [
    path
    for folder in ("audit_receiver", "tests", "bench", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.parent != ROOT / "audit_receiver" / "v1"
]
MOST_LINES = 400
# One file on purpose: an auditor gets and reads it alone (docs/decisions/0044).
LONGER = {ROOT / "audit_receiver" / "standalone" / "verify.py": 599}
# Rooms of golden vectors, and at least how many files each has to hold.
VECTORS = {"canonical": 1, "header": 1, "tree": 1, "chain": 1, "note": 1, "proof": 1}
VECTORS |= {"cosignature": 4}
PACKAGE_DATA = (
    "audit_receiver/py.typed",
    "audit_receiver/ledger/schema.sql",
    "audit_receiver/ledger/checkpoints.sql",
    "audit_receiver/ledger/check.sql",
    "audit_receiver/config/default.yaml",
)


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rooms_import_downstairs_only() -> None:
    text = _run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert "0 broken" in text
    kept = re.search(r"(\d+) kept", text)
    assert kept is not None
    assert int(kept.group(1)) >= 7


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGER.get(path, MOST_LINES)


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    for path in sorted((ROOT / "audit_receiver").glob("*/__init__.py")):
        if path.parent.name not in ("v1", "client"):  # generated; the face of a library
            assert re.fullmatch(r'("""[^"]+"""\n)?', path.read_text()), path


@pytest.mark.parametrize("room", VECTORS)
def test_no_folder_of_vectors_is_empty(room: str) -> None:
    found = [path for path in (ROOT / "tests" / "vectors" / room).rglob("*") if path.is_file()]
    assert len(found) >= VECTORS[room]


def test_generated_code_is_what_the_definitions_give(tmp_path: Path) -> None:
    _run(
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        "proto",
        f"--python_out={tmp_path}",
        f"--pyi_out={tmp_path}",
        "proto/audit_receiver/v1/receipt.proto",
        "proto/audit_receiver/v1/audit.proto",
    )
    made = sorted(tmp_path.rglob("*_pb2.*"))
    assert len(made) == 4
    for path in made:
        assert path.read_text() == (ROOT / path.relative_to(tmp_path)).read_text(), "make proto"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what belongs into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audit_receiver", source / "audit_receiver", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in PACKAGE_DATA:
        assert name in names
    modules = list((ROOT / "audit_receiver").rglob("*.py"))
    assert len([name for name in names if name.endswith(".py")]) == len(modules)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"audit_receiver", f"audit_receiver-{audit_receiver.__version__}.dist-info"}
    [entry] = [name for name in names if name.endswith("entry_points.txt")]
    text = zipfile.ZipFile(wheel).read(entry).decode()
    assert "audit-receiver = audit_receiver.cli.main:main" in text


def test_the_wheel_imports_and_runs_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import audit_receiver; print(audit_receiver.__file__)"
    assert _run(sys.executable, "-c", code, cwd=tmp_path).startswith(str(tmp_path))
    text = _run(sys.executable, "-m", "audit_receiver", "--version", cwd=tmp_path)
    assert audit_receiver.__version__ in text
    check = _run(sys.executable, "-m", "audit_receiver", "serve", "--check", cwd=tmp_path)
    assert "Traceback" not in check


def test_the_version_is_one() -> None:
    assert importlib.metadata.version("audit-receiver") == audit_receiver.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", audit_receiver.__version__)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## .*{re.escape(audit_receiver.__version__)}", changelog, re.MULTILINE)


def test_requirements_are_pinned_with_hashes_and_name_no_registry() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text()
        pins = re.findall(r"^(\S+?)==\S+", text, re.MULTILINE)
        assert pins, path
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
        assert "--index-url" not in text


def test_make_knows_the_targets_that_the_documents_name() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "test-long", "test-peers", "fuzz", "check", "demo", "bench"} <= targets
