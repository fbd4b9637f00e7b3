"""Settings: where values come from, which one wins, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings, SettingsError, SettingsErrors, load_settings

CANARY = "CanarySecret0123456789"


def write(folder: Path, text: str, name: str = "gateway.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path | None = None, overrides: dict[str, Any] | None = None, **environment: str) -> Settings:
    return load_settings(path, overrides, environment=environment)


def errors_of(
    path: Path | None = None, overrides: dict[str, Any] | None = None, **environment: str
) -> list[SettingsError]:
    with pytest.raises(SettingsErrors) as caught:
        load(path, overrides, **environment)
    return list(caught.value.errors)


def only_error(path: Path | None = None, overrides: dict[str, Any] | None = None, **environment: str) -> SettingsError:
    (error,) = errors_of(path, overrides, **environment)
    return error


# --- precedence --------------------------------------------------------------------------------------------


def test_without_any_source_the_defaults_hold() -> None:
    assert load().data.port == 8080


def test_the_file_beats_the_default(tmp_path: Path) -> None:
    assert load(write(tmp_path, "data: {port: 1000}")).data.port == 1000


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    assert load(write(tmp_path, "data: {port: 1000}"), COSGW_DATA__PORT="2000").data.port == 2000


def test_a_flag_beats_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {port: 1000}")
    assert load(path, {"data.port": 3000}, COSGW_DATA__PORT="2000").data.port == 3000


def test_sources_merge_key_by_key(tmp_path: Path) -> None:
    settings = load(write(tmp_path, "data: {port: 1000, max_in_flight: 7}"), {"data.host": "::1"}, COSGW_DATA__PORT="2")
    assert (settings.data.host, settings.data.port, settings.data.max_in_flight) == ("::1", 2, 7)


def test_a_list_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {domains: [a.example, b.example]}")
    assert load(path, COSGW_DATA__DOMAINS="c.example").data.domains == ("c.example",)


def test_building_settings_directly_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSGW_DATA__PORT", "9")
    assert Settings().data.port == 8080
    assert load_settings().data.port == 9


# --- the environment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["a.example,b.example", "a.example, b.example", '["a.example", "b.example"]'],
    ids=["commas", "spaces", "json"],
)
def test_a_list_from_the_environment(text: str) -> None:
    assert load(COSGW_DATA__DOMAINS=text).data.domains == ("a.example", "b.example")


def test_an_empty_variable_counts_as_absent() -> None:
    assert load(COSGW_DATA__PORT="", COSGW_MASTER_KEY="") == load()


def test_an_unknown_variable_is_an_error_with_a_hint() -> None:
    assert str(only_error(COSGW_DATA__PROT="1")) == (
        "environment: COSGW_DATA__PROT: found an unknown variable, "
        "expected the name of a setting (did you mean 'port'?)"
    )


def test_a_wrong_value_names_its_variable() -> None:
    error = only_error(COSGW_ADMIN__PORT="http")
    assert (error.mark.source, error.key) == ("environment variable COSGW_ADMIN__PORT", "admin.port")
    assert (error.found, error.expected) == ("'http'", "a whole number")


def test_other_programs_variables_are_not_looked_at() -> None:
    assert load(COSG="1", GATEWAY_PORT="2", PATH="/bin", COSGW_CONFIG="gateway.yaml") == load()


def test_the_master_key_comes_from_its_own_variables() -> None:
    settings = load(COSGW_MASTER_KEY=CANARY)
    assert settings.master_key.value is not None
    assert settings.master_key.value.reveal() == CANARY
    assert load(COSGW_MASTER_KEY_FILE="keys/master").master_key.file == Path("keys/master")


# --- errors name file, line, key, found, expected, hint ----------------------------------------------------

WRONG = {
    "unknown-key": ("data:\n  prot: 80\n", 2, "data.prot", "an unknown key", "did you mean 'port'?"),
    "unknown-group": ("logs:\n  level: info\n", 1, "logs", "an unknown key", "did you mean 'log'?"),
    "nothing-near": ("data:\n  zzzz: 80\n", 2, "data.zzzz", "an unknown key", None),
    "not-a-number": ("data:\n\n  port: http\n", 3, "data.port", "'http'", None),
    "yaml-yes-is-no-number": ("data: {port: yes}", 1, "data.port", "'yes'", None),
    "port-too-high": ("data: {port: 65536}", 1, "data.port", "'65536'", None),
    "port-negative": ("data: {port: -1}", 1, "data.port", "'-1'", None),
    "not-whole": ("data: {max_in_flight: 1.5}", 1, "data.max_in_flight", "'1.5'", None),
    "zero-in-flight": ("data: {max_in_flight: 0}", 1, "data.max_in_flight", "'0'", None),
    "zero-seconds": ("upstream: {copy_timeout_seconds: 0}", 1, "upstream.copy_timeout_seconds", "'0'", None),
    "endless": ("upstream: {copy_timeout_seconds: .inf}", 1, "upstream.copy_timeout_seconds", "'.inf'", None),
    "nan": ("upstream: {copy_timeout_seconds: nan}", 1, "upstream.copy_timeout_seconds", "'nan'", None),
    "null": ("data: {port: }", 1, "data.port", "null", None),
    "unknown-choice": ("log:\n  level: loud\n", 2, "log.level", "'loud'", None),
    "group-is-text": ("data: here", 1, "data", "text", None),
    "group-is-list": ("data: [1]", 1, "data", "a list", None),
    "list-is-text": ("buckets: here", 1, "buckets", "text", None),
    "item-is-text": ("buckets:\n  - here\n", 2, "buckets[0]", "text", None),
    "domain-with-port": ("data: {domains: [a.example:80]}", 1, "data.domains[0]", "'a.example:80'", None),
    "bucket-without-appid": (
        "buckets:\n  - region: ap-guangzhou\n    name: media\n", 3, "buckets[0].name", "'media'", None,
    ),
    "bad-region": ("buckets:\n- {name: a-1, region: Canton}", 2, "buckets[0].region", "'Canton'", None),
    "missing-key": ("buckets:\n\n- {name: a-1}", 3, "buckets[0].region", "nothing", None),
    "network-with-host-bits": (
        "keys:\n- id: a\n  secret: b\n  principal: c\n  networks:\n  - 10.0.0.0/8\n  - 10.0.0.1/8\n",
        7, "keys[0].networks[1]", "'10.0.0.1/8'", None,
    ),
    "time-without-zone": (
        "keys:\n- id: a\n  secret: b\n  principal: c\n  expires_at: 2027-01-01T00:00:00\n",
        5, "keys[0].expires_at", "'2027-01-01T00:00:00'", None,
    ),
    "endpoint-with-path": ("upstream:\n  endpoint: https://a/b\n", 2, "upstream.endpoint", "'https://a/b'", None),
    "endpoint-without-scheme": ("upstream:\n  endpoint: a:80\n", 2, "upstream.endpoint", "'a:80'", None),
    "endpoint-with-password": (
        "upstream:\n  endpoint: https://u:p@a\n", 2, "upstream.endpoint", "'https://***@a'", None,
    ),
    "repeated-key": ("log:\n  level: info\n  level: info\n", 3, "log.level", "a repeated key", "it stands on line 2"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "found", "hint"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_described(
    tmp_path: Path, text: str, line: int, key: str, found: str, hint: str | None
) -> None:
    path = write(tmp_path, text)
    error = only_error(path)
    assert (error.mark.source, error.mark.line, error.key) == (str(path), line, key)
    assert (error.found, error.hint) == (found, hint)
    assert error.expected


def test_the_message_is_one_line_to_mend_it_by(tmp_path: Path) -> None:
    path = write(tmp_path, "upstream:\n  transport: natve\n")
    assert str(only_error(path)) == f"{path}:2: upstream.transport: found 'natve', expected 'native' or 'stock'"


def test_every_error_is_reported_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  port: a\nadmin:\n  port: b\n  prot: 1\n")
    found = errors_of(path, {"log.level": "loud"}, COSGW_DATA__HOSTT="x")
    assert {(error.mark.line, error.key) for error in found} == {
        (2, "data.port"), (4, "admin.port"), (5, "admin.prot"), (None, "log.level"), (None, "COSGW_DATA__HOSTT"),
    }  # fmt: skip


NOT_YAML = {
    "unclosed": ("data: {port: 80\n", "well-formed YAML"),
    "tab": ("data:\n\tport: 80\n", "token"),
    "alias": ("a: &x {}\nb: *x\n", "&x"),
    "tag": ("data: !!python/object:os.system {}\n", "tag"),
    "two-documents": ("data: {}\n---\ndata: {}\n", "second document"),
    "a-list": ("- data\n", "a list"),
}


@pytest.mark.parametrize(("text", "found"), NOT_YAML.values(), ids=NOT_YAML)
def test_what_is_not_a_plain_mapping_is_refused(tmp_path: Path, text: str, found: str) -> None:
    error = only_error(write(tmp_path, text))
    assert found in str(error)
    assert error.mark.line is not None


def test_bytes_that_are_not_utf_8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"data:\n  host: \xff\n")
    assert only_error(path).mark.line == 2


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert str(path) in str(only_error(path))


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "data:\n  # port: 80\n"], ids=["empty", "line", "comment", "group"]
)
def test_a_file_that_says_nothing_leaves_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path, text)) == load()


# --- settings that contradict each other -------------------------------------------------------------------

KEY = "{id: a, secret: b, principal: team:media}"
CREDENTIAL = "{name: a, account: 1250000000, secret_id: AKID, secret_key: b}"
CONTRADICTIONS = {
    "two-upstreams": ("embedded: {enabled: true}\nupstream:\n  endpoint: https://a", 3, "upstream.endpoint"),
    "http-to-elsewhere": ("upstream: {endpoint: http://cos.example}", 1, "upstream.endpoint"),
    "one-port-twice": ("data: {port: 80}\nadmin: {port: 80}", 2, "admin.port"),
    "one-bucket-twice": ("buckets:\n- {name: a-1, region: ap-a}\n- {name: a-1, region: ap-b}", 3, "buckets[1].name"),
    "one-key-twice": (f"keys:\n- {KEY}\n- {KEY}", 3, "keys[1].id"),
    "one-credential-twice": (f"credentials:\n- {CREDENTIAL}\n- {CREDENTIAL}", 3, "credentials[1].name"),
    "key-without-secret": ("keys:\n- {id: a, principal: p}", 2, "keys[0]"),
    "key-with-two-secrets": ("keys:\n- {id: a, principal: p, secret: s, secret_file: /dev/null}", 2, "keys[0]"),
    "master-key-in-the-file": ("master_key:\n  value: something\n", 2, "master_key.value"),
}


@pytest.mark.parametrize(("text", "line", "key"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, text: str, line: int, key: str) -> None:
    found = {(error.mark.line, error.key) for error in errors_of(write(tmp_path, text))}
    assert (line, key) in found


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "https://a.example"]
)
def test_an_endpoint_over_loopback_or_tls_needs_no_unsafe_choice(endpoint: str) -> None:
    assert load(overrides={"upstream.endpoint": endpoint}).upstream.endpoint == endpoint


def test_http_to_elsewhere_is_an_unsafe_choice() -> None:
    settings = load(overrides={"upstream.endpoint": "http://cos.example", "upstream.unsafe_allow_http": True})
    assert settings.upstream.endpoint == "http://cos.example"


def test_any_free_port_may_be_asked_for_twice() -> None:
    assert load(overrides={"data.port": 0, "admin.port": 0}).admin.port == 0


# --- production --------------------------------------------------------------------------------------------

REFUSED_IN_PRODUCTION = {
    "unsafe": ("upstream:\n  unsafe_allow_http: true", 2, "upstream.unsafe_allow_http"),
    "embedded": ("embedded:\n  enabled: true", 2, "embedded.enabled"),
    "key-in-the-file": ("keys:\n- id: a\n  principal: p\n  secret: s", 4, "keys[0].secret"),
    "credential-in-the-file": (f"credentials:\n- {CREDENTIAL}", 2, "credentials[0].secret_key"),
}


@pytest.mark.parametrize(("text", "line", "key"), REFUSED_IN_PRODUCTION.values(), ids=REFUSED_IN_PRODUCTION)
def test_production_refuses_what_development_allows(tmp_path: Path, text: str, line: int, key: str) -> None:
    path = write(tmp_path, text)
    load(path)
    error = only_error(path, {"environment": "production"})
    assert (error.mark.line, error.key) == (line, key)


def test_production_takes_inline_secrets_from_the_environment() -> None:
    settings = load(
        COSGW_ENVIRONMENT="production", COSGW_KEYS=f'[{{"id": "a", "secret": "{CANARY}", "principal": "p"}}]'
    )
    assert settings.keys[0].secret is not None


# --- secrets -----------------------------------------------------------------------------------------------


def test_a_secret_file_is_read_and_its_line_end_dropped(tmp_path: Path) -> None:
    secret = write(tmp_path, f"{CANARY}\n", "secret")
    secret.chmod(0o600)
    path = write(tmp_path, f"keys: [{{id: a, principal: p, secret_file: {secret}}}]")
    (key,) = load(path, {"environment": "production"}).keys
    assert key.secret is not None
    assert key.secret.reveal() == CANARY


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644], ids=oct)
def test_a_secret_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    secret = write(tmp_path, CANARY, "secret")
    secret.chmod(mode)
    path = write(tmp_path, f"keys:\n- id: a\n  principal: p\n  secret_file: {secret}")
    error = only_error(path)
    assert (error.mark.line, error.key) == (4, "keys[0].secret_file")
    assert f"{mode:04o}" in error.found


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"one\ntwo\n", b"\xff\xfe", b"x" * 70_000],
    ids=["empty", "blank", "two-lines", "binary", "long"],
)
def test_a_secret_file_without_exactly_one_line_is_refused(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    secret.chmod(0o600)
    assert (
        only_error(write(tmp_path, f"keys: [{{id: a, principal: p, secret_file: {secret}}}]")).key
        == "keys[0].secret_file"
    )


def test_a_missing_secret_file_is_an_error_of_its_key(tmp_path: Path) -> None:
    path = write(tmp_path, f"keys: [{{id: a, principal: p, secret_file: {tmp_path / 'none'}}}]")
    assert only_error(path).key == "keys[0].secret_file"


def test_loaded_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    path = write(tmp_path, f"keys: [{{id: a, principal: p, secret: {CANARY}}}]")
    settings = load(path, COSGW_MASTER_KEY=f"{CANARY}master")
    assert CANARY not in repr(settings) + str(settings) + settings.model_dump_json()


MISPLACED = {
    "key-misspelt": "keys: [{id: a, principal: p, secert: S}]",
    "secret-instead-of-group": "master_key: S",
    "secret-instead-of-list": "keys: S",
    "secret-instead-of-item": "keys: [S]",
    "secret-in-a-list": "keys: [{id: a, principal: p, secret: [S]}]",
    "mapping-instead-of-list": "keys: {id: a, secret: S}",
    "secret-with-a-tab": 'keys: [{id: a, principal: p, secret: "S\\t1"}]',
    "unknown-group": "secrets: {main: S}",
}


@pytest.mark.parametrize("text", MISPLACED.values(), ids=MISPLACED)
def test_a_misplaced_secret_is_not_repeated_in_the_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsErrors) as caught:
        load(write(tmp_path, text.replace("S", CANARY)))
    assert CANARY not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
