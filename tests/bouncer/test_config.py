"""bouncer.toml: where it is looked for, what it means, and every fault at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from bouncer import config, place
from bouncer.config import Address, ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "bouncer.toml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    prefix = f"{path}: "
    assert all(line.startswith(prefix) for line in caught.value.faults)
    return [line.removeprefix(prefix) for line in caught.value.faults]


def test_without_any_file_it_serves_this_machine_from_var(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = config.load(environ={})
    assert found.source is None
    assert found.data_dir == tmp_path / "var"
    assert found.database.url == f"sqlite:///{tmp_path}/var/muster.db"
    assert [(str(each.address), each.tls) for each in found.listen] == [
        ("127.0.0.1:6697", True),
        ("127.0.0.1:6667", False),
    ]
    assert all(each.address.loopback for each in found.listen)
    assert found.admin_socket == place.admin_socket() == tmp_path / "var" / "bouncer.sock"


def test_the_lookup_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "looked for in `--config`, `$MUSTER_CONFIG`, `./bouncer.toml`, …" """
    monkeypatch.chdir(tmp_path)
    here = write(tmp_path, "")
    by_option, by_variable = tmp_path / "a.toml", tmp_path / "b.toml"
    for path in (by_option, by_variable):
        path.write_text("")
    environ = {"MUSTER_CONFIG": str(by_variable)}
    assert config.load(by_option, environ).source == by_option
    assert config.load(None, environ).source == by_variable
    assert config.load(None, {}).source == here


@pytest.mark.parametrize(("option", "said"), [(True, "--config"), (False, "$MUSTER_CONFIG")])
def test_a_file_that_was_named_must_be_there(option: bool, said: str, tmp_path: Path) -> None:
    missing = tmp_path / "gone.toml"
    with pytest.raises(ConfigError) as caught:
        config.load(missing if option else None, {"MUSTER_CONFIG": str(missing)})
    assert caught.value.faults == [f"{missing}: no such file; correct {said}, or leave it out"]


def test_every_key_of_the_contract_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        server_name = "irc.example.net"
        data_dir = "/srv/muster"
        [database]
        url = "postgresql+psycopg://muster@db/muster"
        synchronous = "full"
        [tls]
        certificate = "tls/chain.pem"
        key = "tls/key.pem"
        sts_days = 30
        [[listen]]
        address = "[::]:6698"
        [[listen]]
        address = "[::]:6697"
        client_certs = true
        websocket = true
        origins = ["https://Chat.example.net"]
        proxy_from = ["10.0.0.0/8"]
        [[listen]]
        address = "unix:irc.sock"
        [limits]
        upstream_lines_per_s = 2
        connects_per_min = 0
        login_per_min = 3
        chathistory_max = 100
        [user_defaults]
        auto_away = false
        autoplay = false
        [ops]
        user = "ops"
        network = "home"
        channel = "#ops"
        [mesh]
        address = "0.0.0.0:7000"
        key = "mesh.key"
        """,
    )
    found = config.load(path)
    assert found.server_name == "irc.example.net"
    assert found.database.url == "postgresql+psycopg://muster@db/muster"
    assert found.tls.certificate == tmp_path / "tls/chain.pem"
    assert found.told_caps == {"sts": "duration=2592000,port=6698"}
    assert found.listen[1].address == Address("::", 6697)
    assert found.listen[1].proxy_from == (ipaddress.ip_network("10.0.0.0/8"),)
    assert found.listen[1].origins == ("https://chat.example.net",)
    assert found.listen[2].address.path == str(tmp_path / "irc.sock")
    assert found.listen[2].tls is False
    assert found.limits.upstream_lines_per_s == 2.0
    assert found.user_defaults.autoplay is False
    assert found.ops is not None
    assert found.ops.channel == "#ops"
    assert found.mesh.address == Address("0.0.0.0", 7000)
    assert found.mesh.key == tmp_path / "mesh.key"


def test_all_faults_are_told_at_once_each_with_its_key_and_what_to_do(tmp_path: Path) -> None:
    text = """
        servername = "x"
        data_dir = 3
        [database]
        url = "mysql://x"
        synchronous = "often"
        [tls]
        certificate = "a.pem"
        [[listen]]
        address = "0.0.0.0"
        tls = "maybe"
        [[listen]]
        address = "::1:6697"
        [[listen]]
        address = "0.0.0.0:6667"
        tls = false
        client_certs = true
        [limits]
        connects_per_min = -1
        [ops]
        user = ""
        channel = "ops"
        [mehs]
        key = "a"
        """
    assert faults(tmp_path, text) == [
        "data_dir: is not a path; put one in quotes",
        'database.url: write "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME"',
        "database.synchronous: is not one of the choices; write 'normal' or 'full'",
        "tls: key is missing; name certificate and key, or neither",
        'listen[1].address: "0.0.0.0" has no port; write "host:port" or "unix:path"',
        "listen[1].tls: is not true or false; write true or false, without quotes",
        'listen[2].address: "::1:6697" is ambiguous; write an IPv6 address as "[::1]:6697"',
        "listen[3]: client_certs needs tls; set tls = true, or drop client_certs",
        "limits.connects_per_min: is too small; write 0 or more",
        "ops.user: is empty; fill it in",
        "ops.network: is missing; add it",
        'ops.channel: "ops" is not a channel; write it with its "#", no spaces',
        'servername: is not known here; did you mean "server_name"?',
        'mehs: is not known here; did you mean "mesh"?',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen = []", "listen: is empty; keep at least one, or remove it for the defaults"),
        ("tls = 3", "tls: is not a table; write [tls]"),
        ("data_dir = ''", "data_dir: is empty; name a directory, or remove it"),
        (
            "[history]\nkeep_days = 99_999_999_999_999",
            "history.keep_days: is too large; write 36500",
        ),
        (
            "[limits]\nchathistory_max = 99_999_999_999_999_999_999",
            "limits.chathistory_max: is too l",
        ),
        ("[ops]\nuser='a'\nnetwork='b'\nchannel='c'", 'ops.channel: "c" is not a channel'),
        ("[ops]\nuser='a'\nnetwork='b'\nchannel=''", "ops.channel: is empty; fill it in"),
        (
            "[tls]\nzebra = 1",
            "tls.zebra: is not known here; remove it (known: certificate, key, sts_days)",
        ),
        ("[tls]\nsts_days = 30", "tls: sts_days needs a certificate that clients trust; name it"),
        (
            "[tls]\ncertificate='c'\nkey='k'\nsts_days=30\n[[listen]]\naddress='a:1'\ntls=false",
            "the file: sts_days needs a [[listen]] with tls on a port, not a WebSocket",
        ),
        ("source = 'x'", "source: is not known here; remove it"),
        ("server_name = 'a b'", 'server_name: "a b" is not a host name'),
        (
            "[[listen]]\naddress='a:1'\n[[listen]]\naddress='a:1'",
            "listen: a:1 is there more than once; keep one [[listen]] of it",
        ),
        (
            "metrics='127.0.0.1:1'\n[[listen]]\naddress='127.0.0.1:1'",
            "the file: metrics is at 127.0.0.1:1, where a [[listen]] is; take another port",
        ),
        ("[[listen]]\naddress='a:70000'", 'listen[1].address: "70000" is not a port'),
        (
            "[[listen]]\naddress='a:1'\norigins=['chat.example.net']",
            'listen[1].origins: "chat.example.net" is no origin; write "https://chat.example.net"',
        ),
        ("[[listen]]\naddress='unix:'", 'listen[1].address: "unix:" names no socket'),
        ("x = y", "is not TOML: Invalid value (at line 1, column 5); correct that line"),
    ],
)
def test_a_fault_says_what_to_do(text: str, said: str, tmp_path: Path) -> None:
    (line,) = faults(tmp_path, text)
    assert line.startswith(said)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_database_password_is_not_shown(scheme: str, tmp_path: Path) -> None:
    """The shorter form is what PostgreSQL's own tools take, and `history move`."""
    path = write(tmp_path, f'[database]\nurl = "{scheme}://muster:hunter2@db/muster"')
    found = config.load(path)
    assert found.database.url == f"{scheme}://muster:hunter2@db/muster"
    assert "hunter2" not in repr(found)


def test_a_configuration_does_not_change() -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        config.load(environ={}).server_name = "x"


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/x", True),
        ("0.0.0.0:1", False),
        ("irc.example.net:1", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(text: str, loopback: bool) -> None:
    address = Address.parse(text)
    assert address.loopback is loopback
    assert str(address) == text


@pytest.mark.parametrize("key", ["metrics", "mesh.address", "ident.listen"])
def test_what_others_ask_over_the_network_is_no_unix_socket(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{key}: is a unix socket"):
        config.load(write(tmp_path, f'{key} = "unix:/run/s"'))
