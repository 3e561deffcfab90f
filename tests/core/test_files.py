from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ttpose.core.errors import OutputError, UsageError
from ttpose.core.files import atomic_folder, atomic_path, sha256_of, write_text


def test_a_file_appears_under_its_name_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "clip.mp4"
    with atomic_path(target) as partial:
        partial.write_bytes(b"12")
        assert not target.exists()
        assert partial.suffix == ".mp4" and partial.parent == target.parent and partial.name.startswith(".")
    assert target.read_bytes() == b"12" and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UsageError("no")])
def test_the_old_file_stays_when_the_block_fails(tmp_path: Path, error: BaseException | type[BaseException]) -> None:
    target = tmp_path / "a.json"
    write_text(target, "old")
    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind), atomic_path(target) as partial:
        partial.write_text("half")
        raise error
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_written_is_an_output_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / "file" / "a.json", "text")
    assert "a.json" in caught.value.message and caught.value.hint
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError):
        write_text(tmp_path / "taken", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), atomic_path(tmp_path / "a.bin"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as one, atomic_path(target) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert target.read_text() == "one"  # the outer block ends last


def test_text_is_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "äµ→")
    assert (tmp_path / "a.txt").read_bytes() == "äµ→".encode()


def test_fingerprint(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_a_folder_takes_the_place_of_an_earlier_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    for round_ in ("1", "2"):
        with atomic_folder(target) as partial:
            assert list(partial.iterdir()) == []
            (partial / round_).write_text(round_)
            assert not (target / round_).exists()
        assert [path.name for path in target.iterdir()] == [round_]
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_the_old_folder_stays_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "folder"
    with atomic_folder(target) as partial:
        (partial / "a").write_text("old")
    with pytest.raises(OutputError if error is OSError else error), atomic_folder(target) as partial:
        (partial / "a").write_text("new")
        raise error
    assert (target / "a").read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError), atomic_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
