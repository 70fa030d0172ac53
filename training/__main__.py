"""The commands: `python -m training COMMAND`."""

from collections.abc import Callable

import typer

from app.shared.command_line import program
from app.shared.version_option import Version
from training.commands.common import TrainingCommand
from training.commands.data import convert, download, draw, validate
from training.commands.evaluate import crossval, evaluate, suspects
from training.commands.label import label
from training.commands.pretrain import pretrain
from training.commands.train import export, train

PROGRAM = program("training")
EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {
    download: ("download",),
    label: (
        "label my_images",
        "label my_images --retrain-every 50",
        "label my_images --suspects suspects.csv",
    ),
    validate: ("validate --data my_images", "validate --data labels.csv --json report.json"),
    convert: ("convert rec_gt_train.txt --output labels.csv", "convert my_images more.csv --output all.csv --lower"),
    train: (
        "train --data my_images --name mine",
        "train --data my_images --preview augmented.png",
        "train --resume --name mine",
    ),
    evaluate: (
        "evaluate --model model_store/mine --data test",
        "evaluate --model mine/1 --data test.csv --json test.json",
    ),
    crossval: ("crossval --data my_images --folds 5", "crossval --data my_images --labels 100 --seeds 3"),
    suspects: ("suspects --data my_images", "suspects --data labels.csv --folds 10 --jobs 2"),
    export: ("export runs/mine/202611231200 --output model_store/mine/2",),
    draw: ("draw --output datasets/drawn --count 300",),
    pretrain: ("pretrain --fonts my_typefaces",),
}
"""The commands in help order, each with the example command lines at the end of its help."""


def examples(*lines: str) -> str:
    """Return example command lines for the end of a command's help."""
    return "\n".join(["Examples:", *(f"[bold]{PROGRAM} {line}[/]" for line in lines)])


app = typer.Typer(
    help="Train models from labelled images.",
    epilog=examples("draw --output datasets/drawn", "train --data datasets/drawn --name drawn --epochs 10"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command, lines in EXAMPLES.items():
    app.command(cls=TrainingCommand, epilog=examples(*lines))(command)


@app.callback()
def _options(_version: Version = False) -> None:
    pass


def main() -> None:
    """Run the command given on the command line."""
    app(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
