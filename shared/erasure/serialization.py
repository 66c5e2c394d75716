"""Erasers as safetensors plus manifest, and back. Tensor names and manifest keys are stored and signed: they stay."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from shared.erasure.eraser import LAST_RESORT, UNCERTAIN, Eraser, ReleaseBounds
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.mlp import TwoLayer
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.gates.text import TextGate
from shared.erasure.numerics.safetensors_io import pack, to_half_if_lossless, unpack
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import Recipe
from shared.erasure.schema_versions import ERASER_SCHEMA_VERSION
from shared.erasure.site import Site
from shared.errors import BadInput, IntegrityFailure


def dump(eraser: Eraser, manifest: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The tensors' bytes, and `manifest` with everything added that `load` checks them against."""
    tensors = {"directions": eraser.directions}
    for index, gate in enumerate(eraser.gates):
        tensors[f"rows.{index}"] = to_half_if_lossless(gate.prototypes)
        if gate.harmless is not None:
            tensors[f"harmless.{index}"] = to_half_if_lossless(gate.harmless)
    if eraser.whitener is not None:
        w = eraser.whitener
        tensors |= {"mean": w.mean, "basis": w.basis, "scales": w.scales, "rest": w.rest}
    if eraser.linear is not None:
        tensors["linear"] = eraser.linear
    if eraser.decode_directions is not None:
        tensors["held"] = eraser.decode_directions
    if eraser.identity is not None:
        tensors |= {f"identity.{name}": value for name, value in eraser.identity.tensors().items()}
    if eraser.text is not None:
        tensors |= eraser.text.tensors()
    if eraser.network is not None:
        tensors |= {f"network.{name}": value for name, value in eraser.network.tensors().items()}
    blob = pack(tensors, {"schema": ERASER_SCHEMA_VERSION})
    return blob, {
        **manifest,
        "schema_version": ERASER_SCHEMA_VERSION,
        "site": eraser.site.as_json(),
        "recipe": eraser.recipe.as_json(),
        "gated": list(eraser.gated),
        "covered": list(eraser.tickets),
        "threshold": None if eraser.is_empty else eraser.threshold,
        "calibration": eraser.calibration,
        **_second_pass(eraser),
        "shapes": {name: list(value.shape) for name, value in sorted(tensors.items())},
        "tensors_sha256": hashlib.sha256(blob).hexdigest(),
    }


def load(blob: bytes, manifest: Mapping[str, Any]) -> Eraser:
    """The eraser that `dump` wrote; raises IntegrityFailure where bytes and manifest do not match."""
    if manifest.get("schema_version") != ERASER_SCHEMA_VERSION:
        raise IntegrityFailure(f"Schema version {manifest.get('schema_version')} of an eraser is not understood.")
    if hashlib.sha256(blob).hexdigest() != manifest.get("tensors_sha256"):
        raise IntegrityFailure("The eraser's tensors are not those of its manifest: the sha256 differs.")
    tensors, _ = unpack(blob)
    shapes = {name: list(value.shape) for name, value in sorted(tensors.items())}
    if shapes != manifest.get("shapes"):
        raise IntegrityFailure("The eraser's tensors do not have the shapes of its manifest.")
    try:
        covered = tuple(manifest["covered"])
        threshold = manifest["threshold"]
        whitener = None
        if "basis" in tensors:
            whitener = Whitener(tensors["mean"], tensors["basis"], tensors["scales"], tensors["rest"])
        count = sum(name.startswith("rows.") for name in tensors)
        harmless = {name: value.float() for name, value in tensors.items() if name.startswith("harmless.")}
        if count not in (0, len(covered)):
            raise IntegrityFailure(f"The manifest covers {len(covered)} tickets, the tensors {count}.")
        return Eraser(
            recipe=Recipe.from_json(manifest["recipe"]),
            site=Site.from_json(manifest["site"]),
            directions=tensors["directions"],
            gated=tuple(manifest["gated"]),
            tickets=covered,
            threshold=float("inf") if threshold is None else float(threshold),
            gates=tuple(
                TicketGate(covered[i], tensors[f"rows.{i}"].float(), harmless.get(f"harmless.{i}"))
                for i in range(count)
            ),
            whitener=whitener,
            linear=tensors.get("linear"),
            decode_directions=tensors.get("held"),
            identity=_identity(covered, tensors),
            network=_network(tensors),
            calibration=manifest.get("calibration"),
            text=TextGate.from_tensors(len(covered), tensors),
            release=ReleaseBounds(**manifest["release"]) if "release" in manifest else UNCERTAIN,
            last_resort=manifest.get("last_resort", LAST_RESORT),
        )
    except (KeyError, TypeError, BadInput) as exc:
        raise IntegrityFailure(f"The eraser's manifest is not complete: {exc}.") from exc


def _second_pass(eraser: Eraser) -> dict[str, Any]:
    """What the manifest says of the second pass, for recipes that choose between two answers."""
    if not eraser.recipe.counterfactual or eraser.is_empty:
        return {}
    return {"release": asdict(eraser.release), "last_resort": eraser.last_resort}


def _identity(covered: tuple[str, ...], tensors: Mapping[str, Tensor]) -> IdentityGate | None:
    own = {name.removeprefix("identity."): value for name, value in tensors.items() if name.startswith("identity.")}
    return IdentityGate.from_tensors(covered, own) if own else None


def _network(tensors: Mapping[str, Tensor]) -> TwoLayer | None:
    own = {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    return TwoLayer(**own) if own else None
