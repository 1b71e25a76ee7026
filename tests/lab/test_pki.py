import socket
import ssl
import stat
import threading

from lab import pki
from lab.state import State


def test_the_servers_certificate_convinces_a_strict_client(state: State) -> None:
    pki.ensure_servers(state)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(state.folder / "pki" / "s3.pem", state.folder / "pki" / "s3.key")
    client = ssl.create_default_context(cafile=str(state.folder / "acme-ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("s3.demo.test", "10.70.1.5", "127.0.0.1", "localhost"):
        ours, theirs = socket.socketpair()

        def answer(end: socket.socket = theirs) -> None:
            with server.wrap_socket(end, server_side=True) as wrapped:
                wrapped.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with client.wrap_socket(ours, server_hostname=name) as wrapped:
            wrapped.send(b"x")
        thread.join(5)


def test_certificates_and_keys_are_made_once_and_kept_private(state: State) -> None:
    def everything() -> dict[str, bytes]:
        pki.ensure_servers(state)
        pki.ensure_ssh_key(state.folder)
        pki.ensure_age_keys(state.folder)
        return {str(path): path.read_bytes() for path in sorted(state.folder.rglob("*")) if path.is_file()}

    assert everything() == everything()
    for name in ("id_ed25519", "age.key", "escrow.key", "pki/acme.key", "pki/s3.key"):
        assert stat.S_IMODE((state.folder / name).stat().st_mode) == 0o600


def test_the_age_key_decrypts_what_is_encrypted_to_it(state: State) -> None:
    import pyrage

    pki.ensure_age_keys(state.folder)
    comment, secret = (state.folder / "age.key").read_text().splitlines()
    public = comment.removeprefix("# public key: ")
    sealed = pyrage.encrypt(b"hello", [pyrage.x25519.Recipient.from_str(public)])
    assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(secret)]) == b"hello"
