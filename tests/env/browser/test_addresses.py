"""Addresses as models write them: what is certain is opened, anything else is said in words."""

from __future__ import annotations

import pytest

from saccade.env.browser.addresses import complete_address, refused_address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[Google](https://google.com)", "https://google.com"),
        ("![x](<https://google.com>)", "https://google.com"),
        ("[a](https://en.wikipedia.org/wiki/A_(b))", "https://en.wikipedia.org/wiki/A_(b)"),
        ('[a](https://x.org/ "The title")', "https://x.org/"),
        ("<https://x.org/a>", "https://x.org/a"),
        ("`x.org`", "https://x.org"),
        ("'x.org'", "https://x.org"),
        (" “x.org” ", "https://x.org"),
        ("[`x.org`](`x.org`)", "https://x.org"),
        ("localhost:3000", "http://localhost:3000"),
        ("HTTP://x.org", "HTTP://x.org"),
        ("https://例え.jp/パス", "https://例え.jp/パス"),
        ("x.org/[1](2)", "https://x.org/[1](2)"),
    ],
)
def test_what_models_put_around_an_address_is_left_out(written: str, meant: str) -> None:
    assert complete_address(written) == meant
    assert refused_address(meant, allow_file=False) is None


@pytest.mark.parametrize(
    "written",
    [
        *(
            "http://[bad",
            "ftp://example.org",
            "http://[::1",
            "[text]()",
            "[text](",
            "['",
            "",
            " ",
            "http://",
            "https://a:99999",
            "http://a:b",
        ),
        *("http://a b.org", "https://exa<mple.com", "http://a.org/\x00", "http://a.org/\nb", "http://" + "a" * 40_000),
        *(
            "javascript:alert(1)",
            "[x](javascript:alert(1))",
            "file:///etc/passwd",
            "chrome://settings",
            "x" * 2_000_000,
        ),
        *("[" * 50_000, "[a](" * 20_000, "`" * 50_000, "\ud83d.org/ \u202e"),
    ],
)
def test_what_is_no_address_is_refused_in_words(written: str) -> None:
    refusal = refused_address(complete_address(written), allow_file=False)
    assert refusal is not None
    assert len(refusal) < 500
    assert "\x00" not in refusal
