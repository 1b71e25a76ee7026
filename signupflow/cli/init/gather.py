"""The answers: from flags, from questions on a terminal, and from what lies about; what is missing is named all at once."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from signupflow import images, secrets_cli
from signupflow.cli.init import config as answering
from signupflow.cli.init import files, literals
from signupflow.cli.init.config import Answers, Host, Storage
from signupflow.cli.init.secrets_file import Vault
from signupflow.errors import OperatorError
from signupflow.settings import TYPES, overrides
from signupflow.settings.backups import S3_SECRETS

TRAEFIK = "traefik:v3.7"
PUBLIC_KEYS = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")


Judge = Callable[[str], object]
ManyJudge = Callable[[Sequence[str]], object]


class Asker:
    """Questions on a terminal, each asked again until its answer can be used; elsewhere it collects the flags that would have
    answered them. `answered` is what was answered, as flags.
    """

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive
        self.missing: list[str] = []
        self.answered: list[str] = []

    def one(self, flag: str, question: str, judge: Judge, shown: Callable[[str], str] = str) -> str:
        """`shown` makes of an answer what the flag takes."""
        if self.interactive:
            text = self._asked(question, judge)
            self.answered += [flag.partition(" ")[0], shown(text)]
            return text
        self.missing.append(flag)
        return ""

    def optional(self, flag: str, question: str, judge: Judge) -> str:
        """Empty where nobody can be asked: it is not needed."""
        text = self._asked(question, lambda text: not text or judge(text), default="") if self.interactive else ""
        self.answered += [flag, text] if text else []
        return text

    def many(self, flag: str, question: str, judge: ManyJudge, end: ManyJudge = bool) -> list[str]:
        """`judge` is asked about all answers so far, `end` about all when there are to be no more."""
        if not self.interactive:
            self.missing.append(flag)
            return []
        found = [self._asked(question, lambda text: judge([text]))]
        another = "Another (empty when that was all)"
        while text := self._asked(another, lambda text: judge([*found, text]) if text else end(found), default=""):
            found.append(text)
        self.answered += [word for text in found for word in (flag, text)]
        return found

    @staticmethod
    def _asked(question: str, judge: Judge, default: str | None = None) -> str:
        while True:
            text = str(click.prompt(question, default=default, show_default=False)).strip()
            try:
                judge(text)
            except OperatorError as error:
                click.echo(f"{click.style('Not usable:', fg='red')} {error}", err=True)
                continue
            return text

    @property
    def kept(self) -> str:
        """What to add to the command, so that nothing that was answered is asked again; empty when nothing was."""
        return shlex.join(self.answered)

    def refuse(self) -> None:
        """Raise when anything is missing that nobody can be asked for."""
        if self.missing:
            flags = ", ".join(self.missing)
            raise OperatorError(f"missing {flags}: give {'it' if len(self.missing) == 1 else 'them'}, or run this on a terminal")


def complete(given: Mapping[str, Any], root: Path, ask: Asker) -> Answers:
    """Answers out of the verb's options, by their Python names."""
    # What was given is judged before anything is asked: nobody answers for nothing.
    ssh_key = absolute("--ssh-key", given["ssh_key"])
    public_keys = public_keys_of(given["keys"], ssh_key)
    if ask.interactive:
        _judge_given(given, public_keys)
    hosts = _hosts(given, ask)
    domains = given["domains"] or ask.many("--domain", "Domain of the app", lambda texts: answering.judge("domains", list(texts)))
    email = given["acme_email"] or ask.one(
        "--acme-email", "Mail address for the certificates' CA", lambda text: answering.judge("acme_email", text)
    )
    public_keys = public_keys or _keys_in(
        ask.one(
            "--public-key",
            "Public key, or the file with it",
            lambda text: answering.judge("deploy_public_keys", _keys_in(text)),
        )
    )
    storage = _storage(given, ask)
    ask.refuse()
    _can_log_in_again(ssh_key, public_keys)
    environment = given["environment"]
    told = Answers(
        environment=environment,
        hosts=tuple(hosts),
        domains=tuple(domains),
        acme_email=email,
        public_keys=tuple(public_keys),
        traefik_image=given["traefik_image"],
        directory=Path(given["directory"]).expanduser().resolve(),
        root=root,
        profile=given["profile"] or ("staging" if environment == "staging" else "production"),
        ssh_user=given["ssh_user"],
        ssh_port=given["ssh_port"],
        ssh_key=ssh_key,
        acme_directory=given["acme_directory"],
        acme_ca_file=absolute("--acme-ca-file", given["acme_ca_file"]),
        registry_mirrors=given["mirrors"],
        age_key_file=str(Path(given["age_key_file"]).expanduser().resolve()) if given["age_key_file"] else "",
        storage=storage,
        backup_recipients=tuple(given["recipients"]),
        settings={name: _value(name, text) for name, text in answering.pairs("--set", given["settings"]).items()},
    )
    return replace(
        told,
        traefik_image=told.traefik_image or files.kept_traefik_image(told.data_file) or _pinned_traefik(),
        backup_recipients=told.backup_recipients or _recipients(told, ask),
    )


def _judge_given(given: Mapping[str, Any], public_keys: Sequence[str]) -> None:
    answering.check_environment(given["environment"])
    settings = {
        "domains": list(given["domains"]),
        "acme_email": given["acme_email"],
        "deploy_public_keys": list(public_keys),
        "traefik_image": given["traefik_image"],
        "acme_directory": given["acme_directory"],
        "registry_mirrors": list(given["mirrors"]),
        "backup_recipients": list(given["recipients"]),
        **{name: _value(name, text) for name, text in answering.pairs("--set", given["settings"]).items()},
    }
    for name, value in settings.items():
        if value not in ("", []):
            answering.judge(name, value)
    absolute("--acme-ca-file", given["acme_ca_file"])
    absolute("--s3-ca-file", given["s3_ca_file"])
    _https(given["s3_endpoint"])


def _hosts(given: Mapping[str, Any], ask: Asker) -> list[Host]:
    texts = given["hosts"] or ask.many(
        "--host",
        "Host, as NAME=ADDRESS or NAME=ADDRESS:ROLE,ROLE",
        answering.judge_hosts,
        lambda texts: answering.judge_hosts(texts, whole=True),
    )
    hosts = answering.with_roles([answering.parse_host(text) for text in texts])
    hosts = answering.with_private_addresses(hosts, answering.pairs("--private-address", given["private"]))
    if len(hosts) == 1:
        return hosts
    return [host if host.private_address else _with_private_address(host, ask) for host in hosts]


def _with_private_address(host: Host, ask: Asker) -> Host:
    address = ask.one(
        f"--private-address {host.name}=IPV4",
        f"Private address of {host.name}",
        lambda text: answering.judge("private_address", text or "none"),
        lambda text: f"{host.name}={text}",
    )
    return replace(host, private_address=address)


def absolute(flag: str, path: str) -> str:
    """A file that is there, by a path that holds wherever a run starts; empty when none is named."""
    if not path:
        return ""
    found = Path(path).expanduser().resolve()
    if not found.is_file():
        raise OperatorError(f"{flag} {path}: there is no such file")
    return str(found)


def _value(name: str, text: str) -> Any:
    """As `--data` reads it, by the setting's type; lists and mappings may be Python's as well."""
    kind = TYPES.get(name, str)
    found = overrides.value(text, kind)
    if found != text or overrides.is_text(kind):
        return found
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def public_keys_of(given: Iterable[str], ssh_key: str) -> list[str]:
    """What was given; otherwise the public half of the key that one logs in with."""
    if found := [key for text in given for key in _keys_in(text)]:
        return found
    own = [Path(f"{ssh_key}.pub")] if ssh_key else [Path.home() / ".ssh" / name for name in PUBLIC_KEYS]
    return next((_keys_in(str(path)) for path in own if path.is_file()), [])


def _keys_in(text: str) -> list[str]:
    """A key by itself, or all in a file."""
    if not text or text.startswith(("ssh-", "ecdsa-", "sk-")):
        return [text] if text else []
    path = Path(text).expanduser()
    if not path.is_file():
        raise OperatorError(f"--public-key {text} is neither a key nor a file with keys")
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def _can_log_in_again(ssh_key: str, public_keys: Iterable[str]) -> None:
    """The first deploy closes root's login: from then on only these keys open the hosts."""
    own = Path(f"{ssh_key}.pub")
    if ssh_key and own.is_file() and own.read_text().split()[1:2] not in [key.split()[1:2] for key in public_keys]:
        raise OperatorError(f"--public-key lacks {own}: you could not log in after the first deploy; add it")


def _storage(given: Mapping[str, Any], ask: Asker) -> Storage | None:
    endpoint, bucket = given["s3_endpoint"], given["s3_bucket"]
    if not (endpoint or bucket):
        return None
    _https(endpoint)
    return Storage(
        endpoint or ask.one("--s3-endpoint", "URL of the object storage", _https),
        bucket or ask.one("--s3-bucket", "Its bucket", lambda text: answering.judge("s3_bucket", text)),
        given["s3_region"],
        absolute("--s3-ca-file", given["s3_ca_file"]),
    )


def _https(endpoint: str) -> None:
    if endpoint and not endpoint.startswith("https://"):
        raise OperatorError(f"--s3-endpoint {endpoint!r} must be an https URL")


def _recipients(told: Answers, ask: Asker) -> tuple[str, ...]:
    """Who opens the dumps: as it was answered before, or asked once; nobody where there is no object storage."""
    if not told.storage:
        return ()
    if kept := files.kept_recipients(told.data_file):
        return kept
    question = "Public age key for weekly and monthly dumps; its private one stays offline (empty: no dumps)"
    key = ask.optional("--backup-recipient", question, lambda text: answering.judge("backup_recipients", [text]))
    return (key,) if key else ()


def s3_keys(answers: Answers, vault: Vault, interactive: bool) -> dict[str, str]:
    """The keys of the object storage: from variables, from the secrets file, or asked for without being shown."""
    if not answers.storage:
        return {}
    held = vault.held or {}
    found = {**{name: held[name] for name in S3_SECRETS if name in held}, **secrets_cli.given()}
    missing = [name for name in S3_SECRETS if name not in found]
    if missing and not interactive:
        raise OperatorError(
            f"missing {', '.join(map(secrets_cli.variable, missing))}: set them as variables, or run this on a terminal"
        )
    return found | {name: str(click.prompt(secrets_cli.variable(name), hide_input=True)) for name in missing}


def _pinned_traefik() -> str:
    try:
        return images.pin(TRAEFIK)
    except OperatorError as error:
        raise OperatorError(f"--traefik-image is missing, and {TRAEFIK} cannot be pinned by this machine: {error}") from None


def app_data(answers: Answers) -> dict[str, Any]:
    """What the app is, as runs will read it: the repository's group_data/all.py, and the directory's own over it."""
    found: dict[str, Any] = {}
    for path in dict.fromkeys(folder / "group_data" / "all.py" for folder in (answers.root, answers.directory)):
        held = literals.values(path.read_text()) if path.is_file() else {}
        if held is None:
            raise OperatorError(f"{path} must hold literal values only, so that it can be read without being run")
        found |= held
    return found
