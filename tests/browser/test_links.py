"""A person sees a head as lines between tokens, one head or several, and reads the text word by word."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW
from tests.browser.test_explore import answered, drawn, open_first_page
from tests.running import RunningSite

pytestmark = pytest.mark.browser

TEXT = "Zebulon the baker met Quixley the tinker. The next day, Zebulon the baker met Quixley the"
INDUCTION, PREVIOUS = ("decoder.self.1", 0), ("decoder.self.0", 1)
PICKED = "picked=decoder.self.1.0_decoder.self.0.1"
# --pick-1 and --pick-2 of the light theme.
BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xB8, 0x7A, 0x00)
NO_WEBGL = """
  const open = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind === "webgl2" ? null : open.call(this, kind, ...rest);
  };
"""


@pytest.fixture(scope="module")
def run(site: RunningSite) -> str:
    return str(site.traced("prose", TEXT)["id"])


def open_links(page: Page, run: str, query: str = "") -> Locator:
    page.goto(f"/runs/{run}?as=links&{query}")
    answered(page)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    return page.locator(".links-stage")


def exact_map(site: RunningSite, run: str, head: tuple[str, int]) -> list[list[float]]:
    told = site.read(run)
    name, number = head
    address = f"/api/v1/runs/{told['id']}/maps/{name}/{number}"
    answer = site.http.get(address, headers={"Accept": "application/json"}).raise_for_status().json()
    weights: list[list[float]] = answer["weights"]
    return weights


def share(value: float) -> str:
    """A weight as the page writes it."""
    if value >= 0.995:
        return "1.00"
    return f"{value:.{3 if value < 0.0995 else 2}f}"[1:]


def strongest(weights: Sequence[float], many: int) -> list[int]:
    worth = [index for index, weight in enumerate(weights) if weight >= 0.01]
    return sorted(worth, key=lambda index: -weights[index])[:many]


def near(page: Page, place: Locator, colour: tuple[int, int, int]) -> int:
    """How many pixels of a place are of this hue: along the line from paper to the colour, at least half of the way."""
    picture = base64.b64encode(place.screenshot()).decode()
    count = page.evaluate(
        """async ([picture, colour]) => {
             const bytes = Uint8Array.from(atob(picture), character => character.charCodeAt(0));
             const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
             const copy = new OffscreenCanvas(image.width, image.height).getContext('2d');
             copy.drawImage(image, 0, 0);
             const {data} = copy.getImageData(0, 0, image.width, image.height);
             const paper = [0xfb, 0xfa, 0xf7];
             const way = colour.map((part, index) => part - paper[index]);
             const length = Math.hypot(...way);
             let found = 0;
             for (let at = 0; at < data.length; at += 4) {
               const from = paper.map((part, index) => data[at + index] - part);
               const along = from.reduce((sum, part, index) => sum + part * way[index], 0) / length;
               const off = Math.sqrt(Math.max(0, from.reduce((sum, part) => sum + part * part, 0) - along * along));
               if (along > length / 2 && off < 0.15 * along) found++;
             }
             return found;
           }""",
        [picture, list(colour)],
    )
    return int(count)


def test_map_turns_into_links_by_button_and_by_key_and_the_address_keeps_it(page: Page) -> None:
    open_first_page(page)
    links, map_body = page.locator(".links-body"), page.locator(".map-body")
    page.get_by_role("radio", name="Links").click()
    expect(links).to_be_visible()
    expect(map_body).to_be_hidden()
    assert "as=links" in page.url
    assert drawn(page, ".links-stage") > 8
    page.reload()
    answered(page)
    expect(links).to_be_visible()
    page.keyboard.press("l")
    expect(map_body).to_be_visible()
    expect(page.get_by_role("radio", name="Map")).to_be_checked()
    page.get_by_label("Text", exact=True).press("l")
    expect(links).to_be_hidden()


@pytest.mark.parametrize("side", ["rows", "cols"])
def test_hovered_token_shows_its_own_weights(page: Page, site: RunningSite, run: str, side: str) -> None:
    """On the left what it looks at, on the right who looks at it, compared with the map that the API gives."""
    stage = open_links(page, run, "site=decoder.self.1&head=0")
    box = stage.bounding_box()
    assert box
    # A token late in the text looks at many; one early in it is looked at by many.
    across, down = (0.12, 0.7) if side == "rows" else (0.88, 0.3)
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    words = page.locator(".links-words")
    expect(words).to_contain_text("looks at" if side == "rows" else "is looked at by")
    expect(words).not_to_contain_text("on its way")
    heading, links = words.locator("p").all_inner_texts()
    position = int(re.findall(r"position (\d+)", heading)[0])
    weights = exact_map(site, run, INDUCTION)
    line = weights[position] if side == "rows" else [row[position] for row in weights]
    expected = [f"{index} {share(line[index])}" for index in strongest(line, 5)]
    assert re.findall(r"(\d+ (?:\.\d+|1\.00))(?:,|$)", links) == expected
    expect(page.locator(".tooltip")).to_contain_text(expected[0])


def test_picked_heads_are_drawn_together_each_in_its_colour(page: Page, run: str) -> None:
    stage = open_links(page, run, PICKED)
    assert near(page, stage, BLUE) > 200
    assert near(page, stage, ORANGE) > 200
    legend = page.get_by_role("list", name="Heads by colour")
    assert legend.get_by_role("listitem").all_inner_texts() == ["L1 · H0", "L0 · H1"]


def test_one_head_is_drawn_in_one_colour(page: Page, run: str) -> None:
    stage = open_links(page, run, "site=decoder.self.1&head=0")
    assert near(page, stage, ORANGE) == 0
    expect(page.get_by_role("list", name="Heads by colour")).to_be_hidden()


def test_lines_are_drawn_without_webgl_too(page: Page, run: str) -> None:
    page.add_init_script(NO_WEBGL)
    stage = open_links(page, run, PICKED)
    assert near(page, stage, BLUE) > 200
    assert near(page, stage, ORANGE) > 200


def test_threshold_leaves_lines_out(page: Page, run: str) -> None:
    query = "site=decoder.self.2&head=3"
    everything = drawn_pixels(page, open_links(page, run, query))
    assert drawn_pixels(page, open_links(page, run, f"{query}&mass=0.5")) < 0.8 * everything


def drawn_pixels(page: Page, stage: Locator) -> int:
    box = stage.bounding_box()
    assert box
    middle = {"x": box["x"] + box["width"] * 0.3, "y": box["y"] + 40, "width": box["width"] * 0.4, "height": 300}
    picture = base64.b64encode(page.screenshot(clip=middle)).decode()  # type: ignore[arg-type]
    count = page.evaluate(
        """async picture => {
             const bytes = Uint8Array.from(atob(picture), character => character.charCodeAt(0));
             const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
             const copy = new OffscreenCanvas(image.width, image.height).getContext('2d');
             copy.drawImage(image, 0, 0);
             const {data} = copy.getImageData(0, 0, image.width, image.height);
             let found = 0;
             for (let at = 0; at < data.length; at += 4) if (data[at] < 0xf8) found++;
             return found;
           }""",
        picture,
    )
    return int(count)


def test_keys_walk_the_tokens_and_keep_one(page: Page, run: str) -> None:
    open_links(page, run)
    links = page.get_by_role("application", name=re.compile("Links between tokens"))
    words = page.locator(".links-words")
    links.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(words).to_contain_text("position 1, looks at")
    page.keyboard.press("ArrowRight")
    expect(words).to_contain_text("position 1, is looked at by")
    page.keyboard.press("Enter")
    assert "token=decoder.1" in page.url
    page.mouse.move(5, 5)
    expect(words).to_contain_text("position 1, is looked at by")
    page.keyboard.press("Escape")
    page.locator("h1").click(force=True)
    expect(words).to_be_empty()


def test_long_text_scrolls_in_its_window(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", "so it goes and " * 50)["id"]
    stage = open_links(page, run)
    box = stage.bounding_box()
    assert box
    names = page.locator(".links-words")
    left = (box["x"] + box["width"] * 0.12, box["y"] + box["height"] * 0.5)
    page.mouse.move(*left)
    expect(names).to_contain_text("position")
    before = names.inner_text()
    page.mouse.wheel(0, 1500)
    page.mouse.move(left[0] + 1, left[1])
    expect(names).not_to_have_text(before)
    assert int(re.findall(r"position (\d+)", names.inner_text())[0]) > 90


def test_cross_attention_has_the_target_on_the_left_and_the_source_on_the_right(page: Page, site: RunningSite) -> None:
    run = site.traced("numbers", "the fourteenth of july seventeen eighty-nine")["id"]
    open_links(page, run, "site=decoder.cross.1&head=2&token=encoder.3")
    expect(page.locator(".links-words")).to_contain_text("july, position 3, is looked at by")


def test_strip_averages_the_picked_heads_or_lays_them_over_one_another(page: Page, site: RunningSite, run: str) -> None:
    open_links(page, run, f"{PICKED}&token=decoder.25")
    tokens = page.get_by_role("region", name="Tokens").first
    maps = [exact_map(site, run, head)[25] for head in (INDUCTION, PREVIOUS)]
    mean = [sum(pair) / 2 for pair in zip(*maps, strict=True)]
    expect(tokens).to_contain_text("average of 2 heads")
    first = strongest(mean, 1)[0]
    expect(tokens.locator(".link").first).to_have_text(re.compile(rf"{first} {re.escape(share(mean[first]))}$"))
    page.get_by_role("radio", name="Overlay").click()
    expect(tokens.locator(".caption-head")).to_have_count(2)
    for number, line in enumerate(maps):
        best = strongest(line, 1)[0]
        text = re.compile(rf"{best} {re.escape(share(line[best]))}$")
        expect(tokens.locator(".caption-head").nth(number).locator(".link")).to_have_text(text)
    strip = tokens.locator(".words")
    assert near(page, strip, BLUE) > 20
    assert near(page, strip, ORANGE) > 20
    page.reload()
    expect(page.get_by_role("radio", name="Overlay")).to_be_checked()


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_narrow_strip_has_room_for_picked_heads_above_the_text(page: Page, run: str) -> None:
    """The tools took a line more, and the third line of what a token looks at lay over the text."""
    open_links(page, run, f"{PICKED}&token=decoder.6")
    tokens = page.get_by_role("region", name="Tokens").first
    expect(tokens).to_contain_text("average of 2 heads")
    # The last tool, the last words of what is said, the text: each ends where the next begins, or before.
    parts = (".tokens-tools", ".tokens-caption > :last-child", ".tokens-body")
    tools, said, text = (tokens.locator(part).bounding_box() or {} for part in parts)
    assert tools["x"] >= 0 and tools["x"] + tools["width"] <= NARROW["width"]
    assert tools["y"] + tools["height"] <= said["y"]
    assert said["y"] + said["height"] <= text["y"]


def test_tokens_of_a_word_stand_as_one_when_asked_to(page: Page, site: RunningSite, run: str) -> None:
    """A word receives the sum over its tokens, seen from the mean of its own."""
    open_links(page, run, "site=decoder.self.1&head=0")
    tokens = page.get_by_role("region", name="Tokens").first
    expect(tokens.locator(".words")).to_have_text(TEXT.replace(" ", "·"))
    many = tokens.locator(".token").count()
    page.get_by_role("button", name="Whole words").click()
    expect(tokens.locator(".token").first).to_have_text("Zebulon")
    assert tokens.locator(".token").count() < many
    expect(tokens.locator(".words")).to_have_text(TEXT.replace(" ", "·"))
    second_baker = tokens.locator(".token", has_text="baker").nth(1)
    second_baker.click()
    page.mouse.move(5, 5)
    assert "words=whole" in page.url
    expect(tokens).to_contain_text("position 25 to 26")
    weights = exact_map(site, run, INDUCTION)
    own = [(first + second) / 2 for first, second in zip(weights[25], weights[26], strict=True)]
    expect(tokens.locator(".links").first).to_contain_text(f"·baker5 {share(own[5] + own[6])}")


@pytest.mark.parametrize(
    "context",
    [{"viewport": NARROW}, {"viewport": NARROW, "color_scheme": "dark"}],
    indirect=True,
    ids=["light", "dark"],
)
def test_links_fit_a_narrow_window(page: Page, run: str) -> None:
    open_links(page, run, PICKED)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert drawn(page, ".links-stage") > 8
    expect(page.get_by_role("radio", name="Overlay")).to_be_visible()
