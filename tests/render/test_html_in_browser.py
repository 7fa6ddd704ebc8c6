"""The page in a browser: pointer, keyboard, slider, list, gold links and accessibility.

Skips where there is no Chromium; `.ci/run` installs it.
"""

import shutil

import pytest
from pages import CROSSING_PAIR, links_above, page_of, table, translation

from attn_cli.types import GoldAlignment, HeadAlignment

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: make setup"
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        # in a container, Chromium's own sandbox has no user namespaces
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens the page of pairs; fail at the end if a page had messages."""
    messages, contexts = [], []

    def open_page(pairs, *, width=1280, scheme="light", script=True, **options):
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(page_of(pairs, **options), encoding="utf-8")
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,
                java_script_enabled=script,
                has_touch=width < 500,
                offline=True,
            )
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: messages.append(dialog.message))
        page.goto(file.as_uri())
        page.wait_for_selector("body:not([aria-busy])" if script else "noscript", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []


ALIGNED = table(
    ["I", "love", "you"], ["Je", "t'", "aime"], [0.9, 0, 0, 0, 0, 0.8, 0, 0.6, 0], kind="alignment"
)
BOTH = translation(
    1,
    CROSSING_PAIR.source,
    CROSSING_PAIR.text,
    target_words=CROSSING_PAIR.target_words,
    alignment=CROSSING_PAIR.alignment,
    others=(ALIGNED,),
    unsure=(2,),
    confidence=0.65,
    word_logp=(-0.1, -0.2, -0.7),
)

MANY = [
    translation(n, f"line {n} " + "a " * (n % 7), f"ligne {n} é", confidence=n / 1000)
    for n in range(1, 501)
]


def word(page, side, index):
    return page.locator(f"#stage .{side} .word").nth(index)


def partners(page):
    """Return the highlighted partners, with their displayed weights."""
    return {
        each.locator("bdi").inner_text(): each.locator(".weight").inner_text()
        for each in page.locator("#stage .partner").all()
    }


def curves(page, kind="link"):
    return page.locator(f"#stage path.{kind}").count()


def test_hovering_over_a_word_highlights_its_partners_with_their_weights(open_page):
    page = open_page([CROSSING_PAIR])
    word(page, "target", 1).hover()
    assert partners(page) == {"I": "0.11", "you": "0.88"}
    assert "you" in page.locator("#details").inner_text()
    page.mouse.move(2, 2)
    assert partners(page) == {}


def test_hovering_over_a_source_word_highlights_its_target_partners(open_page):
    page = open_page([CROSSING_PAIR])
    word(page, "source", 1).hover()
    assert partners(page) == {"Je": "0.04", "aime": "0.91"}


def test_hovering_over_a_table_row_highlights_its_word(open_page):
    page = open_page([CROSSING_PAIR])
    page.locator("#table tbody td").nth(0).hover()
    assert page.locator("#stage .word.focus bdi").inner_text() == "Je"


def test_a_clicked_word_stays_highlighted_until_escape_is_pressed(open_page):
    page = open_page([CROSSING_PAIR])
    word(page, "target", 2).click()
    page.mouse.move(2, 2)
    assert "love" in partners(page)
    assert word(page, "target", 2).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert partners(page) == {}


def test_a_tap_highlights_the_partners_of_a_word(open_page):
    page = open_page([CROSSING_PAIR], width=390)
    word(page, "target", 2).tap()
    assert "love" in partners(page)


def test_a_focused_word_has_the_same_color_with_and_without_links(open_page):
    page = open_page([CROSSING_PAIR])
    color = "element => getComputedStyle(element).color"
    colors = []
    for minimum in ("0", "1000"):
        page.locator("#threshold").fill(minimum)
        word(page, "target", 2).hover()
        colors.append(page.locator("#stage .focus bdi").evaluate(color))
        page.mouse.move(2, 2)
    assert page.locator("#stage .unlinked").count() == 6
    assert colors[0] == colors[1]


def test_arrow_keys_move_along_a_sentence_and_to_the_partner(open_page):
    page = open_page([CROSSING_PAIR])
    page.locator("#threshold").focus()
    page.keyboard.press("Tab")
    assert page.locator("#stage .focus bdi").inner_text() == "I"
    page.keyboard.press("ArrowRight")
    assert page.locator("#stage .focus bdi").inner_text() == "love"
    page.keyboard.press("ArrowDown")
    assert page.locator("#stage .focus bdi").inner_text() == "aime"
    assert partners(page)["love"] == "0.91"
    page.keyboard.press("Tab")
    assert page.locator("#stage .focus").count() == 0


def test_the_slider_sets_the_minimum_weight_of_a_link(open_page):
    page = open_page([CROSSING_PAIR])
    assert curves(page) == 3
    page.locator("#threshold").fill("900")
    assert page.locator("#threshold-value").inner_text() == "0.90"
    assert curves(page) == 2
    page.locator("#threshold").fill("50")
    assert curves(page) == 5  # 0.05 reaches it, 0.04 does not
    page.locator("#reset").click()
    assert curves(page) == 3


def test_links_by_another_method_are_filtered_by_the_slider(open_page):
    page = open_page([CROSSING_PAIR], extraction="argmax", links_of=links_above(0.9))
    page.locator("#threshold").fill("10")
    assert curves(page) == 2
    page.locator("#threshold").fill("920")
    assert curves(page) == 1


def test_a_switch_selects_attention_or_the_word_aligner(open_page):
    page = open_page([BOTH])
    first = page.locator("#table tbody td").nth(0)
    assert first.inner_text() == "0.94"
    page.get_by_label("Word aligner").check(force=True)
    assert first.inner_text() == "0.90"
    assert page.locator("#threshold-value").inner_text() == "0.50"


def test_heads_are_switched(open_page):
    heads = tuple(
        HeadAlignment(layer, head, table("ab", "xy", [[layer / 10, head / 10], [0, 1]], [0, 0]))
        for layer in (1, 2)
        for head in (1, 2)
    )
    page = open_page([translation(1, "a b", "x y", heads=heads)])
    radio = page.get_by_role("radio", name="layer 2, head 1")
    radio.click()
    assert page.locator("#table tbody td").all_inner_texts()[:2] == ["0.20", "0.10"]
    assert radio.get_attribute("aria-checked") == "true"


def test_decoder_self_attention_has_no_cells_for_later_words(open_page):
    words = ["Je", "t'", "aime"]
    weights = [[0.6, 0, 0], [0.3, 0.7, 0], [0.2, 0.3, 0.5]]
    alignment = table(words, words, weights, [0.4, 0, 0], kind="decoder self-attention")
    heads = (HeadAlignment(1, 1, alignment), HeadAlignment(1, 2, alignment))
    words_of_pair = {"source_words": words, "target_words": words}
    pair = translation(
        1, "Je t'aime", "Je t'aime", alignment=alignment, heads=heads, **words_of_pair
    )
    page = open_page([pair], kind="decoder self-attention")
    cells = page.locator("#table tbody td").all_inner_texts()
    assert cells == ["0.60", "", "", "0.40", "0.30", "0.70", "", "·", "0.20", "0.30", "0.50", "·"]
    assert page.locator("#table thead .unaligned").inner_text() == "(start)"
    assert page.locator("#stage .source").get_attribute("aria-label") == "Words that are read"
    word(page, "target", 1).hover()
    assert partners(page) == {"Je": "0.30", "t'": "0.70"}
    page.get_by_role("radio", name="layer 1, head 2").click()
    assert page.locator("#table .masked").count() == 3


def test_unsure_words_are_marked(open_page):
    page = open_page([BOTH])
    assert page.locator("#stage .unsure bdi").all_inner_texts() == ["aime"]
    word(page, "target", 2).hover()
    assert "probability 0.50" in page.locator("#details").inner_text()  # exp(-0.7)


def test_gold_links_are_drawn_as_hits_misses_and_extras(open_page):
    gold = [GoldAlignment.from_links([(0, 0), (1, 2), (1, 1)], [(2, 2)])]
    page = open_page([CROSSING_PAIR], gold=gold)
    assert [curves(page, kind) for kind in ("hit", "extra", "miss")] == [2, 1, 1]
    # A = 3, S = 3, A & S = 2, A & P = 2: 1 - 4 / 6
    assert "AER of this pair 33.3" in page.locator("#legend").inner_text()
    page.locator("#gold-on").uncheck()
    assert curves(page) == 3


def test_the_list_has_rows_only_for_visible_pairs(open_page):
    page = open_page(MANY)
    assert page.locator("#count").inner_text() == "500 pairs"
    assert page.locator(".row").count() < 40
    assert page.locator(".row").first.get_attribute("aria-setsize") == "500"
    page.locator("#list").focus()
    page.keyboard.press("End")
    assert page.locator("#place").inner_text() == "500 / 500"
    assert "line 500" in page.locator('.row[aria-selected="true"]').inner_text()


def test_search_ignores_case_and_accents(open_page):
    page = open_page([*MANY[:50], translation(51, "x", "Été")])
    page.locator("#search").fill("ete")
    assert page.locator("#count").inner_text() == "1 of 51 pairs"
    assert page.locator("#stage .target").inner_text() == "Été"


def test_the_list_can_be_sorted_by_confidence_and_by_length(open_page):
    page = open_page(MANY)
    page.locator("#sort").select_option("confident")
    assert "line 500" in page.locator(".row").first.inner_text()
    page.locator("#sort").select_option("doubtful")
    assert "line 1 " in page.locator(".row").first.inner_text()
    page.locator("#sort").select_option("longest")
    assert "line 6 " in page.locator(".row").first.inner_text()


def test_the_list_is_filtered_by_unsure_words(open_page):
    page = open_page([BOTH, *MANY[1:20]])
    page.locator("#filter").select_option("unsure")
    assert page.locator("#count").inner_text() == "1 of 20 pairs"


def test_a_script_in_a_sentence_is_shown_as_text(open_page):
    hostile = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> <!--"
    page = open_page([translation(1, hostile, hostile), CROSSING_PAIR], model="<b>model</b>")
    words = page.locator("#stage .source bdi").all_inner_texts()
    assert words == hostile.split()
    assert page.locator("img").count() == 0
    assert page.locator("#model").inner_text() == "<b>model</b>"


def test_right_to_left_sentences_are_drawn_from_the_right(open_page):
    page = open_page([translation(1, "אני אוהב אותך", "I love you")])
    first, second = (word(page, "source", n).bounding_box()["x"] for n in (0, 1))
    assert first > second
    first, second = (word(page, "target", n).bounding_box()["x"] for n in (0, 1))
    assert first < second


def test_long_sentences_are_drawn_in_columns_within_the_page_width(open_page):
    text = " ".join(f"word{n}" for n in range(40))
    for width in (390, 1280):
        page = open_page([translation(1, text, text)], width=width)
        assert page.locator("#stage.columns").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_button_switches_between_the_system_colors_and_the_others(open_page):
    page = open_page([CROSSING_PAIR], scheme="dark")

    def background():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark = background()
    page.locator("#theme").click()
    assert background() != dark
    page.locator("#theme").click()
    assert background() == dark


def test_print_shows_the_pair_without_controls(open_page):
    page = open_page([BOTH, CROSSING_PAIR], scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("#list-panel").is_visible()
    assert not page.locator("#threshold").is_visible()
    assert page.locator("#table table").is_visible()


def test_the_table_of_weights_has_column_and_row_headers(open_page):
    page = open_page([CROSSING_PAIR])
    assert page.get_by_role("columnheader").all_inner_texts() == ["I", "love", "you"]
    assert page.get_by_role("rowheader").all_inner_texts() == ["Je", "t'", "aime"]
    assert page.locator("caption").count() == 1


def test_without_scripts_the_page_says_that_it_needs_javascript(open_page):
    page = open_page([CROSSING_PAIR], script=False)
    assert "JavaScript" in page.locator("noscript").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_fault_in_roles_names_and_contrast(open_page, scheme, width):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe-playwright-python is not installed: make setup",
    )
    gold = [GoldAlignment.from_links([(0, 0), (1, 1)], []), GoldAlignment.from_links([(0, 0)], [])]
    heads = (
        HeadAlignment(1, 1, CROSSING_PAIR.alignment),
        HeadAlignment(1, 2, CROSSING_PAIR.alignment),
    )
    first = translation(
        1,
        BOTH.source,
        BOTH.text,
        target_words=BOTH.target_words,
        alignment=BOTH.alignment,
        others=BOTH.others,
        heads=heads,
        unsure=(2,),
    )
    page = open_page([first, translation(2, "a", "b")], gold=gold, scheme=scheme, width=width)
    violations = axe.Axe().run(page).response["violations"]
    assert [
        (violation["id"], node["html"][:120], node["failureSummary"][:400])
        for violation in violations
        for node in violation["nodes"]
    ] == []
