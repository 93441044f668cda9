"""Other people's programs that send to us: built once from their registries, kept in a cache.

The cache lies outside the repository, under the name of what was built and a digest of how, so
that a changed manifest is built anew. Without the toolchain a test is skipped with a word, in CI
it fails.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD_SECONDS = 1500
COLLECTOR = "v0.159.0"
OMNIWITNESS = "github.com/transparency-dev/witness/cmd/omniwitness"
LITEWITNESS = "filippo.io/torchwood/cmd/litewitness@v0.6.1"
BUILDER = f"go.opentelemetry.io/collector/cmd/builder@{COLLECTOR}"


def cache_folder() -> Path:
    """Where built programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "audit-receiver" / "peers"


def need(*tools: str) -> None:
    """Skip where a toolchain is missing; fail in CI, which has them all."""
    for tool in tools:
        if shutil.which(tool) is None:
            said = f"{tool} is not installed; these tests build the real senders with it"
            if os.environ.get("CI"):
                pytest.fail(said)
            pytest.skip(said)


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> None:
    """A build step; its output is shown if it fails."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed:\n{done.stdout[-4000:]}")


def built(name: str, recipe: bytes, build: Callable[[Path], None]) -> Path:
    """The folder of a program, which `build` fills if it is not there yet."""
    digest = hashlib.sha256(recipe + sys.version.encode()).hexdigest()[:16]
    place = cache_folder() / f"{name}-{digest}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one builds, the other workers wait for it
        if not place.exists():
            begun = place.with_suffix(".begun")
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            build(begun)
            begun.rename(place)
    return place


@lru_cache
def collector() -> Path:
    """The real Collector, built with the official builder from tests/peers/collector."""
    manifest = HERE / "collector" / "manifest.yaml"

    def build(folder: Path) -> None:
        placed = folder / "manifest.yaml"
        placed.write_text(
            manifest.read_text().replace("dist:\n", f"dist:\n  output_path: {folder}\n")
        )
        run("go", "run", BUILDER, "--config", placed, cwd=folder)

    need("go")
    return built("otelcol", BUILDER.encode() + manifest.read_bytes(), build) / "otelcol"


@lru_cache
def go() -> Path:
    """The Go SDK's sender of tests/peers/go."""
    need("go")
    source = HERE / "go"
    recipe = b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))

    def build(folder: Path) -> None:
        run("go", "build", "-o", folder / "send", ".", cwd=source)

    return built("go", recipe, build) / "send"


@lru_cache
def notes() -> Path:
    """A checker of notes and proofs on golang.org/x/mod/sumdb (tests/peers/notes)."""
    need("go")
    source = HERE / "notes"
    recipe = b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))

    def build(folder: Path) -> None:
        run("go", "build", "-o", folder / "notes", ".", cwd=source)

    return built("notes", recipe, build) / "notes"


@lru_cache
def witnesses() -> Path:
    """A folder with a log's `client` (tests/peers/witness) and other people's `omniwitness`."""
    need("go")
    source = HERE / "witness"
    recipe = b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))

    def build(folder: Path) -> None:
        run("go", "build", "-o", folder / "client", ".", cwd=source)
        run("go", "build", "-o", folder / "omniwitness", OMNIWITNESS, cwd=source)

    return built("witness", recipe, build)


@lru_cache
def litewitness() -> Path:
    """The witness of torchwood; its version is the newest that this toolchain builds."""
    need("go", "ssh-agent", "ssh-add", "ssh-keygen")

    def build(folder: Path) -> None:
        run("go", "install", LITEWITNESS, GOBIN=str(folder))

    return built("litewitness", LITEWITNESS.encode(), build) / "litewitness"


@lru_cache
def java() -> tuple[str, ...]:
    """The Java SDK's sender of tests/peers/java, as a command."""
    need("java", "javac", "mvn")
    source = HERE / "java"
    recipe = (source / "pom.xml").read_bytes() + (source / "Send.java").read_bytes()

    def build(folder: Path) -> None:
        goal = "dependency:copy-dependencies"
        run("mvn", "-q", "-B", "-f", source / "pom.xml", goal, f"-DoutputDirectory={folder}")
        run("javac", "-cp", f"{folder}/*", "-d", folder, source / "Send.java")

    folder = built("java", recipe, build)
    return ("java", "-cp", f"{folder}/*:{folder}", "Send")


@lru_cache
def node() -> Path:
    """The Node SDK with its exporters; the script that sends with them."""
    need("node", "npm")
    source = HERE / "node"
    recipe = (source / "send.js").read_bytes() + (source / "package-lock.json").read_bytes()

    def build(folder: Path) -> None:
        for file in ("package.json", "package-lock.json", "send.js"):
            shutil.copy(source / file, folder)
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)

    return built("node", recipe, build)


def environment_of(name: str) -> Path:
    """A virtual environment of its own with the requirements of tests/peers/<name>."""
    requirements = HERE / name / "requirements.txt"

    def build(folder: Path) -> None:
        run(sys.executable, "-m", "venv", folder)
        pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "install", "-r", requirements)

    return built(name, requirements.read_bytes(), build)
