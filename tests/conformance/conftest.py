"""Whole suites run only when asked for: ``pytest -m conformance``."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "conformance: whole conformance suites, minutes long; pytest -m conformance"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "conformance" not in config.option.markexpr:
        whole = [item for item in items if item.get_closest_marker("conformance")]
        config.hook.pytest_deselected(items=whole)
        items[:] = [item for item in items if item not in set(whole)]
