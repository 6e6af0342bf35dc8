"""What both pipelines give back; KFP wants a NamedTuple of artifact types."""

from typing import NamedTuple

from kfp import dsl


class Outputs(NamedTuple):
    """Artifacts of a finished run."""

    report: dsl.Artifact
    """Folder with report.json, report.html and summary.json."""
    html: dsl.HTML
    """The report as one page."""
    deployment: dsl.Model
    """Folder with deployment/ and verification.json."""
