"""Tokens of time: what a real authority gave counts, and nothing else; openssl says the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from audit_receiver.errors import ConfigError
from audit_receiver.verify import der, rfc3161
from audit_receiver.verify.rfc3161 import Stamp, stamp, stamped_under, trusted
from audit_receiver.verify.trust import NotTrusted
from tests.kit.timestamping import TimestampAuthority, openssl, openssl_verifies, token_time

NOTE = "ledger/0123456789abcdef\n5\nAAAA\n\n\u2014 ledger AAAA\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def token(authority: TimestampAuthority) -> bytes:
    return authority.stamp(NOTE.encode())


def by_openssl(authority: TimestampAuthority, token: bytes) -> str:
    (authority.folder / "shown.tsr").write_bytes(token)
    return openssl("ts", "-reply", "-in", authority.folder / "shown.tsr", "-text").decode()


def test_the_time_is_the_one_that_openssl_reads(
    authority: TimestampAuthority, token: bytes, tmp_path: Path
) -> None:
    found = stamp(token, NOTE, trusted(authority.root.read_bytes()))
    assert isinstance(found, Stamp)
    shown = re.search(r"Time stamp: (.*) GMT", by_openssl(authority, token))
    assert shown is not None
    moment, year = shown.group(1).rsplit(" ", 1)
    seconds, _, fraction = moment.partition(".")
    date = subprocess.run(
        ["date", "-u", "-d", f"{seconds} {year} UTC", "+%s"], capture_output=True, check=True
    )
    assert found.unix_nano == int(date.stdout) * 10**9 + int(fraction.ljust(9, "0"))
    assert found.accuracy_nano == 1_500_100_000  # secs:1, millisecs:500, microsecs:100
    latest = token_time(token, NOTE, authority.root.read_bytes())
    assert latest == found.latest_unix_nano == found.unix_nano + found.accuracy_nano
    assert openssl_verifies(tmp_path, token, NOTE, authority.root)


def test_certificates_in_any_order_are_one_token(authority: TimestampAuthority) -> None:
    """openssl embeds the signer, then the rest: only by luck is that the order of DER."""
    roots = authority.root.read_bytes()
    seen = set()
    for number in range(8):
        token = authority.stamp(f"{NOTE}{number}".encode())
        ordered = der.with_sorted_certificates(token)
        seen.add(ordered == token)
        assert sorted(ordered) == sorted(token)
        assert der.with_sorted_certificates(ordered) == ordered
        assert isinstance(token_time(token, f"{NOTE}{number}", roots), int)
        authority.issue_signer()
    assert seen, "at least one order was tried"


def test_a_library_that_is_strict_refuses_what_is_not_sorted(authority: TimestampAuthority) -> None:
    """Without the sorting a real token is lost: the layer is load-bearing."""
    library = rfc3161.library()
    for number in range(40):
        token = authority.stamp(b"%d" % number)
        if der.with_sorted_certificates(token) != token:
            with pytest.raises(ValueError, match="InvalidSetOrdering"):
                library.decode_timestamp_response(token)
            return
        authority.issue_signer()
    raise AssertionError("openssl sorted forty times")


REASONS = {
    "of another text": "another text than this note",
    "of another authority": "does not chain to the authorities given",
    "of a certificate for servers": "unsuitable certificate purpose",
    "without certificates": "it holds no certificate of its signer",
    "empty": "one SEQUENCE with nothing behind it",
    "cut": "longer than what holds it",
    "with a byte behind it": "no element with a short tag",
    "a web page": "no DER time-stamp response",
    "too long": "a token has at most 65536",
    "not granted": "did not grant it",
}


@pytest.mark.parametrize("case", REASONS)
def test_what_proves_nothing_is_told_with_its_reason(
    authority: TimestampAuthority, token: bytes, tmp_path: Path, case: str
) -> None:
    note, roots = NOTE, authority.root
    match case:
        case "of another text":
            note = NOTE.replace("\n5\n", "\n6\n")
        case "of another authority":
            roots = TimestampAuthority(tmp_path / "other").root
        case "of a certificate for servers":
            other = TimestampAuthority(tmp_path / "other")
            other.issue_signer("server")
            token, roots = _forged(other), other.root
        case "without certificates":
            token = authority.stamp(NOTE.encode(), certificates=False)
        case "empty":
            token = b""
        case "cut":
            token = token[:-1]
        case "with a byte behind it":
            token += b"\0"
        case "a web page":
            token = b"<html>Sign in</html>"
        case "too long":
            token = b"0" * 65_537
        case "not granted":
            token = authority.reply(b"\x30\x03\x02\x01\x07")
    found = token_time(token, note, roots.read_bytes())
    assert isinstance(found, str)
    assert REASONS[case] in found
    if case != "with a byte behind it":  # which openssl does not look at
        assert not openssl_verifies(tmp_path, token, note, roots)


def _forged(authority: TimestampAuthority) -> bytes:
    """A token whose signer's certificate is one for servers: made over a good one by hand."""
    folder = authority.folder
    good = TimestampAuthority(folder / "good").stamp(NOTE.encode(), nonce=False)
    (folder / "good.tsr").write_bytes(good)
    info = openssl("ts", "-reply", "-in", folder / "good.tsr", "-token_out")
    (folder / "token.der").write_bytes(info)
    content = folder / "tstinfo.der"
    openssl(
        *("cms", "-verify", "-noverify", "-inform", "DER", "-in", folder / "token.der"),
        *("-out", content, "-binary"),
    )
    signed = openssl(
        *("cms", "-sign", "-in", content, "-binary", "-nodetach", "-outform", "DER"),
        *("-econtent_type", "1.2.840.113549.1.9.16.1.4", "-md", "sha256"),
        *("-signer", folder / "signer.pem", "-inkey", folder / "signer.key"),
        *("-certfile", folder / "intermediate.pem"),
    )
    body = b"\x30\x03\x02\x01\x00" + signed
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


def test_the_forged_token_fails_only_for_its_purpose(tmp_path: Path) -> None:
    """The same hand-made token counts once its certificate is one for time stamps."""
    authority = TimestampAuthority(tmp_path / "own")
    token = _forged(authority)
    assert isinstance(token_time(token, NOTE, authority.root.read_bytes()), int)


def test_a_nonce_binds_the_answer_to_the_request(authority: TimestampAuthority) -> None:
    roots = trusted(authority.root.read_bytes())
    library = rfc3161.library()
    request = library.TimestampRequestBuilder().data(NOTE.encode()).build()
    token = authority.reply(request.as_bytes())
    assert isinstance(stamp(token, NOTE, roots, request.nonce), Stamp)
    with pytest.raises(ValueError, match="answers another request: the nonce differs"):
        stamp(token, NOTE, roots, request.nonce + 1)
    without = authority.stamp(NOTE.encode(), nonce=False)
    with pytest.raises(ValueError, match="the nonce differs"):
        stamp(without, NOTE, roots, 1)
    assert isinstance(stamp(without, NOTE, roots), Stamp)


def test_a_verifier_hears_who_stamped_when_and_whom_it_does_not_trust(
    authority: TimestampAuthority, token: bytes, tmp_path: Path
) -> None:
    stamped = stamped_under(authority.root.read_bytes())
    seen = stamped(token, NOTE)
    assert seen.by == f"signer of {authority.folder.name}"
    assert seen.unix_nano == token_time(token, NOTE, authority.root.read_bytes())
    with pytest.raises(ValueError, match="another text") as caught:
        stamped(token, NOTE + "x")
    assert not isinstance(caught.value, NotTrusted), "a false token, whoever is trusted"
    others = stamped_under(TimestampAuthority(tmp_path / "other").root.read_bytes())
    with pytest.raises(NotTrusted, match="does not chain"):
        others(token, NOTE)


def test_no_flipped_bit_gives_another_time(authority: TimestampAuthority, token: bytes) -> None:
    roots = authority.root.read_bytes()
    good = token_time(token, NOTE, roots)
    same = 0
    for place in range(len(token)):
        changed = bytearray(token)
        changed[place] ^= 1 << place % 8
        found = token_time(bytes(changed), NOTE, roots)
        assert isinstance(found, str) or found == good, place
        same += found == good
    assert same < 40, "version numbers and names of algorithms, which say nothing"


def test_what_cannot_be_judged_is_no_verdict(token: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="root certificates"):
        token_time(token, NOTE, b"no PEM")
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'audit-receiver\[timestamp\]'"):
        rfc3161.library()


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        (b"20261124150000Z", 1795532400 * 10**9),
        (b"20261124150000.5Z", 1795532400 * 10**9 + 500_000_000),
        (b"20261124150000.000000001Z", 1795532400 * 10**9 + 1),
        (b"19691231235959.25Z", -750_000_000),
        (b"20261124150000.50Z", None),  # X.690, 11.7.3: no zeros at the end
        (b"20261124150000.Z", None),
        (b"20261124150000", None),
        (b"20261124150000+0100", None),
        (b"20261324150000Z", None),
    ],
)
def test_gen_time_is_read_in_its_one_form(text: bytes, nano: int | None) -> None:
    if nano is not None:
        assert der.parse_time(text) == nano
        return
    with pytest.raises(der.DerError, match="genTime"):
        der.parse_time(text)
