"""docs/senders.md has a cell for every sender and situation, and says what the tests hold."""

import re

from tests.peers.senders import PEERS
from tests.peers.table import BEGIN, DOCUMENT, END, SITUATIONS, cell

ROWS = [
    [part.strip() for part in line.strip("|").split("|")]
    for line in DOCUMENT.read_text().split(BEGIN)[1].split(END)[0].strip().splitlines()
]


def test_there_is_a_cell_for_every_sender_and_situation() -> None:
    assert ROWS[0] == ["sender", *SITUATIONS]
    assert [row[0] for row in ROWS[2:]] == list(PEERS)


def test_no_cell_says_lost_where_nothing_may_be_lost() -> None:
    for name, *cells in ROWS[2:]:
        for situation, found in zip(SITUATIONS, cells, strict=True):
            assert re.fullmatch(r"(all|[\d,]+ lost)(, [\d,]+ resent)?", found), (name, found)
            if situation not in PEERS[name].loses:
                assert found.startswith("all"), (name, situation)


def test_cells_count_what_is_missing() -> None:
    assert cell(1000, 0, 1000) == "all"
    assert cell(1000, 1200, 1000) == "all, 1,200 resent"
    assert cell(950, 0, 1000) == "50 lost"
