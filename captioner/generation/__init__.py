"""Search, samplers and results."""

BEAM_WIDTH = 3  # the default; 5 is no better on Flickr8k's dev
