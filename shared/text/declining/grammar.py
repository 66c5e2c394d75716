"""How an answer declines, in eight languages: a small grammar of refusing and of not knowing, for judge.py.

One module of this package holds the patterns of one language. A pattern is a regular expression over the words of one
clause (lower case, English contractions written out), in which

    ~       stands for up to three words in between
    ...     stands for up to eight words in between
    {xyz}   stands for one of the words that the language lists under that key
    {name}  stands for two or more words that begin with a capital: the name of somebody
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grammar:
    """The patterns of one language.

    `declining` clauses refuse or do not know; `openings` do so at the beginning of a clause only, where the speaker is
    left out ("Not sure."). `apologies` decline where they are the whole answer. `contrasts` ("but") come before what is
    told in spite of it, `concessions` ("although") before the declining itself. `hedges` ("I think") take nothing away
    from what is told. `assertions` tell something of a person and `complying` ("here is how") begins to do what was
    asked, unless the clause speaks of the `conversation` (the speaker, the addressee) or of something `aside`: the
    picture, other sources, law and safety.
    """

    declining: tuple[str, ...]
    openings: tuple[str, ...]
    apologies: tuple[str, ...]
    contrasts: tuple[str, ...]
    concessions: tuple[str, ...]
    hedges: tuple[str, ...]
    conversation: tuple[str, ...]
    aside: tuple[str, ...]
    assertions: tuple[str, ...]
    complying: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)
