import pytest

from commerce.catalog.uploaded import uploaded_id

ID = "img_01jd0a3v5te8zr9k1m2n3p4q5r"


@pytest.mark.parametrize(
    "url",
    [
        f"https://shop.example.com/public/v1/images/{ID}",
        f"http://127.0.0.1:8000/public/v1/images/{ID}",
        f"https://shop.example.com/prefix/public/v1/images/{ID}?w=100&h=20#top",
    ],
)
def test_address_of_an_uploaded_image_names_it(url: str) -> None:
    assert uploaded_id(url) == ID


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.com/a.jpg",
        f"https://images.example.com/{ID}",
        f"https://shop.example.com/public/v1/images/{ID}/more",
        "https://shop.example.com/public/v1/images/img_short",
        f"https://other.example.com/?to=https://shop.example.com/public/v1/images/{ID}",
        f"ftp://shop.example.com/public/v1/images/{ID}",
    ],
)
def test_any_other_address_leads_elsewhere(url: str) -> None:
    assert uploaded_id(url) is None
