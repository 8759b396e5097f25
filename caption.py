"""Caption photographs: `python caption.py photo.jpg`."""

import sys

from captioner.cli import main

if __name__ == "__main__":
    sys.exit(main(["caption", *sys.argv[1:]]))
