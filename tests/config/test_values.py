"""Durations, sizes and endpoints: what is read, and what is refused."""

import pytest

from audit_receiver.config.values import (
    parse_duration,
    parse_endpoint,
    parse_size,
    render_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1m30s", 90), ("100ms", 0.1), ("2h", 7200), ("1.5s", 1.5), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["", "60", 60, "s", "1 s", "-1s", "1d", None, "1s2m"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write 60s"):
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


@pytest.mark.parametrize("value", ["256MB", "x", -1, True, 1.5, "1e3", "", None])
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
    "value", ["4317", ":4317", "::1:4317", "http://127.0.0.1:1", "a:70000", "a:", "a:x", 4317, None]
)
def test_what_is_no_endpoint_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"write|at most"):
        parse_endpoint(value)
