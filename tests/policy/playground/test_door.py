"""Where a server listens, and what is said where it cannot."""

import socket

import pytest

from policy.playground import door


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1")]
)
def test_the_address_that_is_told_is_the_one_that_answers(
    monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    assert tell(monkeypatch, door.listen(0, host)).startswith(f"http://{shown}:")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_the_loopback_of_ipv6_is_told_in_brackets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = door.listen(0, "::1")
    with socket.create_connection(opened.getsockname()[:2]):
        assert tell(monkeypatch, opened).startswith("http://[::1]:")


def tell(monkeypatch: pytest.MonkeyPatch, opened: socket.socket) -> str:
    """What is said of a port by a server that ends at once."""
    said: list[str] = []
    monkeypatch.setattr(door.uvicorn.Server, "run", lambda *_, **__: None)
    door.serve(None, opened, said.append)
    return said[0]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("", "host is ''"),
        ("nosuch.invalid", "unknown"),
        ("two..dots", "unknown"),
        ("192.0.2.1", "Cannot assign"),  # for documents: nobody's
    ],
)
def test_a_host_that_is_not_here_is_named_with_what_is(host: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        door.listen(0, host)
    said = str(caught.value)
    assert said.startswith(f"host is {host!r}") and "host=127.0.0.1" in said
    assert "port" not in said


def test_the_last_port_has_none_after_it() -> None:
    with socket.create_server(("127.0.0.1", 2**16 - 1)):
        with pytest.raises(ValueError, match=r"port 65535 .*\(Address al") as caught:
            door.listen(2**16 - 1)
        assert "65536" not in str(caught.value) and "port=0" in str(caught.value)
