"""Steps a second of PyTorch and JAX on one of the networks of bench/training.ts: a line of JSON for each that is installed.

Arguments: name of the case, threads, seconds, peer ("torch" or "jax"). Whole steps: forward, backward and update; plain SGD,
random data that stay in memory.
"""

import json
import os
import sys
import time

name, threads, seconds, peer = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
import numpy as np

rng = np.random.default_rng(0)
DENSE = {
    "mlp-2048": ([784, 2048, 2048, 10], 128),
    "mlp-256": ([784, 256, 10], 128),
    "three-layer": ([5, 2000, 2000, 1], 50),
    "two-layer": ([2, 64, 1], 32),
}


def report(step):
    for _ in range(3):
        step()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    print(json.dumps({"peer": peer, "steps": count / (time.perf_counter() - start)}), flush=True)


def run_torch():
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    class Residual(nn.Module):
        def __init__(self, a, b, stride):
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(a, b, 3, stride, 1), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1)
            )
            self.short = nn.Identity() if a == b else nn.Conv2d(a, b, 1, stride)

        def forward(self, x):
            return torch.relu(self.main(x) + self.short(x))

    if name in DENSE:
        sizes, batch = DENSE[name]
        layers = []
        for a, b in zip(sizes, sizes[1:]):
            layers += [nn.Linear(a, b), nn.ReLU()]
        net = nn.Sequential(*layers[:-1])
        x = torch.randn(batch, sizes[0])
    elif name == "cnn":
        batch = 64
        net = nn.Sequential(
            nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 10),
        ).to(memory_format=torch.channels_last)
        x = torch.randn(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    else:
        batch = 64
        net = nn.Sequential(
            nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), Residual(32, 32, 1), Residual(32, 32, 1), Residual(32, 64, 2),
            Residual(64, 64, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        ).to(memory_format=torch.channels_last)
        x = torch.randn(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    is_squared = name in ("three-layer", "two-layer")
    y = torch.randn(batch, 1) if is_squared else torch.randint(0, 10, (batch,))
    loss_of = nn.MSELoss() if is_squared else nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()

    report(step)


def run_jax():
    import jax
    import jax.numpy as jnp

    if name not in DENSE:
        return
    sizes, batch = DENSE[name]
    params = [
        (jnp.asarray(rng.standard_normal((a, b)) / np.sqrt(a), jnp.float32), jnp.zeros(b, jnp.float32))
        for a, b in zip(sizes, sizes[1:])
    ]
    x = jnp.asarray(rng.standard_normal((batch, sizes[0])), jnp.float32)
    is_squared = sizes[-1] == 1
    y = jnp.asarray(rng.standard_normal((batch, 1)), jnp.float32) if is_squared else jnp.asarray(rng.integers(0, 10, batch))

    def loss(params):
        h = x
        for k, (w, b) in enumerate(params):
            h = h @ w + b
            if k + 1 < len(params):
                h = jax.nn.relu(h)
        if is_squared:
            return jnp.mean((h - y) ** 2)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(batch), y])

    @jax.jit
    def update(params):
        return jax.tree.map(lambda p, g: p - 0.001 * g, params, jax.grad(loss)(params))

    state = {"params": params}

    def step():
        state["params"] = update(state["params"])
        jax.block_until_ready(state["params"])

    report(step)


try:
    run_torch() if peer == "torch" else run_jax()
except ImportError:
    pass
