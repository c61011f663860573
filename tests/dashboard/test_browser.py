"""The page in a real browser: choose a run, see its curve move, compare it with another."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dashboard.browser import Browser, start
from tests.dashboard.conftest import Visitor
from tests.dashboard.runs import WON, append, make_run, moment
from tests.support import command_line, killed_at_the_end, start_process

Visit = Callable[..., Visitor]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = start(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def visitor(tmp_path: Path, visit: Visit) -> Visitor:
    """A run that goes on, two that are done, one that failed."""
    going = {"status": "RUNNING", "heartbeat": moment(0), "start_time": moment(10)}
    config = {"name": "kfacmac", "t_max": 1000, "lr": 0.002}
    folder = make_run(tmp_path / "1", [(100, 0.1), (200, 0.2)], config=config, run=going)
    append(folder, "200,k/cosine,0.99,1.0", "200,k/level,2,1.0")
    for seed in (1, 2):
        points = [(100 * i, i / (9 + seed)) for i in range(1, 10)]
        ours = {"seed": seed, "t_max": 900, "lr": 0.001}
        make_run(tmp_path / str(1 + seed), points, config=ours, run={"start_time": moment(99)})
    failed = {"status": "FAILED", "fail_trace": [f"ValueError: {EVIL}\n"], "start_time": moment(50)}
    folder = make_run(tmp_path / "4", [(100, 0.1)], config={"name": EVIL}, run=failed)
    (folder / "cout.txt").write_text(f"all went well {EVIL}\nthen not\n")
    return visit(tmp_path)


@pytest.fixture
def page(browser: Browser, visitor: Visitor) -> Iterator[Browser]:
    browser.open("about:blank")
    browser.open(visitor.server.url)
    browser.until(lambda: len(browser.all("#runs tbody tr")) == 4, "four runs")
    yield browser
    assert browser.complaints() == []


def line(page: Browser) -> str:
    """The drawn path of the only curve."""
    path = "document.querySelector('.curve .line')?.getAttribute('d')"
    return str(page.script(f"return {path} ?? ''"))


def points(page: Browser) -> int:
    return line(page).count(",")


def drawn(page: Browser) -> int:
    return len(page.all(".chart .curve"))


def row(visitor: Visitor, run_id: str) -> str:
    return f"#runs tr[data-key='{visitor.key(run_id)}']"


def box(visitor: Visitor, run_id: str) -> str:
    return f"#box-{visitor.key(run_id)}"


def test_choose_a_run_and_see_its_curve_move(
    page: Browser, visitor: Visitor, tmp_path: Path
) -> None:
    assert "running" in page.text(row(visitor, "1"))
    assert "Choose a run" in page.text("#view")
    page.click(f"#only-{visitor.key('1')}")
    page.until(lambda: points(page) == 2, "a curve of two points")
    append(tmp_path / "1", f"300,{WON},0.7,2.0", f"400,{WON},0.5,3.0")
    page.until(lambda: points(page) == 4, "two more points")
    page.until(lambda: "40%" in page.text(row(visitor, "1")), "its progress in the table")
    assert "0.70" in page.text(row(visitor, "1"))  # the best
    assert "0.5" in page.text(".legend")
    assert page.text("#live").startswith("live")


def test_compare_runs(page: Browser, visitor: Visitor) -> None:
    page.click(box(visitor, "1"))
    page.click(box(visitor, "2"))
    page.click(box(visitor, "3"))
    page.until(lambda: drawn(page) == 3, "three curves")
    colours = {curve.get_attribute("class") for curve in page.all(".chart .curve")}
    assert len(colours) == 3
    page.click("[aria-label='Seeds'] button:last-child")
    page.until(lambda: drawn(page) == 2, "two groups")
    assert "qmix on sc2/3m (2)" in page.text(".legend")
    assert len(page.all(".chart .band")) == 2
    page.click("#tab-settings")
    page.until(lambda: "lr" in page.text(".settings"), "the settings that differ")
    cells = {r.text.split()[0]: r.text.split()[1:] for r in page.all(".settings tbody tr")}
    assert cells["lr"] == ["0.002", "0.001", "0.001"]
    assert cells["name"] == ["kfacmac", "qmix", "qmix"]
    assert "env" not in cells
    page.driver.refresh()  # the address keeps what was chosen
    page.until(lambda: "lr" in page.text(".settings"), "the same after a reload")
    assert len(page.all("#runs tr[aria-selected='true']")) == 3


def test_k_levels(page: Browser, visitor: Visitor) -> None:
    page.click(box(visitor, "1"))
    page.click("#tab-levels")
    page.until(lambda: len(page.all("figure .curve")) == 2, "two diagnostics")
    assert "k/cosine" in page.text(".grid")
    page.click("#clear")
    page.click(box(visitor, "2"))
    page.until(lambda: "None of the chosen runs" in page.text("#view"), "that it has none")


def test_errors_and_console_are_text_whatever_is_in_them(page: Browser, visitor: Visitor) -> None:
    page.click(box(visitor, "4"))
    page.click("#tab-console")
    page.until(lambda: "ValueError" in page.text(".failure"), "the error")
    assert EVIL in page.text(".failure")
    assert "then not" in page.text(".console")
    assert EVIL in page.text(row(visitor, "4"))
    assert page.all("img[src='x']") == []


def test_filter_sort_and_keys(page: Browser, visitor: Visitor) -> None:
    page.script("document.activeElement.blur()")
    type_keys(page, "/qmix seed=2")
    page.until(lambda: len(page.all("#runs tbody tr")) == 1, "one run")
    type_keys(page, "zzz")
    page.until(lambda: "No run fits" in page.text("#empty"), "that nothing fits")
    page.script("location.hash = ''")
    page.until(lambda: len(page.all("#runs tbody tr")) == 4, "all again")
    page.click("#sort-last")
    order = [r.get_attribute("data-key") for r in page.all("#runs tbody tr")]
    last = {v["key"]: v["last"] for v in visitor.lines().values()}
    assert [last[key] for key in order] == sorted(last.values())
    page.one("#tab-curves").send_keys("\ue014")  # arrow right
    assert page.script("return document.activeElement.id") == "tab-levels"


def test_the_chart_has_a_cursor_for_keys(page: Browser, visitor: Visitor) -> None:
    page.click(box(visitor, "2"))
    page.until(lambda: drawn(page) == 1, "a curve")
    page.one(".chart svg").send_keys("\ue012")  # arrow left
    assert "900 steps" in page.text(".tip")
    page.one(".chart svg").send_keys("\ue012")
    assert "800 steps" in page.text(".tip")
    assert "0.8" in page.text(".tip")


def test_it_says_when_the_server_has_gone(browser: Browser, tmp_path: Path) -> None:
    """The command itself, as a process that is killed."""
    make_run(tmp_path / "1", [(1, 0.5)], run={"status": "RUNNING", "heartbeat": moment(0)})
    words = command_line("dashboard", str(tmp_path), "--port", "0")
    started = start_process(words, stdout=subprocess.PIPE, text=True)
    with killed_at_the_end(started) as process:
        assert process.stdout is not None
        (url,) = re.findall(r"http://\S+", process.stdout.readline())
        browser.open(url)
        browser.until(lambda: browser.text("#live").startswith("live"), "that it is live")
        process.kill()
    browser.until(lambda: "does not answer" in browser.text("#live"), "the complaint")
    assert "0.50" in browser.text("#runs tbody")  # what was known stays
    assert all("ERR_" in message for message in browser.complaints())


def test_no_runs_yet(browser: Browser, visit: Visit, tmp_path: Path) -> None:
    visitor = visit(tmp_path)
    browser.open(visitor.server.url)
    browser.until(lambda: "No runs here yet" in browser.text("#empty"), "that there are none")


def type_keys(page: Browser, text: str) -> None:
    page.driver.switch_to.active_element.send_keys(text)


def test_an_odd_bookmark_shows_what_is_usual(page: Browser, visitor: Visitor) -> None:
    odd = ("axis=foo&sort=__proto__&tab=toString", "axis=seconds&together=x&toString=1")
    for words in odd:
        page.open("about:blank")
        page.open(f"{visitor.server.url}#runs={visitor.key('2')}&{words}")
        page.until(lambda: drawn(page) == 1, "a curve")
        axis = "Time" if "seconds" in words else "Steps"
        assert page.text("[aria-label='Over'] [aria-pressed='true']") == axis
        assert page.text("[aria-label='Seeds'] [aria-pressed='true']") == "Each run"


def test_odd_settings_leave_the_table_whole(browser: Browser, tmp_path: Path, visit: Visit) -> None:
    make_run(tmp_path / "1", [(10, 0.5)], config={"t_max": "many"}, run={"stop_time": 5})
    make_run(tmp_path / "2", [(10, 0.25)], config={"t_max": "2e6"}, run={"earlier_sessions": [{}]})
    visitor = visit(tmp_path)
    browser.open(visitor.server.url)
    browser.until(lambda: len(browser.all("#runs tbody tr")) == 2, "both runs")
    for run_id, told in (("1", "Ended"), ("2", "resumed once")):
        browser.click(f"#only-{visitor.key(run_id)}")
        browser.click("#tab-console")
        browser.until(lambda told=told: told in browser.text(".facts"), told)
    assert browser.complaints() == []


def test_settings_of_a_torn_run(browser: Browser, tmp_path: Path, visit: Visit) -> None:
    """What can be compared is; what cannot is said. Text does not look like a number."""
    for run_id, rate in (("1", 0.1), ("2", 0.9), ("3", "0.9")):
        game = {"game": f"4.{run_id}"}
        make_run(tmp_path / run_id, [], config={"lr": rate}, environment=game)
    (tmp_path / "3" / "info.json").write_text('{"environment": ')
    visitor = visit(tmp_path)
    keys = ",".join(visitor.key(run_id) for run_id in "123")
    browser.open(f"{visitor.server.url}#tab=settings&runs={keys}")
    browser.until(lambda: "environment.game" in browser.text(".settings"), "the versions")
    cells = dict(row.text.split(maxsplit=1) for row in browser.all(".settings tbody tr"))
    assert cells == {"environment.game": "4.1 4.2 not known", "lr": '0.1 0.9 "0.9"'}
    assert "The environment of run 3 cannot be read" in browser.text("#view")


TICKS = """
return Promise.all([import("/scale.js"), import("/format.js")]).then(([scale, format]) => {
  const { values, step } = scale.ticks(...scale.padded(arguments[0]), 6);
  return values.map((value) => format.tickText(value, step));
});
"""


TICKED = {  # extent -> one of its ticks
    (0, 200_000): "50k",
    (0.99995, 1.00005): "1.00002",
    (0, 0.0001): "2e-5",
    (1_000_000, 1_000_500): "1.0001M",
    (1 - 2**-53, 1): "0.8",  # the same but for rounding
    (2.0**53, 2.0**53 + 2): "8000000G",
    (0, 0): "0.2",
    (-1e300, 1e300): "0",
}


def test_ticks_can_be_told_apart(page: Browser) -> None:
    for extent, some in TICKED.items():
        found = page.script(TICKS, extent)
        assert 2 < len(found) < 15, extent
        assert len(set(found)) == len(found), extent
        assert some in found, extent


def test_the_focus_stays_where_it_is_while_a_run_goes_on(
    page: Browser, visitor: Visitor, tmp_path: Path
) -> None:
    page.click(box(visitor, "1"))
    page.until(lambda: drawn(page) == 1, "a curve")
    page.click("[aria-label='Over'] button:last-child")
    page.until(lambda: "&axis=seconds" in page.driver.current_url, "the other axis")
    before = points(page)
    append(tmp_path / "1", f"300,{WON},0.7,30.0")
    page.until(lambda: points(page) > before, "another point")
    focus = page.script("return document.activeElement.getAttribute('aria-pressed')")
    assert (focus, page.script("return document.activeElement.innerText")) == ("true", "Time")


def test_the_table_fits_its_half(page: Browser, visitor: Visitor) -> None:
    for run_id in "123":
        page.click(box(visitor, run_id))
    page.until(lambda: len(page.all("#runs .swatch")) == 3, "three ticks")
    hidden = "const box = document.querySelector('#list > .scroll');"
    assert page.script(f"{hidden} return box.scrollWidth - box.clientWidth") == 0
