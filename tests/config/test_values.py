"""Durations, sizes and endpoints: what is read, and what is refused."""

import pytest

from audit_receiver.config.endpoint import parse_endpoint
from audit_receiver.config.values import (
    parse_duration,
    parse_secret,
    parse_size,
    parse_url,
    render_duration,
    render_url,
)

KEY_SECRET = "2b91bfef7059fb264a785353e5b90647ce4858d082e41e53a4022bcd17433667"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1m30s", 90), ("100ms", 0.1), ("2h", 7200), ("1.5s", 1.5), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value", ["", "60", 60, "s", "1 s", "-1s", "1d", None, "1s2m", "25h", "9" * 400 + "h"]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"write (60s|at most 24h)"):
        parse_duration(value)


def test_a_duration_is_written_as_it_is_read() -> None:
    for seconds in (60.0, 0.25, 4.0, 90.0):
        assert parse_duration(render_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [(5, 5), ("256MiB", 268435456), ("1 KiB", 1024), ("7B", 7), ("2GiB", 1 << 31)],
)
def test_sizes_are_read(value: object, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value", ["256MB", "x", -1, True, 1.5, "1e3", "", None, 10**30, "9999999TiB"]
)
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write bytes"):
        parse_size(value)


@pytest.mark.parametrize(
    ("text", "host", "port", "local"),
    [
        ("127.0.0.1:4317", "127.0.0.1", 4317, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:4318", "::1", 4318, True),
        ("[::]:4318", "::", 4318, False),
        ("0.0.0.0:65535", "0.0.0.0", 65535, False),
        ("audit.internal:1", "audit.internal", 1, False),
    ],
)
def test_endpoints_are_read(text: str, host: str, port: int, local: bool) -> None:
    endpoint = parse_endpoint(text)
    assert (endpoint.host, endpoint.port, endpoint.is_local) == (host, port, local)
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "value",
    [
        *("4317", ":4317", "::1:4317", "http://127.0.0.1:1", "a:70000", "a:", "a:x", 4317, None),
        *("999.0.0.1:1", "127.1:1", "1:1", "0x7f.0x1:1", "a b:1", "*:4317", "-a:1", "a..b:1"),
        *("[127.0.0.1]:1", "[::g]:1", "[a]:1", "a:000001", "a:" + "9" * 5000, "x" * 254 + ":1"),
    ],
)
def test_what_is_no_endpoint_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"write|at most"):
        parse_endpoint(value)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("127.0.0.1:1", "127.0.0.2:1", False),
        ("0.0.0.0:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "0.0.0.0:1", True),
        ("[::]:1", "127.0.0.1:1", True),
        ("0.0.0.0:1", "[::1]:1", True),
        ("[::]:1", "audit.internal:1", True),
        ("0.0.0.0:0", "127.0.0.1:0", False),
        ("localhost:1", "127.0.0.1:1", True),
        ("[::1]:1", "LocalHost:1", True),
        ("localhost:1", "127.0.0.2:1", False),
        ("[::1]:1", "[0:0:0:0:0:0:0:1]:1", True),
        ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", True),
        ("Audit.internal:1", "audit.internal:1", True),
        ("audit.internal:1", "127.0.0.1:1", False),
    ],
)
def test_endpoints_that_cannot_both_be_had_overlap(one: str, other: str, overlap: bool) -> None:
    assert parse_endpoint(one).overlaps(parse_endpoint(other)) is overlap


@pytest.mark.parametrize(
    "value", ["https://tsa.example.com", "http://[::1]:80/a?b=c", "https://x.example/a%20b"]
)
def test_addresses_are_read(value: str) -> None:
    assert parse_url(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *("tsa.example.com", "ftp://x", "https://", "http://[::1", "http://x:99999", "http://x:0"),
        *("https://user:pass@x", "https://user@x", "https://x/#part", "https://x/a b", 5, None),
        *("https://x/ü", "https://x/" + "a" * 2000, "file:///etc/passwd"),
    ],
)
def test_what_is_no_address_of_a_service_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(ValueError, match=r"as in https|user or password|fragment") as caught:
        parse_url(value)
    assert "pass@" not in str(caught.value)


def test_of_a_query_the_ledger_gets_a_digest() -> None:
    assert render_url("https://x/a") == "https://x/a"
    found = render_url("https://x/a?key=secret")
    # printf 'key=secret' | openssl dgst -sha3-256
    assert found == f"https://x/a?sha3-256:{KEY_SECRET}"


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "ü", 5, None, "x" * 8001])
def test_what_is_no_header_value_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        parse_secret(value)
    assert parse_secret("Bearer x y") == "Bearer x y"
