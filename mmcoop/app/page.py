"""The page: controls, and what happens when they change."""

import gradio as gr
from gradio.data_classes import ImageData

from mmcoop.models.zero_shot_head import HAND_WRITTEN

from .comparison import Answer, Comparison
from .training_images import TrainingImages

# Classes with a bar, and training images that are shown
NUM_BARS = 5
NUM_NEIGHBOURS = 6
# Decimals of a fit; those of 1000 classes differ in the last
DIGITS = 6
# Pixels; a phone has 360, and a margin
NARROW = 280
# No upload is larger; files of an hour ago are deleted.
LARGEST_UPLOAD = '20mb'
SECONDS_KEPT = 3600

# The system's fonts: the page asks nobody for anything.
SANS = ('system-ui', 'sans-serif')
MONO = ('ui-monospace', 'monospace')
# In the page's head: Gradio applies other styles to its inner part alone.
HEAD = """<style>
.gradio-container { max-width: 1100px !important; margin: auto; }
footer { display: none !important; }
@media (max-width: 640px) {
    .gradio-container .fillable { padding: 8px !important; }
}
</style>"""


def build_page(
    comparison: Comparison,
    training_images: TrainingImages | None,
    without: str = '',
) -> gr.Blocks:
    """Lay out the page.

    Args:
        comparison (Comparison): Answers.
        training_images (TrainingImages, optional): To find the nearest in.
        without (str): Why there are none.

    Returns:
        gr.Blocks: Ready for :func:`serve`.
    """
    names = comparison.classifier.class_names
    low, high = _range_of_fit(comparison, training_images)
    threshold = comparison.threshold
    with gr.Blocks(
        title='mmcoop',
        analytics_enabled=False,
        delete_cache=(SECONDS_KEPT, SECONDS_KEPT),
    ) as page:
        gr.Markdown('# What does the image show?')
        with gr.Row():
            with gr.Column(min_width=NARROW):
                image = gr.Image(
                    label='Image', sources=['upload', 'clipboard'], height=300
                )
                # What is wrong with a file, mmcoop says better.
                image.preprocess = _path_of_upload
                class_names = gr.Textbox(
                    '\n'.join(names),
                    label='Class names, a line each',
                    info=None
                    if comparison.takes_names
                    else 'The context is class-specific: it knows these only.',
                    interactive=comparison.takes_names,
                    lines=5,
                    max_lines=8,
                    elem_id='class-names',
                )
                template = gr.Textbox(
                    HAND_WRITTEN,
                    label='Hand-written prompt',
                    elem_id='template',
                )
                rejects = gr.Checkbox(
                    threshold is not None,
                    label='Allow “none of these”',
                    elem_id='rejects',
                )
                limit = gr.Slider(
                    low,
                    high,
                    low if threshold is None else threshold,
                    step=round((high - low) / 1000, DIGITS),
                    label='“None of these” where the fit is below',
                    info=_about_threshold(comparison),
                    elem_id='threshold',
                )
                ask = gr.Button('Compare', variant='primary', elem_id='ask')
            with gr.Column(min_width=NARROW):
                verdict = gr.Textbox(
                    label='Answer of the learned prompt',
                    interactive=False,
                    elem_id='verdict',
                )
                learned = gr.Label(
                    label='Learned prompt',
                    num_top_classes=NUM_BARS,
                    elem_id='learned',
                )
                written = gr.Label(
                    label='Hand-written prompt',
                    num_top_classes=NUM_BARS,
                    elem_id='written',
                )
                neighbours = gr.Gallery(
                    label=_about_neighbours(training_images),
                    columns=3,
                    height='auto',
                    object_fit='contain',
                    visible=training_images is not None,
                    elem_id='neighbours',
                )
                if training_images is None:
                    gr.Markdown(f'No nearest training images: {without}')

        def answer(path, text, prompt, allowed, lowest):
            if path is None:
                return '', None, None, None
            try:
                found = comparison.answer(path, _lines(text), prompt)
            except (OSError, ValueError) as error:
                reason = str(error).replace(f'{path}: ', '')
                # Until it is closed: a browser that unpacks an image of too
                # many pixels shows nothing else for seconds.
                raise gr.Error(
                    reason,
                    duration=None,
                    title='No answer',
                    print_exception=False,
                ) from error
            return (
                _verdict(found, lowest if allowed else None),
                found.learned,
                found.written,
                _gallery(found, training_images),
            )

        gr.on(
            [
                image.upload,
                image.clear,
                ask.click,
                rejects.change,
                limit.release,
            ],
            answer,
            [image, class_names, template, rejects, limit],
            [verdict, learned, written, neighbours],
            show_progress='minimal',
            api_name='compare',
        )
    return page


def serve(page: gr.Blocks, host: str, port: int) -> None:
    """Show the page to a browser until the process is stopped.

    Args:
        page (gr.Blocks): Of :func:`build_page`.
        host (str): The address to listen at.
        port (int): The port, which must be free.
    """
    page.queue(api_open=False).launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        show_error=True,
        max_file_size=LARGEST_UPLOAD,
        theme=gr.themes.Default(font=SANS, font_mono=MONO),
        head=HEAD,
    )


def _path_of_upload(payload: ImageData | None) -> str | None:
    return None if payload is None else payload.path


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _verdict(answer: Answer, lowest: float | None) -> str:
    best = max(answer.learned, key=answer.learned.get)
    if answer.fit is None:
        return best
    fit = f'fit {answer.fit:.{DIGITS}f}'
    if lowest is not None and answer.fit < lowest:
        return f'none of these ({fit}; the nearest is {best})'
    return f'{best} ({fit})'


def _gallery(
    answer: Answer, training_images: TrainingImages | None
) -> list[tuple] | None:
    if training_images is None:
        return None
    found = training_images.nearest(answer.image_features, NUM_NEIGHBOURS)
    return [
        (item.picture(), f'{item.cosine:.2f} {item.name}') for item in found
    ]


def _range_of_fit(
    comparison: Comparison, training_images: TrainingImages | None
) -> tuple[float, float]:
    """Find between which fits a threshold makes a difference."""
    text = comparison.classifier.text_features
    samples = text if training_images is None else training_images.features
    fits = [
        fit
        for row in samples.to(text.device)[:500]
        if (fit := comparison.fit(row[None] @ text.T)) is not None
    ]
    fits += [] if comparison.threshold is None else [comparison.threshold]
    low, high = min(fits, default=0.0), max(fits, default=1.0)
    margin = (high - low) / 2 or 0.5
    return round(low - margin, DIGITS), round(high + margin, DIGITS)


def _about_threshold(comparison: Comparison) -> str:
    rejection = comparison.classifier.rejection
    if rejection is None:
        return 'Not calibrated yet: tools/calibrate.py measures a threshold.'
    return (
        f'Calibrated on {rejection["num_images"]} held-out images: '
        f'{rejection["true_accept_rate"]:.0%} of them are accepted.'
    )


def _about_neighbours(training_images: TrainingImages | None) -> str:
    label = 'Nearest training images'
    if (
        training_images is None
        or len(training_images) == training_images.total
    ):
        return label
    return f'{label} (of {len(training_images)} in {training_images.total})'
