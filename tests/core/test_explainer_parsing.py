from __future__ import annotations

import pytest

from cislens.errors import CislensError, PluginError
from cislens.explainer import parse_explainer
from cislens_gradients import SmoothGrad
from cislens_ism import Ism


def test_a_name_alone_is_its_own_label_and_has_the_default_settings() -> None:
    parsed = parse_explainer("ism")
    assert (parsed.label, parsed.explainer) == ("ism", Ism())


def test_settings_follow_a_colon() -> None:
    parsed = parse_explainer("smoothgrad:samples=8,noise=0.5,correct=no")
    assert (parsed.label, parsed.explainer) == ("smoothgrad", SmoothGrad(samples=8, noise=0.5, correct=False))


def test_a_label_goes_before_the_name() -> None:
    parsed = parse_explainer("loud=smoothgrad:noise=0.5")
    assert (parsed.label, parsed.explainer) == ("loud", SmoothGrad(noise=0.5))
    assert parse_explainer("mine=ism").label == "mine"


@pytest.mark.parametrize("text", ["=ism", "a/b=ism", ".=ism", "../up=ism", ""])
def test_a_label_that_is_no_plain_name_is_an_error(text: str) -> None:
    with pytest.raises(CislensError, match="label must be a plain name"):
        parse_explainer(text)


def test_an_unknown_name_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(PluginError, match=r"no explainer is named 'squit': choose one of .*ism.*saliency"):
        parse_explainer("squit:steps=3")


def test_an_unknown_setting_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(CislensError, match="smoothgrad has no setting 'steps': its settings are samples, noise"):
        parse_explainer("smoothgrad:steps=3")


def test_a_setting_out_of_bounds_is_an_error_of_the_explainer() -> None:
    with pytest.raises(CislensError, match="at least 2 samples and noise above 0, got 1"):
        parse_explainer("smoothgrad:samples=1")
