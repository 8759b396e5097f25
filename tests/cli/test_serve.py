"""Where `captioner serve` listens, and to which names it answers."""

import pytest

from captioner.cli import main
from captioner.cli.serve import LOCAL, hosts_of


@pytest.mark.parametrize(
    ("name", "address", "also"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2", "127.0.0.2"),
        ("::1", "::1", "[::1]"),
        ("0:0:0:0:0:0:0:1", "::1", "[::1]"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]"),
        ("photographs", "127.0.1.1", "photographs"),
    ],
)
def test_an_address_of_this_computer_alone_answers_to_its_names(name, address, also):
    hosts = hosts_of(name, address)
    assert set(LOCAL) <= set(hosts) and also in hosts and "*" not in hosts


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "192.168.0.7", "fe80::1%eth0", "::ffff:8.8.8.8"]
)
def test_an_address_that_others_reach_answers_to_any_name(address):
    assert hosts_of(address, address) == ["*"]


@pytest.mark.parametrize("name", ["", "a" * 64, "..", "\udcff"])
def test_a_host_that_is_no_address_is_refused(name, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["serve", "--host", name])
    assert exit.value.code == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1].endswith(f"--host: must be an IP address or a host name, not {name!r}")


def test_an_address_of_another_computer_is_told(capsys):
    assert main(["serve", "--host", "192.0.2.1", "--port", "0"]) == 1
    err = capsys.readouterr().err
    assert "192.0.2.1, port 0: cannot listen (" in err and len(err.splitlines()) == 1
