"""What stands on the page, as names, numbers and pictures."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.runner import Runner
from torch import nn

from mmcoop.models.zero_shot_head import HAND_WRITTEN
from mmcoop.protocol.nearest_words import nearest_words

from . import confusions, curves, facts
from .answers import Answer
from .history import RunHistory
from .thumbnails import thumbnail

NUM_PAIRS, EXAMPLES_OF_PAIR = 8, 3
NUM_WRONG = 24
# Of a table that is shown at once, and of one that is unfolded
NUM_ROWS, MAX_ROWS = 20, 1000
# Of a class-specific context, which has M vectors for each class
NUM_CLASSES_WITH_WORDS = 3


def contents(
    runner: Runner,
    head: nn.Module,
    history: RunHistory,
    answers: Sequence[Answer] | None,
    troubles: Sequence[str],
) -> dict[str, Any]:
    """Collect what the page shows.

    Args:
        runner (Runner): After training.
        head (nn.Module): Of its model, not wrapped.
        history (RunHistory): Of all epochs.
        answers (Sequence[Answer], optional): Of the last evaluation; None
            if there was none.
        troubles (Sequence[str]): What the reader must know is missing.

    Returns:
        dict: What ``page.html`` names.
    """
    names = _Names(head, runner)
    filename = runner.cfg.filename
    return dict(
        name=Path(filename).stem if filename else runner.experiment_name,
        written=time.strftime('%Y-%m-%d %H:%M'),
        hand_written=HAND_WRITTEN,
        troubles=troubles,
        seconds=facts.duration(history.seconds),
        curves=_curves(runner, history, answers or []),
        evaluation=_evaluation(answers, names) if answers else None,
        context=_context(runner, head, history, answers or [], names),
        facts=facts.run_facts(runner, head, history.seconds),
        command=facts.command(runner),
    )


class _Names:
    """From labels to class names.

    Args:
        head (nn.Module): Which may know them.
        runner (Runner): Whose training data may.
    """

    def __init__(self, head: nn.Module, runner: Runner) -> None:
        meta = runner.message_hub.get_info('dataset_meta', None) or {}
        names = getattr(head, 'class_names', None) or meta.get('classes')
        self._names = tuple(names or ())

    def __getitem__(self, label: int) -> str:
        if 0 <= label < len(self._names):
            return str(self._names[label])
        return f'class {label}'


def _curves(
    runner: Runner, history: RunHistory, answers: Sequence[Answer]
) -> list[dict]:
    unit, x_name = _unit(runner)
    steps, loss, rate, training = history.curves.T.tolist()
    steps = [step / unit for step in steps]
    evaluated = [step / unit for step, _ in history.evaluations]
    lines = [
        curves.Line('training batches', steps, training, 'thin'),
        curves.Line(
            'learned prompt', evaluated, [a for _, a in history.evaluations]
        ),
    ]
    written = confusions.written_accuracy(answers)
    if written is not None:
        ends = [0, runner.iter / unit]
        lines.append(
            curves.Line('hand-written prompt', ends, [written] * 2, 'written')
        )
    drawn = {
        'Loss': [curves.Line('loss', steps, loss)],
        'Accuracy in %': lines,
        'Learning rate': [curves.Line('learning rate', steps, rate)],
    }
    return [
        dict(
            title=title,
            svg=curves.draw(title, lines, x_name),
            legend=[line for line in lines if np.isfinite(line.y).any()],
        )
        for title, lines in drawn.items()
    ]


def _unit(runner: Runner) -> tuple[float, str]:
    """Count in epochs where the run does."""
    if runner.train_loop.epoch > 0:
        return len(runner.train_dataloader), 'epoch'
    return 1, 'iteration'


def _evaluation(answers: Sequence[Answer], names: _Names) -> dict:
    classes = confusions.by_class(answers)
    learned = confusions.accuracy(answers)
    written = confusions.written_accuracy(answers)
    pairs = confusions.most_confused(answers, NUM_PAIRS, EXAMPLES_OF_PAIR)
    wrong = confusions.most_wrong(answers, NUM_WRONG)
    return dict(
        images=len(answers),
        wrong_images=sum(answer.is_wrong for answer in answers),
        learned=learned,
        written=written,
        tables=_class_tables(classes, names, written is not None),
        pairs=[
            dict(
                label=names[pair.label],
                taken_for=names[pair.taken_for],
                count=pair.count,
                images=pair.images,
                examples=[_shown(a, names) for a in pair.examples],
            )
            for pair in pairs
        ],
        wrong=[_shown(answer, names) for answer in wrong],
    )


def _class_tables(
    classes: Sequence[confusions.ClassResult], names: _Names, compare: bool
) -> list[dict]:
    rows = [
        dict(
            name=names[row.label],
            images=row.images,
            learned=100 * row.learned / row.images,
            written=100 * row.written / row.images if compare else None,
            change=100 * row.change if compare else None,
        )
        for row in classes
    ]
    if not compare:
        return [_table('All classes', rows)]
    better = [row for row in rows if row['change'] > 0]
    others = [row for row in reversed(rows) if row['change'] <= 0]
    return [
        _table('Better with the learned prompt', better),
        _table('Worse or the same', others),
    ]


def _table(title: str, rows: list[dict]) -> dict:
    return dict(
        title=title,
        number=len(rows),
        rows=rows[:NUM_ROWS],
        folded=rows[NUM_ROWS:MAX_ROWS],
        left_out=len(rows[MAX_ROWS:]),
    )


def _shown(answer: Answer, names: _Names) -> dict:
    is_asked = answer.written is not None
    return dict(
        picture=thumbnail(answer.path),
        path=answer.path,
        label=names[answer.label],
        learned=names[answer.learned],
        confidence=100 * answer.confidence,
        written=names[answer.written] if is_asked else None,
        written_confidence=100 * answer.written_confidence
        if is_asked
        else None,
        written_is_right=answer.written == answer.label,
    )


def _context(
    runner: Runner,
    head: nn.Module,
    history: RunHistory,
    answers: Sequence[Answer],
    names: _Names,
) -> dict | None:
    learner = getattr(head, 'prompt_learner', None)
    if learner is None:
        return None
    unit, x_name = _unit(runner)
    steps = [step / unit for step in history.steps]
    title = 'Norm of each context vector'
    lines = [
        curves.Line(f'vector {number}', steps, norms, 'thin')
        for number, norms in enumerate(history.norms.T.tolist(), start=1)
    ]
    mean = history.norms.mean(dim=1).tolist()
    lines.append(curves.Line('mean', steps, mean))
    ctx = learner.ctx.detach()
    blocks = {None: ctx}
    if learner.class_specific:
        labels = [row.label for row in confusions.by_class(answers)]
        labels = (labels or range(len(ctx)))[:NUM_CLASSES_WITH_WORDS]
        blocks = {names[label]: ctx[label] for label in labels}
    return dict(
        class_specific=learner.class_specific,
        norms=curves.draw(title, lines, x_name),
        words=[
            dict(
                name=name,
                rows=list(
                    zip(
                        block.float().norm(dim=-1).tolist(),
                        nearest_words(block, head.text_encoder),
                        strict=True,
                    )
                ),
            )
            for name, block in blocks.items()
        ],
    )
