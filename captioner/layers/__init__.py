"""What the models are made of: encoders of images and text, cells, attention, the decoder."""
