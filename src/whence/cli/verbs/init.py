"""`whence init`: a small project that runs."""

from __future__ import annotations

from pathlib import Path

import click

from whence.cli import options


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False), default="penguins")
@options.common
def command(folder: str, project: str, as_json: bool) -> int:
    """Make a small project on real data in FOLDER ("penguins" by default)."""
    from importlib.resources import as_file, files

    from whence.cli.output import console, write_json
    from whence.errors import ConfigError

    target = Path(project) / folder
    if target.exists() and any(target.iterdir()):
        raise ConfigError(
            f"{target} is not empty.", "name a folder that does not exist yet: whence init NAME."
        )
    made = []
    with as_file(files("whence.cli") / "templates" / "penguins") as template:
        for source in sorted(template.rglob("*")):
            if source.is_dir() or "__pycache__" in source.parts:
                continue
            # Named without its dot in the package, so that it ignores nothing there.
            inside = source.relative_to(template)
            name = ".gitignore" if inside.name == "gitignore" else inside.name
            copy = target / inside.parent / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            made.append(str(inside.parent / name))
    if as_json:
        write_json({"folder": str(target), "files": made})
        return 0
    out = console()
    out.print(f"✓ {target}: {len(made)} files", style="ok")
    out.print(f"  next: cd {target} && whence build")
    return 0
