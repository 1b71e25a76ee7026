"""The lab's own CA: it signs the ACME server's and the S3 server's certificates. (Pebble's CA signs the sites'.)"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.state import State, write

YEARS = datetime.timedelta(days=3650)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def make_ca(common_name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(common_name, _name(common_name), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def issue(
    ca: tuple[ec.EllipticCurvePrivateKey, x509.Certificate], names: list[str]
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A server certificate for DNS names and IP addresses."""
    ca_key, ca_certificate = ca
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(names[0], ca_certificate.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, certificate


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def ensure_servers(state: State) -> None:
    """acme-ca.pem and pki/{acme,s3}.{pem,key} under the lab's folder, made once: certificates outlive restarts."""
    last = state.folder / "acme-ca.pem"
    if last.is_file():
        return
    ca = make_ca(f"SignUpFlow lab {state.name}")
    for server in ("acme", "s3"):
        names = [f"{server}.{state.zone}", state.address(server), "localhost", "127.0.0.1"]
        key, certificate = issue(ca, names)
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        write(state.folder / "pki" / f"{server}.pem", pem)
        write(state.folder / "pki" / f"{server}.key", _pem(key), mode=0o600)
    # Written last: its presence says that the rest is complete. The CA's own key is not kept.
    write(last, ca[1].public_bytes(serialization.Encoding.PEM).decode())


def ensure_ssh_key(folder: Path) -> None:
    private = folder / "id_ed25519"
    if private.is_file():
        return
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    write(folder / "id_ed25519.pub", f"{public} lab-{folder.name}\n")
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    write(private, text, mode=0o600)


def ensure_age_keys(folder: Path) -> None:
    """Identities for the lab's secrets file, and for its dumps (the one that an operator keeps offline)."""
    _ensure_age_key(folder / "age.key")
    _ensure_age_key(folder / "escrow.key")


def recipient(file: Path) -> str:
    """The public key of an identity."""
    return file.read_text().splitlines()[0].removeprefix("# public key: ")


def _ensure_age_key(file: Path) -> None:
    """In the format of age-keygen."""
    if file.is_file():
        return
    from pyrage import x25519

    identity = x25519.Identity.generate()
    write(file, f"# public key: {identity.to_public()}\n{identity}\n", mode=0o600)
    os.chmod(file, 0o600)
