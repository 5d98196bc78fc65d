# registers mmcoop's components; a clear error at once where it is missing
custom_imports = dict(imports=['mmcoop'], allow_failed_imports=False)

# everything without a prefix is mmpretrain's
default_scope = 'mmpretrain'

default_hooks = dict(
    # record the time of every iteration
    timer=dict(type='IterTimerHook'),
    # print a log line every 10 iterations
    logger=dict(type='LoggerHook', interval=10),
    # change the learning rate once an epoch
    param_scheduler=dict(type='ParamSchedulerHook'),
    # save once an epoch, and keep the last three: a checkpoint is some tens
    # of kilobytes, and the last epoch's context is the result (not the best)
    checkpoint=dict(
        type='mmcoop.CheckpointHook', interval=1, max_keep_ckpts=3
    ),
    # what is random in an iteration depends on (seed, iteration) alone, so a
    # run that is resumed ends with the bits of one that was not interrupted
    iteration_seed=dict(type='mmcoop.IterationSeedHook'),
    # save on SIGTERM and Ctrl-C, and say how to go on
    stop_signals=dict(type='mmcoop.StopSignalHook'),
    # tell the sampler the epoch: each has its own order and augmentation
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # draw predictions where tools/test.py is asked to (--show-dir)
    visualization=dict(type='VisualizationHook', enable=False),
    # stop before a context that is not finite is saved
    check_loss=dict(type='mmcoop.CheckInvalidLossHook'),
    # the log's history in memory and checkpoints; the log files keep all
    history=dict(type='mmcoop.HistoryLengthHook', max_length=1000),
    # a page to look at when training is over: work_dir/report.html
    report=dict(type='mmcoop.RunReportHook'),
)

env_cfg = dict(
    # inputs have one size, but a benchmark run would make results vary
    cudnn_benchmark=False,
    # workers fork; OpenCV's own threads would compete with them
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # 'gloo' where there is no GPU
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False

# the paper reports the mean over seeds 1, 2 and 3
randomness = dict(seed=1, deterministic=False)
