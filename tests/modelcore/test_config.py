"""Addresses of attention sites, and configurations that no model can have."""

from __future__ import annotations

import pytest

from modelcore.config import AttentionSite, ModelConfig, StackConfig

STACK = StackConfig(layers=2, heads=3, feedforward_width=8)


@pytest.mark.parametrize("text", ["encoder.self.0", "decoder.self.31", "decoder.cross.1"])
def test_site_reads_what_it_writes(text):
    assert str(AttentionSite.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "decoder",
        "decoder.self",
        "decoder.self.-1",
        "decoder.self.x",
        "encoder.cross.0",
        "a.self.1",
        "décoder.self.٣",
    ],
)
def test_site_refuses_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"decoder\.self\.3"):
        AttentionSite.parse(text)


def test_sites_come_in_the_order_of_the_forward_pass():
    config = ModelConfig(vocabulary=9, positions=9, width=6, decoder=STACK, encoder=STACK, start_token=0)
    assert [str(site) for site in config.sites()] == [
        "encoder.self.0",
        "encoder.self.1",
        "decoder.self.0",
        "decoder.cross.0",
        "decoder.self.1",
        "decoder.cross.1",
    ]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"width": 7}, "width 7"),
        ({"vocabulary": 0}, "vocabulary"),
        ({"positions": True}, "positions"),
        ({"end_token": 9}, "end_token"),
        ({"encoder": STACK}, "start_token"),
        ({"decoder": StackConfig(0, 3, 8)}, "decoder.layers"),
    ],
)
def test_impossible_configuration_names_its_field(changes, named):
    with pytest.raises(ValueError, match=named):
        ModelConfig(**({"vocabulary": 9, "positions": 9, "width": 6, "decoder": STACK} | changes))
