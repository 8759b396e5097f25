"""Scores of captions and answers, and the calibration of the confidence."""
