"""Every document under config/policies/ loads, passes its own tests, and is one its author would stand by."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.decision import Verdict
from policies.lint import lint
from policies.loading import DocumentSource, PolicySet, load_policies
from tests.policies.building import MIB, copy, end, plain

FOLDER = Path(__file__).parents[2] / "config" / "policies"
DOCUMENTS = sorted(FOLDER.rglob("*.yaml"))


def load_file(path: Path) -> PolicySet:
    return load_policies([DocumentSource(path.name, path.read_text(encoding="utf-8"))])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_shipped_document_passes_its_own_tests(path: Path) -> None:
    outcomes = load_file(path).run_tests()
    assert all(outcome.passed for outcome in outcomes)
    if path.name == "trial.yaml":
        assert {outcome.decision.rehearsed for outcome in outcomes} == {Verdict.ALLOW, Verdict.DENY}
        return
    assert len(outcomes) >= 5
    assert {outcome.decision.verdict for outcome in outcomes} >= {Verdict.ALLOW, Verdict.DENY}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_shipped_document_raises_no_doubt_but_trials(path: Path) -> None:
    assert [finding for finding in lint(load_file(path)) if finding.check != "shadow"] == []


def test_the_examples_named_in_the_guide_are_there() -> None:
    names = {path.name for path in DOCUMENTS}
    assert names >= {
        "default.yaml", "cross-region-pairs.yaml", "mainland-overseas.yaml", "conditions.yaml", "part-numbers.yaml",
        "guardrails.yaml",
    }  # fmt: skip


def test_all_shipped_documents_stand_beside_each_other() -> None:
    sources = [DocumentSource(path.name, path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    assert len(load_policies(sources).documents) == len(DOCUMENTS)


@pytest.fixture(scope="module")
def default() -> PolicySet:
    return load_file(FOLDER / "default.yaml")


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("finance-1250000000", "media-1250000000"),
        ("media-1250000000", "raw-1250000000"),
        ("media-1250000000", "finance-1250000000"),
        ("raw-1250000000", "raw-1250000000"),
        ("raw-1250000000", "archive-1250000000"),
        ("raw-1259999999", "media-1250000000"),
    ],
)
@pytest.mark.parametrize("action", ["cos:UploadPartCopy", "cos:PutObjectCopy"])
def test_the_demo_team_copies_from_raw_to_media_only(
    default: PolicySet, source: str, destination: str, action: str
) -> None:
    length = MIB if action == "cos:UploadPartCopy" else None
    home = copy(action=action, length=length, size=MIB)
    assert default.decide(home).allowed
    away = copy(action=action, length=length, size=MIB, source=end(source), destination=end(destination))
    assert default.decide(away).verdict is Verdict.DENY


def test_the_demo_shows_the_region_as_the_reason(default: PolicySet) -> None:
    decision = default.decide(copy(source=end("archive-1250000000", "a", "ap-shanghai")))
    assert decision.reason == (
        "same_region: copy from ap-shanghai to ap-guangzhou asked, only within one region allowed"
    )


@pytest.mark.parametrize(
    "action", ["cos:PutObjectACL", "cos:GetObjectACL", "cos:PostObjectRestore", "cos:AppendObject", "cos:OptionsObject"]
)
def test_the_demo_team_gets_no_operation_beyond_its_list(default: PolicySet, action: str) -> None:
    assert default.decide(plain(action, end("media-1250000000", "a"))).verdict is Verdict.DENY


@pytest.mark.parametrize("action", ["cos:PutBucket", "cos:DeleteBucket", "cos:PutBucketPolicy", "cos:PutBucketAcl"])
@pytest.mark.parametrize("bucket", ["media-1250000000", "finance-1250000000"])
def test_no_demo_team_changes_buckets(default: PolicySet, action: str, bucket: str) -> None:
    for principal in ("team:media", "team:finance"):
        assert not default.decide(plain(action, end(bucket, None), principal=principal)).allowed
