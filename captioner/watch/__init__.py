"""Watch a camera or a folder and report changed captions."""
