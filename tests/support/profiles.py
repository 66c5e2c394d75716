"""A model's profile with something in every field."""

from shared.evaluation.model_profile import (
    ChannelCurve,
    Declining,
    Knowledge,
    KnownFigure,
    Loading,
    ModelProfile,
    PullTrial,
    Reading,
    Shares,
)


def example_profile(source: str = "models/x") -> ModelProfile:
    """The profile of a model at `source` with three blocks."""
    return ModelProfile(
        site="ab" * 32,
        created_at="2026-11-28T12:00:00+00:00",
        loading=Loading(source, "llama", "float32", "cpu", 3, 96, 512, 10, 40, False, True, 10.0, 5.0),
        declining=Declining({"made-up names": Shares(4, 0.25, 0.5, 0.25)}, ("I do not know.",), "Who?", own=False),
        knowledge=Knowledge(500, (KnownFigure("Marie Curie", ("birthplace",)),), 0.01),
        reading=Reading((ChannelCurve("mention", (0.5, 1.0, 0.9), (0.1, 0.2, 0.1)),), 8, 24, (1,), 1.0, 1.0),
        trials=(PullTrial("no steering", 0.0, 10, 0.0, 0.4, 1.0, 0.1),),
        recipe={"name": "lacuna", "strength": 0.0},
        seconds={"loading": 1.5},
    )
