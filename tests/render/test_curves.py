"""Curves of braille dots, compared with results worked by hand."""

from attn_cli.render.curves import curve, sparkline


def test_a_sparkline_spans_from_the_smallest_to_the_largest_value():
    assert sparkline([0.0, 3.5, 7.0]) == "▁▅█"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""


def test_more_values_than_cells_are_subsampled_with_the_last_value():
    line = sparkline([float(n) for n in range(100)], width=8)
    assert line == "▁▂▃▄▅▆▇█"


def test_a_straight_line_runs_from_corner_to_corner():
    assert curve([(0, 0), (1, 1)], width=2, height=1) == ["⡠⠊"]
    assert curve([(0, 1), (1, 0)], width=2, height=1) == ["⠑⢄"]


def test_one_point_is_a_dot_and_no_points_are_blank():
    assert curve([(0, 5)], width=2, height=1, x=(0, 1), y=(0, 10)) == ["⠄⠀"]
    assert curve([], width=2, height=1) == ["⠀⠀"]


def test_points_outside_the_axes_are_not_drawn():
    assert curve([(0, 0), (0, 9)], width=1, height=1, x=(0, 1), y=(0, 3)) == ["⡇"]
