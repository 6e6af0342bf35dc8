"""The places of data sets whose short names no longer load, because `datasets` runs no loading scripts."""

from __future__ import annotations

from dataclasses import dataclass

PARQUET_REVISION = "refs/convert/parquet"
"""Branch of a hub data set with the hub's own conversion to Parquet: `<config>/<split>/0000.parquet`, no script."""


@dataclass(frozen=True)
class HubLocation:
    """A data set on the hub.

    Attributes:
        hub_id: namespace and name.
        revision: branch, tag or commit; empty: the default branch.
        config: the configuration that is read unless the user names another; empty: the default of the data set.
    """

    hub_id: str
    revision: str = ""
    config: str = ""


HUB_NAMES = {
    "conll2003": HubLocation("eriktks/conll2003", PARQUET_REVISION, "conll2003"),
    "glue": HubLocation("nyu-mll/glue"),
    "go_emotions": HubLocation("google-research-datasets/go_emotions", config="simplified"),
    "imdb": HubLocation("stanfordnlp/imdb"),
    "rotten_tomatoes": HubLocation("cornell-movie-review-data/rotten_tomatoes"),
    "sick": HubLocation("RobZamp/sick", PARQUET_REVISION),
    "squad": HubLocation("rajpurkar/squad"),
    "squad_v2": HubLocation("rajpurkar/squad_v2"),
    "tweet_eval": HubLocation("cardiffnlp/tweet_eval"),
    "wnut_17": HubLocation("leondz/wnut_17", PARQUET_REVISION, "wnut_17"),
}
"""Short name -> place of a copy without a script."""

_SCRIPTED_IDS = {location.hub_id: location for location in HUB_NAMES.values() if location.revision}


def locate(name: str, revision: str = "") -> HubLocation:
    """The place of the data set of that name.

    Args:
        name: a short name, or an id with a namespace. An id stands for itself, unless the table knows that its default
            branch is a loading script.
        revision: the user's; it goes before the table's.
    """
    known = HUB_NAMES.get(name) or _SCRIPTED_IDS.get(name)
    if known is None:
        return HubLocation(name, revision)
    if revision and revision != known.revision:
        return HubLocation(known.hub_id, revision)
    return known
