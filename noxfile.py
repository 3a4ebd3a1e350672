"""
The suite in environments of its own: over the interpreters, over the oldest versions of what the
package needs, and over what a release consists of.

``nox -l`` lists the sessions and the interpreters that were found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
(_ALL,) = re.findall(r"txtokensock\[(.*)\]", " ".join(PROJECT["optional-dependencies"]["test"]))
NEEDED = _ALL.split(",")
"""The extras that belong to the package itself, not to those who work on it."""
IN_MEMORY = ("-m", "pytest", "-q", "-n", "auto", "--dist", "loadscope", "--ignore=tests/interop")
PAGES = [f"tests.interop.test_pages.PageTests.test_{page}" for page in ("readme", "tutorial")]
"""What a newcomer reads first, each command of it run as printed."""

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = False


def works(version: str) -> bool:
    """Whether an interpreter can be started: one of pyenv may be there by name alone."""
    name = shutil.which(f"python{version}")
    return (
        name is not None
        and not subprocess.run([name, "--version"], capture_output=True).returncode
    )


def lowest_versions() -> list[str]:
    """A constraint for each requirement: the oldest version that it allows."""
    extras = (PROJECT["optional-dependencies"][name] for name in NEEDED)
    requirements = [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]
    return sorted({re.sub(r"\[.*\]|>", "", each).replace("=", "==") for each in requirements})


DECLARED = nox.project.python_versions({"project": PROJECT})
FOUND = [version for version in DECLARED if works(version)]
print(f"Interpreters found: {', '.join(FOUND)}, of {', '.join(DECLARED)}")


@nox.session(python=FOUND)
def tests(session: nox.Session) -> None:
    """What runs in memory, with each interpreter that was found."""
    session.install(".[test]")
    session.run("python", *IN_MEMORY, *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The same with the oldest version of everything that the package needs."""
    constraints = Path(session.create_tmp(), "lowest.txt")
    constraints.write_text("\n".join(lowest_versions()), encoding="utf-8")
    session.install("--constraint", str(constraints), ".[test]")
    session.run("python", "-m", "pip", "freeze")
    session.run("python", *IN_MEMORY, *session.posargs)


@nox.session
@nox.parametrize("kind", [nox.param(kind, id=kind) for kind in ("wheel", "sdist")])
def release(session: nox.Session, kind: str) -> None:
    """What a release consists of, installed where nothing else is; its tests, from the sdist."""
    made = Path(session.create_tmp()).resolve()
    shutil.rmtree(made)
    session.install("build")
    # The wheel is made of the sdist.
    session.run("python", "-m", "build", "--outdir", str(made), ".", silent=True)
    (sdist,), (wheel,) = made.glob("*.tar.gz"), made.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(made, filter="data")
    sources = made / sdist.name.removesuffix(".tar.gz")
    tracked = session.run("git", "ls-files", external=True, silent=True) or ""
    if missing := [name for name in tracked.split() if not (sources / name).exists()]:
        session.error(f"the sdist lacks {', '.join(missing)}: see MANIFEST.in")
    # Tests import what is installed, and nothing of the sources.
    shutil.rmtree(sources / "txtokensock")
    shutil.rmtree(sources / "twisted")
    package = wheel if kind == "wheel" else sdist
    session.install(str(package))
    session.chdir(sources)
    # Nothing is there yet but what a newcomer gets.
    session.run("python", "-m", "twisted.trial", *PAGES)
    session.install(f"{package}[test,docs]")
    session.run("python", *IN_MEMORY, *session.posargs)
    session.run("sphinx-build", "-W", "-q", "-b", "html", "docs", str(made / "html"))
