import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from brainbook.plots import claims_overview


def test_cases_stand_at_their_strength_and_others_say_why_not():
    columns = ["claim", "panel", "strength", "verdict", "note"]
    rows = [("1 a", "phantom", 2.0, "holds", ""), ("1 a", "real", 9.0, "contradicted", "Alice")]
    rows += [("2 b", "phantom", np.nan, "not run", ""), ("2 b", "real", np.nan, "not tested here", "recordings")]
    figure = claims_overview(pd.DataFrame(rows, columns=columns), "Claims")
    phantom, real = figure.axes
    marks = [
        {float(line.get_xdata()[0]): line.get_marker() for line in ax.lines if line.get_markersize() == 5}
        for ax in figure.axes
    ]
    assert marks[0].keys() == {2.0} and marks[1] == {4.0: ">"}
    assert [text.get_text() for text in phantom.texts if text.get_text()] == ["not run"]
    assert [text.get_text() for text in real.texts] == ["Alice", "recordings: not tested here"]
    assert [text.get_text() for text in phantom.get_yticklabels()] == ["1 a", "2 b"]
    plt.close(figure)
