"""The images that the lab runs and serves.

Where a container registry is reachable the ordinary ones are pulled. Where none is, they are built from Debian's
packages and from the wheels that requirements/lab.txt pins, under the same ordinary names, so that everything after
this module is the same. Either way images are shared between labs, and one whose inputs did not change is not built
again: the hash of its inputs is a label on it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import debian, engine
from lab.errors import LabError
from lab.paths import LAB_DIR, ROOT
from signupflow.errors import OperatorError

DOCKERFILES = ROOT / "lab" / "dockerfiles"
SINK = ROOT / "lab" / "sink"
SCRATCH = ROOT / ".build" / "lab-images"
REQUIREMENTS = ROOT / "requirements" / "lab.txt"
INPUTS_LABEL = "signupflow.lab.inputs"
SUITE = "trixie"
DEBIAN = "debian:trixie-slim"
UBUNTU = "ubuntu:24.04"
PYTHON = "python:3.13-slim"
POSTGRES = "postgres:17"
TRAEFIK = "traefik:v3.7"
REGISTRY = "registry:2"
PEBBLE = "signupflow-lab/pebble"
SEAWEEDFS = "signupflow-lab/seaweedfs"
SINK_IMAGE = "signupflow-lab/sink"
HOST = "signupflow-lab/host"
# Served to the hosts by the lab's registry, as library/NAME.
SERVED = (POSTGRES, TRAEFIK)
PULL_TIMEOUT = 20.0

Done = Callable[[str, float], None]


@dataclass(frozen=True)
class Recipe:
    """How one image comes about: a folder under lab/dockerfiles, its base, and files added to the build context."""

    tag: str
    folder: str
    base: str = DEBIAN
    build_args: tuple[tuple[str, str], ...] = ()
    extra: Callable[[], dict[str, Path]] = dict


def digest(*parts: bytes | str) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:32]


def files_under(folder: Path) -> dict[str, Path]:
    return {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def inputs(recipe: Recipe, base: str, mode: str) -> str:
    """The hash that decides whether an image is built again. `extra` files count by name and requirements/lab.txt."""
    context = files_under(DOCKERFILES / recipe.folder)
    parts: list[bytes | str] = [mode, recipe.tag, base, repr(recipe.build_args), REQUIREMENTS.read_bytes()]
    for name, path in context.items():
        parts += [name, path.read_bytes()]
    if recipe.folder in ("python", "sink"):
        for name, path in recipe.extra().items():
            parts += [name, path.read_bytes()]
    return digest(*parts)


# Files for build contexts


def ca_bundle() -> dict[str, Path]:
    """This machine's CA bundle, with whatever a proxy's administrator added to it."""
    paths = ssl.get_default_verify_paths()
    candidates = (os.environ.get("SSL_CERT_FILE"), paths.cafile, "/etc/ssl/certs/ca-certificates.crt")
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return {"ca-bundle.crt": Path(candidate)}
    raise LabError("no CA bundle found on this machine: install ca-certificates")


@functools.cache
def wheels() -> Path:
    """The pinned wheels of requirements/lab.txt, unpacked once under .build."""
    folder = ROOT / ".build" / f"lab-wheels-{digest(REQUIREMENTS.read_bytes())}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="lab-wheels-") as scratch:
        target = Path(scratch) / "wheels"
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(target)]
        if shutil.which("uv") and not _has_pip():
            command = ["uv", "pip", "install", "--python", sys.executable, *options]
        else:
            command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options]
        engine.run([*command, "-r", str(REQUIREMENTS)])
        target.rename(folder)
    return folder


def _has_pip() -> bool:
    return engine.run([sys.executable, "-m", "pip", "--version"], check=False).returncode == 0


def binary(name: str) -> Path:
    """An executable out of the pinned wheels."""
    found = [path for path in wheels().rglob(name) if path.is_file() and path.stat().st_size > 1 << 20]
    if not found:
        raise LabError(f"requirements/lab.txt brought no program called {name} for this machine")
    return found[0]


# Recipes


def recipes(mode: str) -> list[Recipe]:
    """What is built over the base image; in mode "pull" the ordinary images are not among them."""
    host_base = UBUNTU if mode == "pull" else DEBIAN
    built = [
        Recipe(HOST, "host", base=host_base, build_args=(("BASE", host_base),)),
        Recipe(PEBBLE, "pebble"),
        Recipe(SEAWEEDFS, "seaweedfs", extra=lambda: {"weed": binary("weed")}),
        Recipe(SINK_IMAGE, "sink", base=PYTHON, extra=lambda: {f"sink/{n}": p for n, p in files_under(SINK).items()}),
    ]
    if mode == "pull":
        return built
    return [
        Recipe(PYTHON, "python", extra=ca_bundle),
        Recipe(REGISTRY, "registry"),
        Recipe(POSTGRES, "postgres"),
        Recipe(TRAEFIK, "traefik", extra=lambda: {"traefik": binary("traefik")}),
        *built,
    ]


def mode() -> str:
    """ "pull" where a container registry answers, "build" where none does; asked once per machine."""
    remembered = LAB_DIR / "registry-mode"
    forced = os.environ.get("LAB_IMAGES")
    if forced in ("pull", "build"):
        return forced
    if remembered.is_file():
        return remembered.read_text().strip()
    try:
        reachable = engine.docker("pull", "--quiet", REGISTRY, check=False, timeout=PULL_TIMEOUT).returncode == 0
    except OperatorError:
        reachable = False
    answer = "pull" if reachable else "build"
    LAB_DIR.mkdir(exist_ok=True)
    remembered.write_text(answer + "\n")
    return answer


# Making them


@contextmanager
def only_one_builder() -> Iterator[None]:
    """Two labs that start at once build each image once."""
    LAB_DIR.mkdir(exist_ok=True)
    with (LAB_DIR / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(done: Done, progress: engine.Progress = engine.silent) -> bool:
    """Leave with every image present; whether anything had to be built or pulled.

    `progress` hears what is begun, `done` what is finished and in how many seconds.
    """
    with only_one_builder():
        shutil.rmtree(SCRATCH, ignore_errors=True)
        SCRATCH.mkdir(parents=True)
        how = mode()
        made = _pull(done, progress) if how == "pull" else _bootstrap_debian(done, progress)
        keys = {DEBIAN: _key(DEBIAN), UBUNTU: _key(UBUNTU) if how == "pull" else ""}
        if how == "pull":
            keys[PYTHON] = _key(PYTHON)
        wanted = recipes(how)
        for recipe in wanted:
            keys[recipe.tag] = inputs(recipe, keys[recipe.base], how)
        stale = [recipe for recipe in wanted if engine.image_label(recipe.tag, INPUTS_LABEL) != keys[recipe.tag]]
        # Slow ones first; those over another image of ours after it.
        for level in ([r for r in stale if r.base != PYTHON], [r for r in stale if r.base == PYTHON]):
            with ThreadPoolExecutor(max_workers=3) as pool:
                list(pool.map(lambda recipe: _build(recipe, keys[recipe.tag], done, progress), level))
        return made or bool(stale)


def _key(tag: str) -> str:
    """What a base image contributes to the hashes of the images over it."""
    return engine.image_label(tag, INPUTS_LABEL) or engine.image_id(tag) or ""


def _build(recipe: Recipe, key: str, done: Done, progress: engine.Progress) -> None:
    started = time.monotonic()
    progress(f"building {recipe.tag}")
    with tempfile.TemporaryDirectory(dir=SCRATCH, prefix=f"{recipe.folder}-") as scratch:
        context = Path(scratch)
        shutil.copytree(DOCKERFILES / recipe.folder, context, dirs_exist_ok=True)
        for name, path in recipe.extra().items():
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
            if recipe.folder in ("traefik", "seaweedfs"):
                target.chmod(0o755)
        engine.build(
            context,
            recipe.tag,
            build_args=dict(recipe.build_args),
            labels={INPUTS_LABEL: key},
        )
    done(recipe.tag, time.monotonic() - started)


def _pull(done: Done, progress: engine.Progress) -> bool:
    """Pull the ordinary images that are missing."""
    missing = [tag for tag in (DEBIAN, UBUNTU, PYTHON, POSTGRES, TRAEFIK, REGISTRY) if engine.image_id(tag) is None]

    def pull(tag: str) -> None:
        started = time.monotonic()
        progress(f"pulling {tag}")
        engine.docker("pull", "--quiet", tag)
        done(tag, time.monotonic() - started)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(pull, missing))
    return bool(missing)


def host_of(suite: str) -> str:
    """The image of a host of another suite of Debian's than the lab's own; empty is the lab's own."""
    return f"{HOST}-{suite}" if suite else HOST


def ensure_host_of(suite: str, done: Done, progress: engine.Progress = engine.silent) -> bool:
    """The same for a flavour whose host has another suite; whether anything had to be made."""
    with only_one_builder():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        base, how = f"debian:{suite}-slim", mode()
        if how == "pull" and engine.image_id(base) is None:
            engine.docker("pull", "--quiet", base)
        made = how != "pull" and _bootstrap_debian(done, progress, suite, base)
        recipe = Recipe(host_of(suite), "host", base=base, build_args=(("BASE", base),))
        key = inputs(recipe, _key(base), how)
        if engine.image_label(recipe.tag, INPUTS_LABEL) == key:
            return made
        _build(recipe, key, done, progress)
        return True


def _bootstrap_debian(done: Done, progress: engine.Progress, suite: str = SUITE, tag: str = DEBIAN) -> bool:
    """debian:trixie-slim by mmdebstrap from the mirror that this machine's apt uses; or that of another suite."""
    mirror = debian.machine_mirror()
    sources = mirror.lines(suite) if mirror else []
    apt_conf = DOCKERFILES / "debian" / "docker-clean"
    command = [
        "--variant=minbase",
        "--include=ca-certificates,netbase",
        *(f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale")),
        f"--customize-hook=copy-in {apt_conf} /etc/apt/apt.conf.d",
        r'--customize-hook=printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod +x "$1/usr/sbin/policy-rc.d"',
        '--customize-hook=rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*',
    ]
    key = digest(repr(command).replace(str(ROOT), ""), apt_conf.read_bytes(), repr(sources))
    if engine.image_label(tag, INPUTS_LABEL) == key:
        return False
    started = time.monotonic()
    if not shutil.which("mmdebstrap"):
        engine.apt_install("mmdebstrap", "debian-archive-keyring", why="no registry is reachable to pull images from")
    if os.geteuid() != 0:
        raise LabError("no registry is reachable, and building the images needs root: run `lab up` once as root")
    progress(f"building {tag} from Debian's packages")
    with ThreadPoolExecutor(max_workers=1) as pool:
        fetching = pool.submit(wheels)
        with tempfile.TemporaryDirectory(dir=SCRATCH, prefix="debian-") as scratch:
            tar = Path(scratch) / "debian.tar"
            # A file, not a pipe: half of an archive would be imported as if it were whole.
            made = subprocess.run(
                ["mmdebstrap", "--quiet", *command, suite, str(tar), *sources],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode:
                raise LabError("mmdebstrap failed:\n" + "\n".join(made.stderr.strip().splitlines()[-15:]))
            changes = ('CMD ["/bin/bash"]', f"LABEL {INPUTS_LABEL}={key}")
            path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            options = [word for change in (*changes, path) for word in ("--change", change)]
            engine.docker("import", *options, str(tar), tag)
        fetching.result()
    done(tag, time.monotonic() - started)
    return True
