from captioner.evaluation.report import Comparison, Report, Score


def test_a_row_for_each_measure_and_a_column_for_each_search():
    report = Report(
        {
            "beam 3": {"cider": Score(0.51234, (0.4, 0.6))},
            "greedy": {"cider": Score(0.4), "meteor": Score(1.0)},
        }
    )
    lines = str(report).splitlines()
    assert lines[0].split() == ["beam", "3", "greedy"]
    assert lines[1].split() == ["cider", "0.5123", "[0.4000,", "0.6000]", "0.4000"]
    assert lines[2].split() == ["meteor", "-", "1.0000"]
    assert lines[4].startswith("In brackets: 95% intervals")
    assert len(lines) == 5


def test_differences_have_a_sign():
    gains = {"cider": Score(0.02, (-0.01, 0.05))}
    report = Report({}, Comparison("beam 3", "old.json", 501, gains))
    above, line = str(report).splitlines()[-2:]
    assert above == "beam 3 less old.json, of 501 photographs that both have:"
    assert line.split() == ["cider", "+0.0200", "[-0.0100,", "+0.0500]"]
