import re

from core.ids import new_id


def test_id_is_a_typeid_of_its_kind() -> None:
    assert re.fullmatch(r"prod_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}", new_id("prod"))


def test_ids_differ_and_sort_as_they_were_made() -> None:
    made = [new_id("var") for _ in range(2000)]

    assert len(set(made)) == 2000
    assert [each[:14] for each in made] == sorted(each[:14] for each in made)  # the prefix and the milliseconds
