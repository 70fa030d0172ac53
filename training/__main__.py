"""The commands: `python -m training COMMAND`."""

import typer

from training.commands.data import download, draw, validate
from training.commands.evaluate import crossval, evaluate
from training.commands.label import label
from training.commands.train import export, pretrain, train

app = typer.Typer(
    help="From labelled images to a model that the service reads.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (download, label, validate, train, evaluate, crossval, export, draw, pretrain):
    app.command()(command)

if __name__ == "__main__":
    app()
