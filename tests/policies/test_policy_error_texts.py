"""What an author reads when a document is refused, word for word: file, line, column, path of the key, found, expected."""

from __future__ import annotations

import pytest

from policies.nodes import MAX_DEPTH
from policies.rule import KINDS
from tests.policies.building import GOOD, RAW, SETS, document, errors_of, on, pair

KIND_NAMES = ", ".join(sorted(KINDS))
PAIR_OR_RESOURCE = "expected a resource, or both a source and a destination (operations that copy take the pair, all others a resource)"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("version: 1", "version: 2", "1:10: version: found '2', expected 1, the only version of this format"),
        ("version: 1", "version: '1'", "1:10: version: found '1', expected an integer"),
        ("description: a document", "descripton: x", "2:1: descripton: found the unknown key 'descripton', expected one of version, description, mode, sets, territories, statements, tests (did you mean 'description'?)"),
        ("- id: copy", "- id: copy it", "4:9: statements[0].id: found 'copy it', expected an id of letters, digits, '.', '_' and '-'"),
        ("effect: allow", "effect: alow", "6:13: statements[0].effect: found 'alow', expected one of allow, deny (did you mean 'allow'?)"),
        ("effect: allow", "effect:", "6:12: statements[0].effect: found nothing, expected one of allow, deny"),
        ("mode: enforce", "mode: shadows", "7:11: statements[0].mode: found 'shadows', expected one of enforce, shadow (did you mean 'shadow'?)"),
        ("mode: enforce", "mod: enforce", "7:5: statements[0].mod: found the unknown key 'mod', expected one of id, description, effect, mode, principals, actions, source, destination, resource, when (did you mean 'mode'?)"),
        ("mode: enforce", "effect: deny", "7:5: statements[0].effect: found 'effect' again, expected each key once (first on line 6)"),
        ("[team:media]", "[]", "8:17: statements[0].principals: found an empty list, expected at least one"),
        ("[team:media]", "['']", "8:18: statements[0].principals[0]: found '', expected a principal"),
        ("[team:media]", "['@all']", "8:18: statements[0].principals[0]: found '@all', expected a set defined under sets.principals"),
        ("[cos:UploadPartCopy]", "[cos:UploadPartCopi]", "9:15: statements[0].actions[0]: found 'cos:UploadPartCopi', expected an action the gateway knows (did you mean 'cos:UploadPartCopy'?)"),
        ("[cos:UploadPartCopy]", "[cos:GetObject]", "9:15: statements[0].actions[0]: found 'cos:GetObject', expected an action that copies (this action takes a resource, not a pair)"),
        ("[cos:UploadPartCopy]", "[UploadPartCopy]", "9:15: statements[0].actions[0]: found 'UploadPartCopy', expected an action such as cos:UploadPartCopy, or a glob such as cos:Get*"),
        ("[cos:UploadPartCopy]", "[cos:Zzz*]", "9:15: statements[0].actions[0]: found 'cos:Zzz*', expected an action the gateway knows"),
        ("[cos:UploadPartCopy]", "[]", "9:14: statements[0].actions: found an empty list, expected at least one"),
        ("[cos:UploadPartCopy]", "[[a]]", "9:15: statements[0].actions[0]: found a list, expected an action such as cos:UploadPartCopy"),
        ("bucket: raw-1250000000", "bucket: raw", "11:15: statements[0].source.bucket: found 'raw', expected a bucket with its APPID, such as examplebucket-1250000000, or a glob"),
        ("bucket: raw-1250000000", "bucket: RAW-*", "11:15: statements[0].source.bucket: found 'RAW-*', expected a glob of lower-case letters, digits, '-' and '*'"),
        ("bucket: raw-1250000000", "bucket: []", "11:15: statements[0].source.bucket: found an empty list, expected at least one"),
        ("bucket: raw-1250000000", "buckt: x", "11:7: statements[0].source.buckt: found the unknown key 'buckt', expected one of bucket, key, region, regions, account, accounts (did you mean 'bucket'?)"),
        ("[incoming/*, more/*]", "''", "12:12: statements[0].source.key: found '', expected a key or a glob"),
        ("[incoming/*, more/*]", '"a\\0"', "12:12: statements[0].source.key: found 'a\\x00', expected a pattern of at least one character, without control characters"),
        ("regions: [ap-guangzhou]", "regions: [Guangzhou]", "13:17: statements[0].source.regions[0]: found 'Guangzhou', expected a region such as ap-guangzhou"),
        ("regions: [ap-guangzhou]", "accounts: [abc]", "13:18: statements[0].source.accounts[0]: found 'abc', expected an APPID of digits, such as 1250000000"),
        ("same_region: true", "same_regoin: true", f"17:7: statements[0].when.same_regoin: found 'same_regoin', expected a rule kind: {KIND_NAMES} (did you mean 'same_region'?)"),
        ("same_region: true", "same_region: yes", "17:20: statements[0].when.same_region: found 'yes', expected true or false"),
        ("same_region: true", "same_region: 'true'", "17:20: statements[0].when.same_region: found 'true', expected true or false"),
        ("max: 1GiB", "min: 9MiB", "20:9: statements[0].when.range.min: found 'min' again, expected each key once (first on line 19)"),
        ("min: 1MiB", "min: 1MB", "19:14: statements[0].when.range.min: found '1MB', expected a size in bytes, KiB, MiB, GiB or TiB, not MB; write 1MiB (binary), or the number of bytes"),
        ("min: 1MiB", "min: 2GiB", "19:9: statements[0].when.range: found a mapping, expected min <= max, got 2 GiB and 1 GiB"),
        ("min: 1MiB", "mni: 1MiB", "19:9: statements[0].when.range.mni: found the unknown key 'mni', expected one of required, min, max, small_last_part (did you mean 'min'?)"),
        ("min: 1MiB", "small_last_part: yes", "19:26: statements[0].when.range.small_last_part: found 'yes', expected one of allow, deny"),
        ("- name: it works", "- name: ''", "22:11: tests[0].name: found '', expected a text"),
        ("    request:\n", "    requests:\n", "23:5: tests[0].requests: found the unknown key 'requests', expected one of name, request, expect, reason, statement, rehearsed (did you mean 'request'?)"),
        ("source: raw-1250000000/incoming/a@ap-guangzhou", "resource: raw-1250000000/a", "26:7: tests[0].request.resource: found 'resource', expected a resource, or a source and a destination"),
        ("destination: media-1250000000/a@ap-guangzhou", "resource: media-1250000000/a", "27:7: tests[0].request.resource: found 'resource', expected a resource, or a source and a destination"),
        ("- name: it works", "- nam: it works", "22:5: tests[0].nam: found the unknown key 'nam', expected one of name, request, expect, reason, statement, rehearsed (did you mean 'name'?)"),
        ("bytes=0-1048575", "bytes=9-0", "28:14: tests[0].request.range: found 'bytes=9-0', expected bytes=first-last with first <= last"),
        ("raw-1250000000/incoming/a@", "raw/incoming/a@", "26:15: tests[0].request.source: found 'raw/incoming/a@ap-guangzhou', expected a bucket name like examplebucket-1250000000, got 'raw'"),
        ("name/cos:UploadPartCopy", "cos:Copy", "25:15: tests[0].request.action: found 'cos:Copy', expected an action the gateway knows (did you mean 'cos:PutObjectCopy'?)"),
        ("name/cos:UploadPartCopy", "[]", "25:15: tests[0].request.action: found a list, expected a text"),
        ("same_region: true", "same_region: true\n      same_region: false", "18:7: statements[0].when.same_region: found 'same_region' again, expected each key once (first on line 17)"),
        ("description: a document", "territories: {mainland: ['']}", "2:26: territories.mainland[0]: found '', expected a region"),
        ("expect: allow", "expect: maybe", "29:13: tests[0].expect: found 'maybe', expected one of allow, deny, needs_facts"),
        ("description: a statement", "description: ''", "5:18: statements[0].description: found '', expected a text"),
        ("description: a statement", "description: [a]", "5:18: statements[0].description: found a list, expected a text"),
        ("description: a document", "mode: on", "2:7: mode: found 'on', expected one of enforce, shadow"),
        ("description: a document", "mode: {}", "2:7: mode: found a mapping, expected one of enforce, shadow"),
        ("- id: copy", "- id: []", "4:9: statements[0].id: found a list, expected an id"),
        ("- id: copy", "- id: ''", "4:9: statements[0].id: found '', expected an id"),
        ("- id: copy", "- id: -x", "4:9: statements[0].id: found '-x', expected an id of letters, digits, '.', '_' and '-'"),
        ("regions: [ap-guangzhou]", "account: []", "13:16: statements[0].source.account: found an empty list, expected at least one"),
        ("bucket: raw-1250000000", "bucket: ''", "11:15: statements[0].source.bucket: found '', expected a bucket"),
        ("regions: [ap-guangzhou]", "region: ''", "13:15: statements[0].source.region: found '', expected a region"),
        ("regions: [ap-guangzhou]", "account: ''", "13:16: statements[0].source.account: found '', expected an APPID"),
        ("regions: [ap-guangzhou]", "region: []", "13:15: statements[0].source.region: found an empty list, expected at least one"),
        ("regions: [ap-guangzhou]", "account: '1'\n      accounts: ['1']", "14:7: statements[0].source.accounts: found 'accounts', expected account or accounts, not both"),
        ("[incoming/*, more/*]", "[]", "12:12: statements[0].source.key: found an empty list, expected at least one"),
        ("[incoming/*, more/*]", "[a, {}]", "12:16: statements[0].source.key[1]: found a mapping, expected a key or a glob"),
        ("description: a document", "territories: {mainlnd: [ap-x]}", "2:15: territories.mainlnd: found the unknown key 'mainlnd', expected one of mainland, overseas (did you mean 'mainland'?)"),
        ("description: a document", "territories: {mainland: [ap_x]}", "2:26: territories.mainland[0]: found 'ap_x', expected a region such as ap-guangzhou"),
        ("description: a document", "territories: {mainland: [ap-seoul, ap-tokyo]}", "2:14: territories: found a mapping, expected each region in one territory, got ap-seoul, ap-tokyo in both"),
        ("description: a document", "territories: []", "2:14: territories: found a list, expected a mapping with mainland, overseas"),
        ("description: a document", "sets: {buckets: {a: [b]}, regions: {a: [ap-beijing]}}", "2:40: sets.regions.a: found a list, expected a name of its own (also a set of buckets)"),
        ("description: a document", "sets: {buckets: {a: [[b]]}}", "2:22: sets.buckets.a[0]: found a list, expected a member, not a set or another list"),
        ("description: a document", "sets: {buckets: {a: ['']}}", "2:22: sets.buckets.a[0]: found '', expected a member, not a set or another list"),
        ("description: a document", "sets: []", "2:7: sets: found a list, expected a mapping with principals, buckets, regions, actions"),
        ("description: a document", "sets: {buckets: {a: [b], a: [c]}}", "2:26: sets.buckets.a: found 'a' again, expected each key once (first on line 2)"),
        ("effect: allow", "effect: [allow]", "6:13: statements[0].effect: found a list, expected one of allow, deny"),
        ("tests:\n", "statements: []\ntests:\n", "21:1: statements: found 'statements' again, expected each key once (first on line 3)"),
        ("version: 1", "version: []", "1:10: version: found a list, expected an integer"),
        ("version: 1", "version: 1.0", "1:10: version: found '1.0', expected an integer"),
        ("version: 1", "version: -1", "1:10: version: found '-1', expected 1, the only version of this format"),
        ("version: 1", "version: 1000000000000000000", "1:10: version: found '1000000000000000000', expected an integer"),
        ("expect: allow", "expect: allow\n    rehearsed: x", "30:16: tests[0].rehearsed: found 'x', expected one of allow, deny, needs_facts"),
        ("expect: allow", "expect: allow\n    reason: ''", "30:13: tests[0].reason: found '', expected a text"),
        ("expect: allow", "expect: allow\n    statement: []", "30:16: tests[0].statement: found a list, expected a text"),
        ("expect: allow", "expect: allow\n    statement: copi", "30:16: tests[0].statement: found 'copi', expected a statement of this document (did you mean 'copy'?)"),
        ("bucket: raw-1250000000", "bucket: ['@a']", "11:16: statements[0].source.bucket[0]: found '@a', expected a set defined under sets.buckets"),
        ("[cos:UploadPartCopy]", "['name/cos:GetObject']", "9:15: statements[0].actions[0]: found 'name/cos:GetObject', expected an action that copies (this action takes a resource, not a pair)"),
        ("[cos:UploadPartCopy]", "[cos:Copy*]", "9:15: statements[0].actions[0]: found 'cos:Copy*', expected an action the gateway knows (did you mean 'cos:PutObjectCopy'?)"),
        ("    destination:\n      bucket: media-1250000000\n", "", f"4:5: statements[0]: found a statement with source, {PAIR_OR_RESOURCE}"),
        ("version: 1\n", "", "1:1: found a mapping without 'version', expected the key 'version'"),
        ("    effect: allow\n", "", "4:5: statements[0]: found a mapping without 'effect', expected the key 'effect'"),
        ("    principals: [team:media]\n", "", "4:5: statements[0]: found a mapping without 'principals', expected the key 'principals'"),
        ("    actions: [cos:UploadPartCopy]\n", "", "4:5: statements[0]: found a mapping without 'actions', expected the key 'actions'"),
        ("- id: copy\n    description: a statement\n", "- description: a statement\n", "4:5: statements[0]: found a mapping without 'id', expected the key 'id'"),
        ("- name: it works\n", "- reason: x\n", "22:5: tests[0]: found a mapping without 'name', expected the key 'name'"),
        ("      principal: team:media\n", "", "24:7: tests[0].request: found a mapping without 'principal', expected the key 'principal'"),
        ("      action: name/cos:UploadPartCopy\n", "", "24:7: tests[0].request: found a mapping without 'action', expected the key 'action'"),
        ("    expect: allow\n", "", "22:5: tests[0]: found a mapping without 'expect', expected the key 'expect'"),
    ],
)  # fmt: skip
def test_an_error_names_line_column_key_found_and_expected(old: str, new: str, error: str) -> None:
    assert GOOD.count(old) >= 1
    assert [str(found) for found in errors_of(GOOD.replace(old, new, 1))] == [f"a.yaml:{error}"]


@pytest.mark.parametrize(
    ("statement", "errors"),
    [
        (on(actions="['cos:UploadPartCopy']"), ["actions[0]: found 'cos:UploadPartCopy', expected an action that does not copy (a copy takes source and destination)"]),
        (on(actions="['', x, 'cos:Nope', 'cos:GetObject']"), ["actions[0]: found '', expected an action such as cos:UploadPartCopy", "actions[1]: found 'x', expected an action such as cos:UploadPartCopy, or a glob such as cos:Get*", "actions[2]: found 'cos:Nope', expected an action the gateway knows"]),
        (on(actions="['cos:*Copy']"), ["actions[0]: found 'cos:*Copy', expected an action that does not copy (a copy takes source and destination)"]),
        (on(when="{same_region: true}"), ["when.same_region: found 'same_region', expected a rule about a resource (same_region judges copies: give the pair)"]),
        (on(when="{range: {max: 1}}"), ["when.range: found 'range', expected a rule about a resource (range judges copies: give the pair)"]),
        (on(when="{networks: []}"), ["when.networks: found an empty list, expected at least one"]),
        (on(when="[range]"), [f"when: found a list, expected a mapping from rule kinds to their parameters: {KIND_NAMES}"]),
        (pair(when="{territory: []}"), ["when.territory: found an empty list, expected at least one"]),
        (pair(when="{territory: mainland}"), ["when.territory: found 'mainland', expected a route such as mainland->overseas, of mainland and overseas"]),
        (pair(when="{regions: [ap-beijing, ap-shanghai]}"), ["when.regions[0]: found 'ap-beijing', expected a list of 2", "when.regions[1]: found 'ap-shanghai', expected a list of 2"]),
        (pair(when="{regions: ap-beijing}"), ["when.regions: found 'ap-beijing', expected a list of pairs"]),
        (pair(when="{regions: {pairs: [[ap-beijing, '']]}}"), ["when.regions.pairs[0][1]: found '', expected a region such as ap-guangzhou"]),
        (pair(when="{range: 5}"), ["when.range: found '5', expected a mapping with required, min, max, small_last_part"]),
        (pair(when="{part_number: {max: 1.5}}"), ["when.part_number.max: found '1.5', expected an integer"]),
        (pair(when="{part_number: {max: 20000}}"), ["when.part_number: found a mapping, expected 1 <= min <= max <= 10000, got 1 and 20000"]),
        (pair(source=f"{{bucket: {RAW}, region: ap-beijing, regions: [ap-beijing]}}"), ["source.regions: found 'regions', expected region or regions, not both"]),
        (pair(source="[]"), ["source: found a list, expected a mapping with bucket"]),
        ("- {id: a, effect: allow, principals: [a], actions: ['cos:GetObject']}", [f"found a statement with neither, {PAIR_OR_RESOURCE}"]),
        (on().replace("when: {}", f"source: {{bucket: {RAW}}}, destination: {{bucket: {RAW}}}"), [f"found a statement with resource and source and destination, {PAIR_OR_RESOURCE}"]),
        (f"- {{id: a, effect: allow, principals: [a], actions: ['cos:PutObjectCopy'], source: {{bucket: {RAW}}}}}", [f"found a statement with source, {PAIR_OR_RESOURCE}"]),
        (pair(when="{range: {min: [1]}}"), ["when.range.min: found a list, expected a size"]),
        (pair(when="{range: {min: 2, max: 1}}"), ["when.range: found a mapping, expected min <= max, got 2 bytes and 1 byte"]),
        (pair(when="{range: {}}"), ["when.range: found a mapping, expected at least one of required: true, min, max"]),
        (pair(when="{range: {required: false}}"), ["when.range: found a mapping, expected at least one of required: true, min, max"]),
        (pair(when="{range: {small_last_part: allow}}"), ["when.range: found a mapping, expected min beside small_last_part: without it no part is small"]),
        (pair(when="{networks: ['']}"), ["when.networks[0]: found '', expected a text"]),
        (pair(when="{networks: [1.2.3.4/8]}"), ["when.networks[0]: found '1.2.3.4/8', expected a network such as 10.0.0.0/8, without bits behind the prefix"]),
        (pair(when="{encryption: {methods: [sse-kms]}}"), ["when.encryption: found a mapping without 'expected', expected the key 'expected'"]),
        (pair(when="{encryption: maybe}"), ["when.encryption: found 'maybe', expected one of require, forbid"]),
        (pair(when="{headers: {}}"), ["when.headers: found a mapping, expected at least one of require_any, require_all, forbid"]),
        (pair(when="{headers: {forbid: ['']}}"), ["when.headers.forbid[0]: found '', expected a text"]),
        (pair(when="{headers: {forbid: a b}}"), ["when.headers.forbid: found 'a b', expected a header name such as acl or grant-*"]),
        (pair(when="{period: {}}"), ["when.period: found a mapping, expected at least one of not_before, not_after, days, hours"]),
        (pair(when="{period: {hours: 8-9}}"), ["when.period.hours: found '8-9', expected hours such as 08:00-18:00"]),
        (pair(when="{period: {not_after: now}}"), ["when.period.not_after: found 'now', expected a moment such as 2027-01-01T00:00:00+08:00"]),
        (pair(when="{period: {utc_offset: x, days: [mon]}}"), ["when.period.utc_offset: found 'x', expected an offset such as +08:00, in quotes"]),
        (pair(when="{period: {days: [monday]}}"), ["when.period.days[0]: found 'monday', expected one of mon, tue, wed, thu, fri, sat, sun (did you mean 'mon'?)"]),
        (pair(when="{period: {not_before: '2026-01-02T00:00:00Z', not_after: '2026-01-01T00:00:00Z'}}"), ["when.period: found a mapping, expected not_before to come before not_after"]),
        (pair(when="{headers: {forbid: ['@x']}}"), ["when.headers.forbid[0]: found '@x', expected a header name such as acl or grant-*"]),
        (pair(when="{source_conditions: {pairs: [['@x', if-match]]}}"), ["when.source_conditions.pairs[0][0]: found '@x', expected one of if-match, if-none-match, if-modified-since, if-unmodified-since"]),
        (pair(when="{source_conditions: {require_any: [if-none-match, if-match], forbid: [if-none-match, if-match]}}"), ["when.source_conditions: found a mapping, expected a condition to be required or forbidden, got both for if-match and if-none-match"]),
        (pair(when="{period: {hours: '08:00-08:00'}}"), ["when.period.hours: found '08:00-08:00', expected hours that differ"]),
        (on(when="{same_region: true, range: {max: 1}}"), ["when.same_region: found 'same_region', expected a rule about a resource (same_region judges copies: give the pair)", "when.range: found 'range', expected a rule about a resource (range judges copies: give the pair)"]),
        (f"- {{id: a, effect: allow, principals: [a], actions: ['cos:PutObjectCopy'], destination: {{bucket: {RAW}}}, when: {{same_region: true}}}}", [f"found a statement with destination, {PAIR_OR_RESOURCE}"]),
        (f"- {{id: a, effect: allow, principals: [a], actions: ['cos:GetObject'], source: {{bucket: {RAW}}}}}", [f"found a statement with source, {PAIR_OR_RESOURCE}", "actions[0]: found 'cos:GetObject', expected an action that copies (this action takes a resource, not a pair)"]),
        (pair(when="{storage_class: []}"), ["when.storage_class: found an empty list, expected at least one"]),
        (pair(when="{storage_class: standard}"), ["when.storage_class: found 'standard', expected one of STANDARD, STANDARD_IA, INTELLIGENT_TIERING, ARCHIVE, DEEP_ARCHIVE, MAZ_STANDARD, MAZ_STANDARD_IA, MAZ_INTELLIGENT_TIERING"]),
        (pair(when="{object_size: 1GB}"), ["when.object_size: found '1GB', expected a size in bytes, KiB, MiB, GiB or TiB, not GB; write 1GiB (binary), or the number of bytes"]),
        (pair(when="{territory: [mainland->mars]}"), ["when.territory[0]: found 'mainland->mars', expected a route such as mainland->overseas, of mainland and overseas"]),
        (pair(when="{regions: {}}"), ["when.regions: found a mapping, expected pairs or within"]),
        (pair(when="{regions: {within: [[]]}}"), ["when.regions.within[0]: found an empty list, expected at least one"]),
        (pair(when="{regions: {within: ['@x']}}"), ["when.regions.within[0]: found '@x', expected a set defined under sets.regions"]),
        (pair(when="{regions: {pairs: [[ap-a, ap-b, ap-c]]}}"), ["when.regions.pairs[0]: found a list, expected a list of 2"]),
        (pair(when="{regions: {pairs: [['@x', ap-b]]}}"), ["when.regions.pairs[0][0]: found '@x', expected a set defined under sets.regions"]),
        (pair(when="{regions: [[ap-beijing, ap-beijing_]]}"), ["when.regions[0][1]: found 'ap-beijing_', expected a region such as ap-guangzhou"]),
        (pair(when="{source_conditions: {}}"), ["when.source_conditions: found a mapping, expected at least one of require_any, require_all, forbid, pairs, exact_etag, pin"]),
        (pair(when="{source_conditions: {pin: md5}}"), ["when.source_conditions.pin: found 'md5', expected one of etag"]),
        (pair(when="{source_conditions: {pin: etag, forbid: [if-match]}}"), ["when.source_conditions: found a mapping, expected if-match to be forbidden or pinned, got both"]),
        (pair(when="{source_conditions: {pairs: [[if-match, if-none-match]]}}"), ["when.source_conditions: found a mapping, expected a pair COS accepts, got if-match and if-none-match"]),
        (pair(when="{source_conditions: {require_any: [if-match], forbid: [if-match]}}"), ["when.source_conditions: found a mapping, expected a condition to be required or forbidden, got both for if-match"]),
        (pair(when="{source_conditions: {require_all: [if-match, if-none-match]}}"), ["when.source_conditions: found a mapping, expected require_all to be a pair COS accepts, got if-match and if-none-match"]),
        (pair(when="{source_size: {}}"), ["when.source_size: found a mapping, expected min or max"]),
        (pair(when="{source_size: {min: 2, max: 1}}"), ["when.source_size: found a mapping, expected min <= max, got 2 bytes and 1 byte"]),
        (pair(when="{alignment: 0}"), ["when.alignment: found '0', expected a step of at least one byte"]),
        (pair(when="{part_number: {min: x}}"), ["when.part_number.min: found 'x', expected an integer"]),
        (pair(when="{part_number: {min: 0}}"), ["when.part_number: found a mapping, expected 1 <= min <= max <= 10000, got 0 and 10000"]),
        (pair(when="{source_version: x}"), ["when.source_version: found 'x', expected one of require, forbid"]),
        (pair(when="{same_region: {expected: 1}}"), ["when.same_region.expected: found '1', expected true or false"]),
        (pair(when="{same_region: {}}"), ["when.same_region: found a mapping without 'expected', expected the key 'expected'"]),
        (pair(effect="deny", when="{source_conditions: {pin: etag}}"), ["when: found a mapping, expected rules that add nothing to a request (pin belongs in an allow statement)"]),
    ],
)  # fmt: skip
def test_a_statement_that_could_never_hold_is_refused(statement: str, errors: list[str]) -> None:
    found = errors_of(document(statement))
    assert [error.line for error in found] == [3] * len(errors)
    assert [str(error).partition(": statements[0]")[2].lstrip(".: ") for error in found] == errors


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        pytest.param("", ["1:1: found an empty document, expected a mapping with version and statements"], id="empty"),
        pytest.param("# only a comment\n", ["1:1: found an empty document, expected a mapping with version and statements"], id="comment"),
        pytest.param("[]", ["1:1: found a list, expected a mapping with version, statements"], id="a list"),
        pytest.param("version", ["1:1: found 'version', expected a mapping with version, statements"], id="a word"),
        pytest.param("version: 1\nstatements: {}\n", ["2:13: statements: found a mapping, expected a list"], id="statements a mapping"),
        pytest.param("version: 1\n", ["1:1: found a mapping without 'statements', expected the key 'statements'"], id="no statements"),
        pytest.param("version: 1\nstatements: []\n", ["2:13: statements: found an empty list, expected at least one"], id="statements an empty list"),
        pytest.param("version: 1\nsets: {buckets: {a: [b]}}\nstatements: {}\n", ["3:13: statements: found a mapping, expected a list"], id="sets for no statements"),
        pytest.param("version: 1\nstatements:\n", ["2:12: statements: found nothing, expected a list"], id="statements nothing"),
        pytest.param("version: 1\nstatements: [x]\n", ["2:14: statements[0]: found 'x', expected a mapping with id, effect, principals, actions", f"2:14: statements[0]: found a statement with neither, {PAIR_OR_RESOURCE}"], id="a statement a word"),
        pytest.param("version: &a 1\nstatements: []\n", ["1:10: found the anchor &a, expected no anchors"], id="anchor"),
        pytest.param("version: *a\nstatements: []\n", ["1:10: found the alias *a, expected the text itself"], id="alias"),
        pytest.param("version: !!int 1\nstatements: []\n", ["1:10: found the tag tag:yaml.org,2002:int, expected no tags"], id="tag"),
        pytest.param("version: !!python/object/apply:os.system [x]\n", ["1:10: found the tag tag:yaml.org,2002:python/object/apply:os.system, expected no tags"], id="python tag"),
        pytest.param("version: 1\nstatements: []\n---\nversion: 1\n", ["3:1: found a second document, expected one document in a text"], id="two documents"),
        pytest.param("? [a]\n: 1\n", ["1:3: found a list as a key, expected a word as a key"], id="a list as a key"),
        pytest.param("version: \x00\n", ["1:1: found a character that YAML does not allow, expected well-formed YAML"], id="nul"),
        pytest.param("[" * (MAX_DEPTH + 1), ["1:17: found a deeper level, expected at most 16 levels"], id="deep"),
        pytest.param("[" * 100_000, ["1:17: found a deeper level, expected at most 16 levels"], id="very deep"),
    ],
)  # fmt: skip
def test_what_is_not_a_document_is_refused(text: str, errors: list[str]) -> None:
    found = errors_of(text)
    assert [str(error) for error in found] == [f"a.yaml:{error}" for error in errors]
    assert all(isinstance(error.path, str) for error in found)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        pytest.param("version: 1\n\tstatements: []\n", 2, 1, id="tab"),
        pytest.param("version: [1\n", 2, 1, id="unclosed"),
        pytest.param(GOOD.replace("[team:media]", "[@all]"), 8, 18, id="an at sign without quotes"),
    ],
)
def test_what_is_not_yaml_is_refused_where_the_parser_stopped(text: str, line: int, column: int) -> None:
    """What it found is said in the parser's words, which differ between versions."""
    (error,) = errors_of(text)
    assert (error.line, error.column, error.path, error.expected) == (line, column, "", "well-formed YAML")
    assert "character" in error.found or "expected" in error.found


@pytest.mark.parametrize(
    ("old", "new", "errors"),
    [
        ('["@editors"]', '["@editor"]', ["10:18: statements[0].principals[0]: found '@editor', expected a set defined under sets.principals (did you mean 'editors'?)"]),
        ('["@editors"]', '["@origins"]', ["10:18: statements[0].principals[0]: found '@origins', expected a set defined under sets.principals"]),
        ("[ap-guangzhou, ap-shenzhen-fsi]", '["@south"]', ["6:21: sets.regions.south[0]: found '@south', expected a member, not a set or another list"]),
        ("[ap-guangzhou, ap-shenzhen-fsi]", "[]", ["6:20: sets.regions.south: found an empty list, expected at least one"]),
        ("[ap-guangzhou, ap-shenzhen-fsi]", "[nowhere_]", ["12:59: statements[0].source.regions: found 'nowhere_', expected a region such as ap-guangzhou"]),
        ("regions: {south: ", "zones: {south: ", ["6:3: sets.zones: found the unknown key 'zones', expected one of principals, buckets, regions, actions", "12:59: statements[0].source.regions: found '@south', expected a set defined under sets.regions"]),
        ('{editors: ["team:media", "app:*"]}', "[a]", ["4:15: sets.principals: found a list, expected a mapping from a set's name to its list", "10:18: statements[0].principals[0]: found '@editors', expected a set defined under sets.principals"]),
    ],
)  # fmt: skip
def test_a_set_that_is_unknown_or_broken_is_refused(old: str, new: str, errors: list[str]) -> None:
    assert [str(error) for error in errors_of(SETS.replace(old, new))] == [f"a.yaml:{error}" for error in errors]


@pytest.mark.parametrize(
    ("field", "column", "error"),
    [
        ("rang: bytes=0-9", 7, "rang: found the unknown key 'rang', expected one of principal, action, resource, source, destination, range, part_number, size, conditions, headers, address, time, storage_class, encryption, length, etag, upload_size (did you mean 'range'?)"),
        ("part_number: 0", 20, "part_number: found '0', expected a part number from 1 to 10000"),
        ("part_number: 10001", 20, "part_number: found '10001', expected a part number from 1 to 10000"),
        ("part_number: [1]", 20, "part_number: found a list, expected a part number"),
        ("range: {first: 0}", 14, "range: found a mapping without 'length', expected the key 'length'"),
        ("range: {first: 0, length: 0}", 14, "range: found a mapping, expected a length of at least one byte"),
        ("range: 0-9", 14, "range: found '0-9', expected bytes=first-last with first <= last"),
        ("range: [1]", 14, "range: found a list, expected bytes=first-last, or first and length"),
        ("range: {first: 0, length: 1, x: 2}", 36, "range.x: found the unknown key 'x', expected one of first, length"),
        ("range: {first: [1], length: 1}", 22, "range.first: found a list, expected a size"),
        ("range: {first: 1MB, length: 1}", 22, "range.first: found '1MB', expected a size in bytes, KiB, MiB, GiB or TiB, not MB; write 1MiB (binary), or the number of bytes"),
        ("size: 1MB", 13, "size: found '1MB', expected a size in bytes, KiB, MiB, GiB or TiB, not MB; write 1MiB (binary), or the number of bytes"),
        ("size: []", 13, "size: found a list, expected a size"),
        ("length: -1", 15, "length: found '-1', expected a size: whole bytes, or a whole number of KiB, MiB, GiB or TiB"),
        ("upload_size: 1kb", 20, "upload_size: found '1kb', expected a size in bytes, KiB, MiB, GiB or TiB, not kb; write 1KiB (binary), or the number of bytes"),
        ("etag: ''", 13, "etag: found '', expected a text"),
        ("address: [a]", 16, "address: found a list, expected a text"),
        ("storage_class: {}", 22, "storage_class: found a mapping, expected a text"),
        ("encryption: ''", 19, "encryption: found '', expected a text"),
        ("conditions: [a]", 19, "conditions: found a list, expected a mapping with if-match, if-none-match, if-modified-since, if-unmodified-since"),
        ("conditions: {if-match: ''}", 30, "conditions.if-match: found '', expected a text"),
        ("conditions: {if-mach: a}", 20, "conditions.if-mach: found the unknown key 'if-mach', expected one of if-match, if-none-match, if-modified-since, if-unmodified-since (did you mean 'if-match'?)"),
        ("conditions: {if-modified-since: now}", 19, "conditions: found a mapping, expected if-modified-since to be a date like 'Mon, 04 Sep 2017 04:45:45 GMT', got 'now'"),
        ("time: noon", 13, "time: found 'noon', expected a moment such as 2027-01-01T00:00:00+08:00"),
        ("time: [a]", 13, "time: found a list, expected a moment"),
        ("headers: [[a]]", 17, "headers[0]: found a list, expected a text"),
        ("resource: raw-1250000000", 7, "resource: found 'resource', expected a resource, or a source and a destination"),
    ],
)  # fmt: skip
def test_what_a_test_asks_is_read_as_strictly(field: str, column: int, error: str) -> None:
    (found,) = errors_of(GOOD.replace("range: bytes=0-1048575", field))
    assert str(found) == f"a.yaml:28:{column}: tests[0].request.{error}"


@pytest.mark.parametrize(
    ("field", "column", "error"),
    [
        ("source: [a]", 15, "source: found a list, expected a mapping with bucket"),
        ("source: ''", 15, "source: found '', expected bucket[/key][@region]"),
        ("source: raw", 15, "source: found 'raw', expected a bucket name like examplebucket-1250000000, got 'raw'"),
        ("source: raw-1250000000/a@B", 15, "source: found 'raw-1250000000/a@B', expected a region like ap-guangzhou, got 'B'"),
        ("source: {key: a}", 15, "source: found a mapping without 'bucket', expected the key 'bucket'"),
        ("source: {bucket: raw}", 15, "source: found a mapping, expected a bucket name like examplebucket-1250000000, got 'raw'"),
        ("source: {bucket: raw-1250000000, key: ''}", 45, "source.key: found '', expected a text"),
        ("source: {bucket: raw-1250000000, regin: x}", 40, "source.regin: found the unknown key 'regin', expected one of bucket, key, region, version (did you mean 'region'?)"),
        ("source: {bucket: raw-1250000000, version: ''}", 49, "source.version: found '', expected a text"),
        ("source: {bucket: ''}", 24, "source.bucket: found '', expected a text"),
    ],
)  # fmt: skip
def test_an_end_is_a_bucket_with_what_lies_in_it(field: str, column: int, error: str) -> None:
    (found,) = errors_of(GOOD.replace("source: raw-1250000000/incoming/a@ap-guangzhou", field))
    assert str(found) == f"a.yaml:26:{column}: tests[0].request.{error}"
