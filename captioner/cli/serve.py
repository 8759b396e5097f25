"""`captioner serve`: a page and a JSON interface."""

import socket
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_weights
from captioner.cli.console import report
from captioner.cli.requests import example

HOST, PORT = "127.0.0.1", 8000
STOP = 10  # seconds that a clean stop may take


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "serve",
        help="a page to drop photographs on, and a JSON interface",
        description="Serve a page that captions photographs and answers questions about them, and "
        "the same as JSON, until it is stopped by Ctrl-C. Only this computer can reach it, unless "
        "--host says otherwise.",
    )
    parser.add_argument("--host", default=HOST, help=f"to listen on (default: {HOST})")
    parser.add_argument("--port", type=port, default=PORT, help=f"default: {PORT}; 0 for any")
    add_weights(parser)
    parser.set_defaults(run=run)


def port(text: str) -> int:
    """The type of an argument that is a port."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number < 2**16:
        raise ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return number


def run(args: Namespace) -> int:
    """Serve until stopped."""
    import uvicorn

    from captioner.cli.models import load_captioner
    from captioner.web.app import LOCAL, new_app

    name, model = load_captioner(args.weights)
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    try:
        listening = socket.create_server((args.host, args.port), family=family)
    except OSError as error:
        report(f"{args.host}, port {args.port}: cannot be listened on ({error.strerror})")
        return 1
    app = new_app(name, model, Path(str(example().source)), anyone=args.host not in LOCAL)
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=STOP
    )
    host, number = listening.getsockname()[:2]
    report(f"http://{f'[{host}]' if ':' in host else host}:{number}/ (Ctrl-C stops it)")
    uvicorn.Server(config).run([listening])
    return 0
