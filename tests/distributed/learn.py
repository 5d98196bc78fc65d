"""One rank of a run of three steps; writes what it learned."""

import argparse
import json
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmpretrain.structures import DataSample
from tiny_run import NAMES, write_clip

import mmcoop
from mmcoop.models import CoOpHead


class Model(torch.nn.Module):
    """A head on features at hand."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features, labels):
        samples = [DataSample().set_gt_label(int(label)) for label in labels]
        return self.head.loss((features,), samples)['loss']


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('out', type=Path)
    parser.add_argument('names', type=int)
    parser.add_argument('batch', type=int)
    parser.add_argument('--parallel', action='store_true')
    parser.add_argument('--class-specific', action='store_true')
    parser.add_argument('--chunk', type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    rank, world = dist.get_rank(), dist.get_world_size()

    torch.manual_seed(1)
    head = CoOpHead(
        dict(name=f'local-dir:{write_clip(Path(tempfile.mkdtemp()))}'),
        NAMES[: args.names],
        prompt_learner=dict(num_context=4, class_specific=args.class_specific),
        text_parallel=args.parallel,
        text_chunk_size=args.chunk,
    ).train()
    torch.manual_seed(2)
    with torch.no_grad():
        head.prompt_learner.ctx.normal_(std=0.3)
    encoded = []
    encode = head.text_encoder.forward
    head.text_encoder.forward = lambda prompts, layout: (
        encoded.append(layout.num_classes) or encode(prompts, layout)
    )
    model = MMDistributedDataParallel(Model(head), broadcast_buffers=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    losses = []
    for _ in range(3):
        features = torch.randn(args.batch, 16)
        labels = torch.randint(args.names, (args.batch,))
        loss = model(features[rank::world], labels[rank::world])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.detach() / world
        dist.all_reduce(mean)
        losses.append(mean.item())
    if rank == 0:
        ctx = head.prompt_learner.ctx.tolist()
        args.out.write_text(
            json.dumps(dict(losses=losses, ctx=ctx, encoded=encoded))
        )
    dist.destroy_process_group()


if __name__ == '__main__':
    assert mmcoop.__version__
    main()
