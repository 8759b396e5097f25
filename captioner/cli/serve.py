"""`captioner serve`: a page and a JSON interface."""

import ipaddress
import socket
from argparse import ArgumentTypeError, Namespace

from captioner.cli.arguments import Subcommands, add_weights
from captioner.cli.console import report

HOST, PORT = "127.0.0.1", 8000
LOCAL = ("127.0.0.1", "localhost", "[::1]")  # names of the local computer


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "serve",
        help="serve a page, a JSON interface, and the interfaces of Ollama and OpenAI",
        description="Serve a page that captions photographs and answers questions, and the same "
        "as JSON, until Ctrl-C. Only this computer can connect, unless you give "
        "--host.",
    )
    parser.add_argument(
        "--host", type=host, default=HOST, help=f"address to listen on (default: {HOST})"
    )
    parser.add_argument(
        "--port", type=port, default=PORT, help=f"default: {PORT}; 0 for any free port"
    )
    add_weights(parser)
    parser.set_defaults(run=run)


def host(text: str) -> str:
    """Parse an address or a host name."""
    try:
        if text.encode("idna"):
            return text
    except UnicodeError:
        pass
    raise ArgumentTypeError(f"must be an address or a name of one, not {text!r}")


def port(text: str) -> int:
    """Parse a port."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number < 2**16:
        raise ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return number


def hosts_of(name: str, address: str) -> list[str]:
    """The allowed values of the Host header of requests.

    A server on a loopback address accepts only local names, against DNS rebinding by web pages.

    Args:
        name: the --host argument.
        address: the address of the socket.
    """
    number = ipaddress.ip_address(address.partition("%")[0])
    if not (getattr(number, "ipv4_mapped", None) or number).is_loopback:
        return ["*"]
    return [*LOCAL, *(f"[{text}]" if ":" in text else text for text in (name, address))]


def run(args: Namespace) -> int:
    """Serve until stopped."""
    from captioner.cli.models import load_captioner
    from captioner.web.app import new_app
    from captioner.web.connections import new_server

    name, model = load_captioner(args.weights)
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    try:
        listening = socket.create_server((args.host, args.port), family=family)
    except OSError as error:
        report(f"{args.host}, port {args.port}: cannot listen ({error.strerror})")
        return 1
    address, number = listening.getsockname()[:2]
    hosts = hosts_of(args.host, address)
    app = new_app(name, model, hosts)
    report(f"http://{f'[{address}]' if ':' in address else address}:{number}/ (Ctrl-C stops it)")
    new_server(app).run([listening])
    return 0
