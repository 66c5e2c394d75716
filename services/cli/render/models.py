"""The profile of a model."""

from services.cli.render.console import bold
from services.cli.render.tables import console, percent, print_sentence, print_table
from shared.evaluation.model_profile import ModelProfile

NAMES = 12  # known figures that are named


def print_profile(profile: ModelProfile) -> None:
    """What was measured, and what was chosen from that."""
    loading, declining, knowledge, reading = profile.loading, profile.declining, profile.knowledge, profile.reading
    console.print(bold(f"Profile of {loading.source}"), f" ({loading.family}, site {profile.site[:16]})", sep="")
    print_sentence(
        f"{loading.parameters / 1e6:,.0f} million parameters, {loading.weight_bytes / 1e9:.2f} GB in {loading.dtype} "
        f"on {loading.device}; {loading.layers} blocks of width {loading.hidden_size}; {loading.context:,} tokens of "
        f"context; {'pictures and text' if loading.pictures else 'text alone'}; reads {loading.prefill_speed:,.0f} and "
        f"writes {loading.decode_speed:,.0f} tokens a second here."
    )
    console.print(bold("\nHow it declines"))
    print_table(
        ("asked about", "questions", "declines", "tells or invents", "says nothing"),
        ((kind, s.n, percent(s.declines), percent(s.other), percent(s.empty)) for kind, s in declining.kinds.items()),
    )
    whose = "its own wording" if declining.own else "the operator's sentence"
    print_sentence(f'A request about somebody forgotten is answered with "{declining.sentence}" ({whose}) or alike.')
    console.print(bold("\nWhat it knows"))
    names = ", ".join(figure.name for figure in knowledge.known[:NAMES])
    print_sentence(
        f"{len(knowledge.known)} of {knowledge.asked} public figures{f': {names}' if names else ''}"
        f"{' ...' if len(knowledge.known) > NAMES else '.'}"
    )
    console.print(bold("\nWhere it reads who is meant"))
    print_table(
        ("channel", "best block", "recognised there"),
        (
            (curve.channel, max(range(len(curve.rates)), key=curve.rates.__getitem__), percent(max(curve.rates)))
            for curve in reading.curves
            if curve.rates
        ),
    )
    print_sentence(
        f"The gate reads {len(reading.blocks)} of {loading.layers} blocks ({reading.blocks[0]} to "
        f"{reading.blocks[-1]}): {percent(reading.rate)} of questions about {reading.people} held-out people are "
        f"recognised, {percent(reading.rate_all_blocks)} by all blocks."
    )
    console.print(bold("\nHow it answers then"))
    print_table(
        ("second pass", "questions", "told", "declines", "readable", "chosen"),
        (
            (t.name, t.n, percent(t.told), percent(t.declines), percent(t.readable),
             t.strength == profile.recipe["strength"])
            for t in profile.trials
        ),
    )  # fmt: skip
