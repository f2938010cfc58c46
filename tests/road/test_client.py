"""A script asks a site: every example of the client's README is run, and so is what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest

from tests.running import HOUSE, RunningSite

CLIENT = HOUSE / "webapp" / "client"
EXAMPLES = re.findall(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def training_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path_factory.mktemp("client") / "data", trainers=1)
    yield running
    running.stop()


@pytest.fixture
def headlight(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(CLIENT))
    import headlight

    return headlight


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_example_of_the_readme_runs(
    training_site: RunningSite, headlight: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(example.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{training_site.port}"), names)
    assert len(EXAMPLES) == 5
    said = capsys.readouterr().out
    assert "The old man" in said and "finished" in said
    assert names["client"].shares() == []


def test_map_is_what_the_site_says_it_is(site: RunningSite, headlight: Any) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    run = client.trace("prose", "So it goes, and so it went.", progress=False)
    told = site.http.get(f"/api/v1/runs/{run.id}/maps/decoder.self.1/3").json()["weights"]
    weights = run.map(1, 3)
    assert weights.dtype == np.float32 and np.array_equal(weights, np.array(told, np.float32))
    part = run.map("decoder.self.1", 3, rows=slice(2, 4), cols=slice(0, 3))
    assert np.allclose(part, weights[2:4, 0:3], atol=1e-6)
    assert run.map(1, 3, cell=2).shape == (-(-len(run.tokens) // 2),) * 2


@pytest.mark.parametrize("order", [{}, {"kind": "generate", "generate": {"max_tokens": 3}}])
def test_exported_notebook_makes_the_run_again(
    site: RunningSite, headlight: Any, monkeypatch: pytest.MonkeyPatch, order: dict[str, Any]
) -> None:
    """Its cells in their order, as a kernel would run them; of matplotlib only what it is asked to draw."""
    run = site.traced("prose", 'It\'s "so": so it goes.', **order)
    exported = site.http.get(f"/api/v1/runs/{run['id']}/notebook?site=decoder.self.2&head=1").raise_for_status()
    pyplot = mock.MagicMock()
    pyplot.subplots.return_value = (axes := mock.MagicMock(), axes)
    monkeypatch.setitem(sys.modules, "matplotlib", mock.MagicMock(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    monkeypatch.setenv("HEADLIGHT_URL", f"http://127.0.0.1:{site.port}")
    names: dict[str, Any] = {}
    for cell in nbformat.reads(exported.text, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    again = names["run"]
    assert again.id != run["id"]
    assert [token.text for token in again.tokens] == [token["text"] for token in run["tokens"]]
    told = site.http.get(f"/api/v1/runs/{run['id']}/maps/decoder.self.2/1").json()["weights"]
    assert names["weights"] == pytest.approx(np.array(told), abs=1e-5)
    (drawn,) = axes.imshow.call_args.args
    assert drawn == pytest.approx(np.sqrt(names["weights"]))


SHARED: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"row": 5, "col": 2}, "token=decoder.5&key=2", ["pairs/decoder.self.2/1?row=5&col=2"]),
    ({"reading": "value"}, "reading=value", ["maps/decoder.self.2/1?reading=value"]),
    (
        {"reading": "flow", "row": -1},
        "token=decoder.{last}&reading=flow",
        ["maps/decoder.self.2/1?reading=flow&{rest}"],
    ),
    (
        {"reading": "gradient", "row": 5, "token": 7},
        "token=decoder.5&reading=gradient.7",
        ["maps/decoder.self.2/1?reading=gradient&position=5&token=7"],
    ),
    (
        {"reading": "gradient"},
        "reading=gradient.{likeliest}",
        ["maps/decoder.self.2/1?reading=gradient&position={last}&token={likeliest}"],
    ),
    ({"lens": slice(1, 4)}, "", ["lens?positions=1:4"]),
    (
        {"compare_with": "other", "partners": [("decoder", 1, 2)]},
        "with=second&pairs=decoder.1.2",
        ["comparison?alignment=decoder.1.2", "second/maps/decoder.self.2/1", "second/frames"],
    ),
]


@pytest.mark.parametrize(("asked", "view", "kept"), SHARED)
def test_share_keeps_what_a_script_has_in_view(
    site: RunningSite, headlight: Any, asked: dict[str, Any], view: str, kept: list[str]
) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    run = client.trace("prose", "So it goes, and so it went.", progress=False)
    if "compare_with" in asked:
        asked = {**asked, "compare_with": client.trace("prose", "And so it goes, and so it went.", progress=False)}
    last = len(run.tokens) - 1
    known = {"last": last, "likeliest": run.next_tokens(top=1)[0].id, "rest": f"rows={last}:{last + 1}"}
    link = run.share(layer=2, head=1, **asked)
    told = site.http.get(f"/api/v1/shares/{link.slug}").json()
    expected = f"?site=decoder.self.2&head=1&{view.format(**known)}".rstrip("&")
    assert unquote(told["view"]) == expected
    for path in kept:
        answer = site.http.get(f"/api/v1/shares/{link.slug}/{path.format(**known)}")
        assert answer.status_code == 200, answer.text
    link.revoke()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"reading": "mood", "layer": 1}, "no reading"),
        ({"reading": "flow"}, "give its layer too"),
        ({"layer": 1, "col": 2}, "give row too"),
        ({"layer": 1, "row": 99}, "row goes from 0 to"),
        ({"layer": 1, "token": 5}, "reading='gradient'"),
        ({"layer": 1, "partners": [("decoder", 1, 1)]}, "give compare_with too"),
        ({"layer": 1, "tuned": True}, "lens=slice"),
        ({"layer": 1, "lens": slice(3, 3)}, "without a step"),
        ({"layer": 9}, "names no one site"),
    ],
)
def test_share_that_contradicts_itself_is_refused_before_it_is_sent(
    site: RunningSite, headlight: Any, asked: dict[str, Any], sentence: str
) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    run = client.trace("prose", "So it goes.", progress=False)
    shares = len(client.shares())
    with pytest.raises(ValueError, match=sentence):
        run.share(**asked)
    assert len(client.shares()) == shares


def test_share_for_a_class_is_asked_for_by_its_id(site: RunningSite, headlight: Any) -> None:
    """Nobody has signed in here, so the site says what is missing."""
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    run = client.trace("prose", "So it goes.", progress=False)
    with pytest.raises(headlight.HeadlightError, match="Sign in to share") as refused:
        run.share(audience="class", class_id="a" * 26)
    assert refused.value.field == "audience"
    with pytest.raises(headlight.HeadlightError, match="Classes are for people who sign in"):
        client.classes()


def test_run_shows_itself_in_a_notebook_and_escapes_its_text(site: RunningSite, headlight: Any) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    shown = client.trace("prose", "<script>alert(1)</script>", progress=False)._repr_html_()
    assert shown.count("<img") == 32 and "<script>" not in shown and "data:image/png;base64," in shown


def test_refusal_is_the_sites_own_sentence(site: RunningSite, headlight: Any) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}")
    with pytest.raises(headlight.HeadlightError, match="There is no model") as refused:
        client.trace("nobody", "a")
    assert (refused.value.code, refused.value.status, refused.value.field) == ("unknown_model", 404, "model")
    with pytest.raises(headlight.HeadlightError) as unknown:
        headlight.Client(f"http://127.0.0.1:{site.port}", token="hl_wrong").models()
    assert unknown.value.code == "bad_token"


def test_client_needs_no_torch_and_no_django() -> None:
    program = (
        "import sys, headlight; print(sorted({'torch', 'django', 'httpx', 'requests', 'pandas'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=CLIENT, capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    assert answer.stdout.strip() == "[]"


def test_client_is_typed(tmp_path: Path) -> None:
    strictly = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path)]
    answer = subprocess.run(
        [*strictly, "-p", "headlight"],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
