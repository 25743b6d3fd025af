"""In CI nothing is skipped for want of a program: .ci/run has installed all of them.

How long an example of a property takes decides nothing: a busy machine would find faults that are
none.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.real.needs import skip_is_a_fault

settings.register_profile("muster", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("mutant", settings.get_profile("muster"), phases=[Phase.generate])
settings.load_profile("muster")

# Half a minute and more each: begun last, one of them would be waited for alone.
LONGEST = """
bench/test_bench bouncer/test_transfer bouncer/control/test_commands e2e/test_bad_input
bouncer/test_cli fallback/test_app e2e/test_kept e2e/test_serving fallback/test_dismissed
storage/test_trouble fallback/desk/test_reception fallback/desk/test_two_agents
bouncer/control/test_soju storage/test_flat e2e/test_kill
""".split()  # noqa: SIM905
_PLACES = {Path(__file__).parent / f"{name}.py": place for place, name in enumerate(LONGEST)}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _PLACES.get(item.path, len(_PLACES)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001
    call: pytest.CallInfo[Any],  # noqa: ARG001
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if skip_is_a_fault(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report
