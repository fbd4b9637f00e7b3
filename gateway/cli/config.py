"""`cos-gateway config`: the settings as they take effect, and the schema of the file."""

from __future__ import annotations

import typer

from gateway.cli.output import ConfigOption, JsonOption, reported, say, say_json

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show the settings in effect, or the schema of the file."
)


@app.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the settings in effect: flags, environment, file and defaults together. Secrets are masked."""
    with reported():
        import yaml

        from gateway.settings import load_settings

        values = load_settings(config).model_dump(mode="json")
    if as_json:
        say_json(values)
    else:
        say(yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip())


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from gateway.settings import Settings

    say_json(Settings.model_json_schema())
