"""The empirical tangent kernel of bench/tangent.ts by torch.func: a line of JSON with the median seconds.

Arguments: precision ("f32" or "f64"), threads, runs. Convolutions 3-32-32-32 (3 x 3, no padding) with ReLU, dense 21632-10:
235,722 parameters; 20 x 5 images of 32 x 32 x 3, all pairs of outputs; Jacobian contraction and NTK-vector products.
"""

import json
import os
import sys
import time

precision, threads, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["OMP_NUM_THREADS"] = str(threads)
import torch
from torch import nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

torch.set_num_threads(threads)
torch.manual_seed(0)
net = nn.Sequential(
    *[nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU()],
    *[nn.Flatten(), nn.Linear(21632, 10)],
)
if precision == "f64":
    net = net.double()
dtype = torch.float64 if precision == "f64" else torch.float32
x1, x2 = torch.randn(20, 3, 32, 32, dtype=dtype), torch.randn(5, 3, 32, 32, dtype=dtype)
params = {name: value.detach() for name, value in net.named_parameters()}


def one(p, x):
    return functional_call(net, p, (x.unsqueeze(0),)).squeeze(0)


def contraction():
    j1 = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(params, x1).values()]
    j2 = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(params, x2).values()]
    return sum(torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(j1, j2))


def products():
    def pair(a, b):
        _, back = vjp(lambda p: one(p, b), params)

        def column(v):
            return jvp(lambda p: one(p, a), (params,), (back(v)[0],))[1]

        return vmap(column)(torch.eye(10, dtype=dtype))

    return vmap(vmap(pair, (None, 0)), (0, None))(x1, x2)


for peer, body in (("contraction", contraction), ("products", products)):
    times = []
    for run in range(runs + 1):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    times = sorted(times[1:])
    print(json.dumps({"peer": peer, "seconds": times[len(times) // 2]}), flush=True)
