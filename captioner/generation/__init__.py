"""How a model writes."""

BEAM_WIDTH = 3  # unless told; 5 is no better on Flickr8k's dev
