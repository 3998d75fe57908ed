"""Named pieces in one file: by its bytes or its path, whole or damaged, or gone while it is being read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.compile import Pieces, in_pieces

KIND = "some-kind-1"
PIECES = {f"piece {number}": b"%d;" % number * number for number in range(60)}
RAW = in_pieces(f"{KIND} digest 2026-11-20 60", PIECES)


@pytest.mark.parametrize("by_path", [True, False])
def test_every_piece_is_given_back(tmp_path: Path, by_path: bool) -> None:
    path = tmp_path / "pieces"
    path.write_bytes(RAW)
    pieces = Pieces(str(path) if by_path else RAW, KIND)
    assert pieces.told == ["digest", "2026-11-20", "60"]
    assert pieces.names() == list(PIECES)
    for _ in range(2):  # the first few are taken one by one, the rest out of the whole file
        assert {name: pieces.take(name) for name in reversed(PIECES)} == PIECES
    with pytest.raises(KeyError):
        pieces.take("piece 60")


def test_a_head_larger_than_what_is_read_at_first(tmp_path: Path) -> None:
    many = {f"piece with a long name {number:060}": b"x" for number in range(2000)}
    path = tmp_path / "pieces"
    path.write_bytes(in_pieces(KIND + " ", many))
    pieces = Pieces(str(path), KIND)
    assert len(pieces.names()) == 2000
    assert pieces.take(pieces.names()[-1]) == b"x"


def test_a_file_that_changes_or_goes_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    path.write_bytes(RAW)
    pieces = Pieces(str(path), KIND)
    path.write_bytes(RAW.replace(b"59;59;", b"58;58;"))
    with pytest.raises(ValueError, match="piece 59 does not fit its checksum"):
        pieces.take("piece 59")
    assert pieces.take("piece 7") == PIECES["piece 7"]
    path.unlink()
    with pytest.raises(ValueError, match="piece 8 cannot be read: No such file"):
        pieces.take("piece 8")


def test_other_heads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no other-kind"):
        Pieces(RAW, "other-kind")
    with pytest.raises(ValueError, match="none of ours"):
        Pieces(b"99999999999 1\n", KIND)
    with pytest.raises(ValueError, match="does not fit"):
        Pieces(RAW[:400], KIND)
    with pytest.raises(OSError, match="No such file"):
        Pieces(str(tmp_path / "nowhere"), KIND)


@given(st.binary(max_size=200), st.integers(0, len(RAW)))
def test_damage_is_noticed_and_nothing_else_is_raised(rubbish: bytes, place: int) -> None:
    damaged = RAW[:place] + rubbish + RAW[place + len(rubbish) :]
    try:
        pieces = Pieces(damaged, KIND)
    except ValueError:
        return
    for name, piece in PIECES.items():
        try:
            assert pieces.take(name) == piece
        except ValueError:
            assert damaged != RAW
