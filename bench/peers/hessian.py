"""The largest Hessian eigenvalues of a tanh network on optical digits by ARPACK on PyTorch's Hessian-vector products, f32.

Arguments: file of the digits, threads, eigenvalues, relative tolerance, steps of SGD before.
"""

import gzip
import json
import sys
import time

import numpy as np

try:
    import torch
    from scipy.sparse.linalg import LinearOperator, eigsh
except ImportError:
    sys.exit(0)

file, threads, pairs, tolerance, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
torch.manual_seed(0)
rows = np.loadtxt(gzip.open(file, "rt"), delimiter=",", skiprows=1, max_rows=1000)
x = torch.tensor(rows[:, :64] / 16, dtype=torch.float32)
y = torch.tensor(rows[:, 64], dtype=torch.long)
sizes = [64, 180, 180, 32, 10]
layers = []
for a, b in zip(sizes, sizes[1:]):
    layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
net = torch.nn.Sequential(*layers[:-1])
loss_of = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(steps):
    rows = torch.randint(0, 1000, (128,))
    optimizer.zero_grad()
    loss_of(net(x[rows]), y[rows]).backward()
    optimizer.step()
params = list(net.parameters())
size = sum(p.numel() for p in params)


def run():
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss_of(net(x), y), params, create_graph=True)])

    def product(v):
        v = torch.from_numpy(v.astype(np.float32).reshape(-1))
        out = torch.autograd.grad(gradient @ v, params, retain_graph=True)
        return torch.cat([g.reshape(-1) for g in out]).numpy()

    return eigsh(LinearOperator((size, size), product, dtype=np.float32), k=pairs, which="LA", tol=tolerance)[0]


run()
start = time.perf_counter()
values = run()
print(json.dumps({"seconds": time.perf_counter() - start, "values": sorted(map(float, values), reverse=True)}))
