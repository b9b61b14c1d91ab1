"""Letters: the words, and what people typed in them."""

from commerce.mail.letters import letter


def test_names_are_escaped_in_html_and_plain_in_text() -> None:
    made = letter("welcome", "Welcome", name="<b>Ada</b> & Co", email="ada@example.com")

    assert "Hello <b>Ada</b> & Co," in made.text
    assert "<p>Hello &lt;b&gt;Ada&lt;/b&gt; &amp; Co,</p>" in made.html
    assert "<title>Welcome</title>" in made.html
