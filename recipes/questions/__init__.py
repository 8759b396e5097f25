"""Questions made from captions, to train on."""
