"""Functions of several tests of the search."""

from captioner.generation.batching import generate


def candidates_of(model, inputs, sampler, seed=None, questions=None):
    """The candidates of each question about each row in turn, or of the caption of each row."""
    rows = len(next(iter(inputs.values())))
    questions = [[None]] * rows if questions is None else questions
    found = generate(model, inputs, questions, sampler=sampler, seed=seed)
    return [caption.candidates for row in found for caption in row]
