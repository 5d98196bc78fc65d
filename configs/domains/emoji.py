"""Drawing styles never seen, for a context learned on the embedded data.

CONFIG=configs/coop/tinyclip_16shot_emoji.py
python tools/domain_generalisation.py $CONFIG CHECKPOINT
"""

domains = {
    'fxemoji': dict(
        dataset=dict(
            type='mmcoop.Emoji', data_root='data/emoji', split='test_fxemoji'
        )
    ),
    'high_contrast': dict(
        dataset=dict(
            type='mmcoop.Emoji',
            data_root='data/emoji',
            split='test_high_contrast',
        )
    ),
    'streamline': dict(
        dataset=dict(
            type='mmcoop.Emoji',
            data_root='data/emoji',
            split='test_streamline',
        )
    ),
}
