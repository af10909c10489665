"""Who is answered: this machine, and no site that happens to be open in its browser."""

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from policy.playground.guard import MAX_BODY, Guard


def connect(**options: bool) -> TestClient:
    """A client of a guarded application."""
    app = FastAPI()

    @app.get("/")
    def greet() -> str:
        return "hello"

    @app.post("/")
    def echo(said: list[int]) -> list[int]:
        return said

    @app.websocket("/socket")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    app.add_middleware(Guard, **options)
    return TestClient(app, base_url="http://127.0.0.1:8080")


@pytest.fixture(scope="module")
def client() -> TestClient:
    return connect()


SOCKET = "ws://127.0.0.1:8080/socket"
ANSWERED = [
    {},
    {"host": "localhost:8080"},
    {"host": "[::1]:8080"},
    {"origin": "http://127.0.0.1:8080"},
    {"origin": "http://localhost:3000"},
    {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a link to it
]
REFUSED = [
    {"host": "graspo.example"},  # a name made to point to this machine
    {"host": "127.0.0.1.example:8080"},
    {"host": "example@127.0.0.1.example"},
    {"host": ""},
    {"host": "[::1"},
    {"origin": "https://example.org"},
    {"origin": "http://127.0.0.1.example"},
    {"origin": "null"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
]


@pytest.mark.parametrize("headers", ANSWERED, ids=str)
def test_this_machine_is_answered(client: TestClient, headers: dict) -> None:
    assert client.get("/", headers=headers).json() == "hello"
    assert client.post("/", json=[1, 2], headers=headers).json() == [1, 2]
    with client.websocket_connect(SOCKET, headers=headers) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_others_are_not(client: TestClient, headers: dict) -> None:
    answered = client.get("/", headers=headers)
    assert answered.status_code == 403 and set(answered.json()) == {"error"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(SOCKET, headers=headers),
    ):
        pass


def test_where_all_are_served_bodies_are_bounded_as_well() -> None:
    public = connect(local_only=False)
    for headers in REFUSED:
        assert public.get("/", headers=headers).json() == "hello"
        with public.websocket_connect(SOCKET, headers=headers) as socket:
            socket.send_text("hello")
            assert socket.receive_text() == "hello"
    assert public.post("/", json=[1, 2]).json() == [1, 2]
    assert public.post("/", content=b" " * (MAX_BODY + 1)).status_code == 413
