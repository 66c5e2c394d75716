"""The Merkle tree gives the known answers of Certificate Transparency and rejects every other proof."""

import base64
import hashlib

import pytest

from shared.crypto.signing import Signer
from shared.errors import BadInput, IntegrityFailure
from shared.transparency import checkpoints
from shared.transparency.checkpoints import Checkpoint, PublicKey
from shared.transparency.merkle_tree import EMPTY, Frontier, Tree, leaf_hash, node_hash
from shared.transparency.proofs import is_consistent, is_included

# The leaves and roots that the reference implementations of RFC 6962 share.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # (leaf, size): the audit path, as in the same suite
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}


def defined(leaves: list[bytes]) -> bytes:
    """MTH as section 2.1 writes it."""
    if len(leaves) <= 1:
        return leaf_hash(leaves[0]) if leaves else EMPTY
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(defined(leaves[:k]), defined(leaves[k:]))


def test_known_roots_and_paths() -> None:
    tree = Tree(map(leaf_hash, LEAVES))
    assert hashlib.sha256(b"").digest() == EMPTY == tree.root(0) == Frontier().root()
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS
    for (leaf, size), path in PATHS.items():
        assert [step.hex() for step in tree.inclusion(leaf, size)] == path


def test_every_proof_of_every_small_tree_holds_and_holds_for_nothing_else() -> None:
    leaves = [bytes([i]) for i in range(20)]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    tree, frontier = Tree(), Frontier()
    for size in range(1, 21):
        tree.append(hashes[size - 1])
        frontier.append(hashes[size - 1])
        root = tree.root()
        assert root == defined(leaves[:size]) == frontier.root()
        for index in range(size):
            path = tree.inclusion(index, size)
            assert is_included(hashes[index], index, size, path, root)
            assert not is_included(hashes[index - 1], index, size, path, root) or size == 1
            assert not any(
                is_included(hashes[index], other, size, path, root) for other in range(size) if other != index
            )
            assert not is_included(hashes[index], index, size, [*path, EMPTY], root)
            assert not path or not is_included(hashes[index], index, size, path[:-1], root)
        for first in range(1, size + 1):
            path, old = tree.consistency(first, size), tree.root(first)
            assert is_consistent(first, size, path, old, root)
            assert not is_consistent(first, size, path, EMPTY, root)
            assert not is_consistent(first, size, path, old, EMPTY)
            assert not is_consistent(first, size, [*path, EMPTY], old, root)
            assert not path or not is_consistent(first, size, path[:-1], old, root)
            assert first == size or not is_consistent(first + 1, size, path, old, root)


def test_forked_history_has_no_consistency_proof() -> None:
    honest = Tree(leaf_hash(bytes([i])) for i in range(9))
    other = Tree(leaf_hash(bytes([i if i != 3 else 99])) for i in range(13))
    assert not is_consistent(9, 13, other.consistency(9, 13), honest.root(), other.root())
    assert is_consistent(0, 13, [], EMPTY, other.root())


@pytest.mark.parametrize(("ask", "numbers"), [("inclusion", (8, 8)), ("inclusion", (0, 9)), ("consistency", (0, 4))])
def test_proof_for_a_missing_leaf_or_size_is_refused(ask: str, numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"no leaf|no proof|leaves"):
        getattr(Tree(map(leaf_hash, LEAVES)), ask)(*numbers)


def test_checkpoint_is_accepted_only_with_its_pinned_key() -> None:
    signer = Signer(bytes(range(32)))
    checkpoint = Checkpoint("lacuna.log", 8, bytes.fromhex(ROOTS[7]))
    text = checkpoints.sign(checkpoint, signer)
    key = PublicKey("lacuna.log", signer.public)
    assert text.startswith(f"lacuna.log\n8\n{base64.b64encode(checkpoint.root).decode()}\n\n— lacuna.log ")
    assert checkpoints.read(text, checkpoints.read_keys(f"# pinned\n{key.line()}\n")) == checkpoint
    stranger = PublicKey("lacuna.log", Signer(bytes(32)).public)
    for other, keys in (
        (text, [stranger]),
        (text, [PublicKey("another.log", signer.public)]),
        (text.replace("\n8\n", "\n9\n"), [key]),
        (text.replace("\n8\n", "\n08\n"), [key]),
        (text.replace("lacuna", "lacunb"), [key]),
        ("", [key]),
    ):
        with pytest.raises(IntegrityFailure):
            checkpoints.read(other, keys)


def test_miscopied_public_key_is_refused() -> None:
    line = PublicKey("lacuna.log", Signer(bytes(range(32))).public).line()
    for wrong in (line[:-6], line.replace("lacuna", "lacunb"), "lacuna.log", line.replace("+", "-")):
        with pytest.raises(BadInput, match="public key"):
            PublicKey.read(wrong)


def test_keys_of_the_signed_note_specification_are_read() -> None:
    line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = PublicKey.read(line)
    assert key.line() == line
    text = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    body, _, signed = text.rpartition("\n\n")
    assert checkpoints._signed(key, signed.split()[-1], f"{body}\n".encode())
