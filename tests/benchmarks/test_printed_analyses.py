"""What R's survival, textbooks and Newcombe printed, beside ours: the same script that prints the table."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "printed_analyses.py"


def test_every_printed_result_is_reproduced_to_its_last_digit():
    spec = importlib.util.spec_from_file_location("printed_analyses", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    table = script.table()
    assert len(table) > 80
    assert table["analysis"].nunique() >= 8
    wrong = table[~table["agrees"]]
    assert wrong.empty, wrong.to_string()
